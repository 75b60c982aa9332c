# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The command lines that messages tell a person to copy."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from airflow_provider_adgen.cli import definition
from airflow_provider_adgen.compat import command_line
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.ledger.commands import command
from airflow_provider_adgen.lifecycle.stop_messages import how_to_resolve_items

RUN = "manual__2026-01-01T00:00:00+00:00"


def parsed(line: str) -> Any:
    return definition.parser().parse_args(shlex.split(line.removeprefix(command_line())))


@pytest.mark.parametrize("key", [None, "product-1/hero", "two words, it's one key", "-begins like an option", "--yes"])
@pytest.mark.parametrize("map_index", [-1, 3])
@pytest.mark.parametrize("words", [("show",), ("attach", "a job"), ("dismiss",)])
def test_a_command_is_understood_as_it_is_meant(words: tuple[str, ...], map_index: int, key: str | None) -> None:
    found = parsed(command(words[0], TaskIdentity("d", RUN, "t", map_index, item=key), *words[1:]))
    assert (found.verb, found.dag_id, found.run_id, found.task_id) == (words[0], "d", RUN, "t")
    assert (found.map_index, found.key) == (map_index, key)
    if words[0] == "attach":
        assert found.job_id == "a job"


NOW = 1_700_000_100.0


def intent(at: float, post_seconds: float = 60.0, **more: Any) -> Attempt:
    return Attempt(
        phase="intent",
        epoch=1,
        fingerprint="f",
        request_kind="image",
        intended_at=at,
        post_seconds=post_seconds,
        **more,
    )


def test_a_key_that_still_tells_needs_no_decision() -> None:
    keyed = intent(NOW - 60, vendor="adsumo", key="k")
    identity = TaskIdentity("d", RUN, "t")
    text = how_to_resolve_items({"a": keyed}, identity, NOW)
    assert "1 unknown submission needs nobody to decide (a): a retry or a clear before 2023-11-15T" in text
    assert "ledger" not in text
    both = how_to_resolve_items({"a": keyed, "b": intent(NOW - 60, vendor="sume")}, identity, NOW)
    assert "needs nobody to decide (a)" in both and "--key b" in both and "--key a" not in both
    assert "nobody to decide" not in how_to_resolve_items({"a": keyed}, identity, NOW + 2 * 86400), (
        "the key has expired"
    )
    stuck = intent(NOW - 60, vendor="adsumo", key="k", statuses=[500] * 10)
    assert "nobody to decide" not in how_to_resolve_items({"a": stuck}, identity, NOW)


def test_many_unknown_items_are_resolved_by_commands_for_all_of_them() -> None:
    text = how_to_resolve_items(
        {"a": intent(1_700_000_000.2, 300.0), "b": intent(1_700_000_010.7)}, TaskIdentity("d", RUN, "t", 2), NOW
    )
    listing, attaching, dismissing = (
        parsed(line.strip().removesuffix(" > unknown.csv")) for line in text.splitlines() if line.startswith("    ")
    )
    assert (listing.unknown, listing.output) == (True, "csv")
    assert attaching.file == "unknown.csv"
    assert (dismissing.all_unknown, dismissing.before) == (True, "2023-11-14T22:13:31Z"), "after the last of them"
    assert {one.map_index for one in (listing, attaching, dismissing)} == {2}
    assert "taken from 2023-11-14T22:18:21Z on" in text, "when the last of them is over"


def test_one_unknown_item_is_named() -> None:
    text = how_to_resolve_items({"a": intent(1_700_000_000.0)}, TaskIdentity("d", RUN, "t"), NOW)
    assert f"ledger attach d {RUN} t <job-id> --key a" in text
    assert "--all-unknown" not in text
