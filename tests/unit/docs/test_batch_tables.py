# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The printed tables of a batch say exactly what is decided, and leave nothing out."""

from __future__ import annotations

import itertools

import pytest

from airflow_provider_adgen.core.decisions.batch import MOVING, Do, ItemStatus, batch_fails
from airflow_provider_adgen.core.vendor import Promises
from tests.unit.docs.test_decision_tables import READABLE
from tools.docgen.batch import (
    DOES,
    FATE,
    SECTIONS,
    STATUSES,
    WHEN,
    batch_failures,
    called,
    item_fates,
    item_steps,
    refusal,
    refusals,
    rules_of,
)
from tools.docgen.catalogue import listed_vendors


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_every_row_holds_and_together_they_cover_everything(section) -> None:
    found = rules_of(section)
    assert len(found) <= READABLE
    for point in itertools.product(*(range(len(factor.values)) for factor in section.factors)):
        decided = section.ask(*(factor.values[i] for factor, i in zip(section.factors, point, strict=True)))
        said = {rule.outcome for rule in found if all(i in box for i, box in zip(point, rule.box, strict=True))}
        assert said == {decided}


def test_no_step_is_missing() -> None:
    outcomes = {rule.outcome for section in SECTIONS for rule in rules_of(section)}
    assert outcomes == set(DOES), "each way to go on, and each of them told in words"
    assert {outcome.do for outcome in outcomes} == set(Do)
    assert {outcome.anew for outcome in outcomes} == {outcome.moved for outcome in outcomes} == {False, True}


def test_what_can_spend_is_said_to() -> None:
    for outcome, words in DOES.items():
        assert ("pay" in words) == (outcome.do is Do.SUBMIT)
        assert words in item_steps()


def test_all_refusals_that_move_or_stop_are_in_the_table() -> None:
    assert set(STATUSES) >= MOVING | {401, 402, 403, 409, 429, 500}
    text = refusals()
    for one in listed_vendors():
        (line,) = [line for line in text.splitlines() if f"[{one.vendor.title}]" in line]
        _, _, moves, stops, _ = line.split("|")
        for status in STATUSES:
            does = refusal(status, one.name, one.vendor.promises)
            assert (f"`{status}`" in moves, f"`{status}`" in stops) == (does == "moves", does == "stops")


def test_a_refusal_that_proves_nothing_moves_nothing() -> None:
    everything = Promises(nothing_started=frozenset(STATUSES))
    assert {status for status in STATUSES if refusal(status, "x", everything) == "moves"} == MOVING
    assert not [status for status in STATUSES if refusal(status, "x", Promises()) == "moves"]


def test_what_a_stopped_item_can_be_called_is_all_there() -> None:
    names = {called(*point) for point in itertools.product(*(factor.values for factor in FATE))}
    assert names == {
        ItemStatus.UNKNOWN,
        ItemStatus.WAITING,
        ItemStatus.REFUSED,
        ItemStatus.SUBMITTED,
        ItemStatus.FAILED,
    }
    assert all(f"`{name}`" in item_fates() for name in names)


@pytest.mark.parametrize("status", ItemStatus)
def test_every_status_is_in_the_table_of_failures(status: ItemStatus) -> None:
    """A batch of one item is one of the rows: what the row says holds for it."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in batch_failures().splitlines()[2:]]
    said = {row[0]: [cell == "**fails**" for cell in row[1:]] for row in rows}
    if status in {ItemStatus.UNKNOWN, ItemStatus.SUBMITTED}:
        (row,) = [row for row in said if f"`{status}`" in row]
    elif status is ItemStatus.REMOVED:
        row = "there are none"  # it is not in the list any more
    elif status in {ItemStatus.COMPLETED, ItemStatus.REUSED, ItemStatus.SKIPPED}:
        row = "all have a result, or do not count"
    else:
        row = "none has a result"
    assert [batch_fails([status], when) for when in ("any", "all", 0.1, 0.5)] == said[row]
    assert len(WHEN) == 4
