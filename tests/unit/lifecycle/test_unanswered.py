# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is said of a posting that may have been accepted: the repeat is promised only where a key protects."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.core.decisions.posting import Verdict
from airflow_provider_adgen.core.errors import ServerError
from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.lifecycle.stop_messages import unanswered

REPEATED = " A repeat with the same key tells, and does not pay again."


def attempt(kind: str, key: str | None = "k", statuses: tuple[int, ...] = ()) -> Attempt:
    return Attempt(
        phase="intent",
        epoch=0,
        fingerprint="f",
        kind=kind,
        conn_id="shop",
        intended_at=1.0,
        post_seconds=60.0,
        key=key,
        statuses=list(statuses),
    )


@pytest.mark.parametrize(
    ("vendor", "tried", "unknown", "repeated"),
    [
        ("adsumo", attempt("text-to-image"), False, True),
        ("adsumo", attempt("text-to-image"), True, False),
        ("adsumo", attempt("text-to-image", key=None), False, False),
        ("cutx", attempt("video"), False, False),
        ("cutx", attempt("static-ad"), False, False),
        ("sume", attempt("image"), False, False),
        ("cinematicads", attempt("workflow"), False, False),
    ],
    ids=["key", "accepted without an id", "no key", "key for seconds", "no key for it", "sume", "cinematicads"],
)
def test_what_follows_is_told(vendor: str, tried: Attempt, unknown: bool, repeated: bool) -> None:
    verdict = Verdict(nothing_started=False, answered=False, unknown=unknown, status=503)
    said = unanswered(ServerError("It answered 503.", status=503), tried, verdict, get_vendor(vendor))
    assert said == "It answered 503. The submission may have been accepted." + REPEATED * repeated
