# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What each vendor's pages promise about money: where these change, somebody pays twice or is never told."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.vocabulary import GenerationStatus

REFUSALS = {
    "adsumo": {400, 401, 402, 403, 404, 409, 429},
    "cutx": {400, 401, 402, 403, 404, 429},
    "sume": {400, 401, 402, 403, 404, 409, 413, 429},
    "cinematicads": {400, 401, 402, 403, 404, 429},
}
FAILED_IS_REFUNDED = {"adsumo": False, "cutx": True, "sume": False, "cinematicads": True}


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_only_documented_refusals_started_nothing(name: str) -> None:
    assert get_vendor(name).promises.nothing_started == REFUSALS[name]


@pytest.mark.parametrize("name", sorted(FAILED_IS_REFUNDED))
def test_a_refund_is_assumed_only_where_it_is_documented(name: str) -> None:
    refunded = {GenerationStatus.FAILED} if FAILED_IS_REFUNDED[name] else set()
    assert get_vendor(name).promises.refunded == refunded


def test_a_key_protects_only_as_documented() -> None:
    adsumo, cutx = get_vendor("adsumo").promises.idempotency, get_vendor("cutx").promises.idempotency
    assert adsumo is not None and cutx is not None
    assert adsumo.seconds <= 23 * 3600 and adsumo.kinds is None and not adsumo.while_running
    assert cutx.seconds <= 20 and cutx.kinds == {"video"} and cutx.longest_key == 128
    assert get_vendor("sume").promises.idempotency is None
    assert get_vendor("cinematicads").promises.idempotency is None


@pytest.mark.parametrize(
    ("name", "kind", "why"),
    [
        ("adsumo", "video", None),
        ("adsumo", "image", None),
        # GET /generations has the types talking-avatar, ai-video and image: what it shows says nothing of voiceovers.
        ("adsumo", "voice", "Adsumo's list of jobs shows none of kind voice."),
        ("sume", "analysis", None),
        ("cinematicads", "image", None),
        ("cutx", "video", "CutX cannot list its jobs."),
    ],
)
def test_a_lost_submission_is_looked_for_only_where_the_list_can_show_it(name: str, kind: str, why: str | None) -> None:
    assert get_vendor(name).why_unlisted(kind) == why
