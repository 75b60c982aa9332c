# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Reasons of items that differ in nothing but the item are told once."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.lifecycle.batch.items import SHOWN, BatchItem
from airflow_provider_adgen.lifecycle.batch.outcome import Outcome
from airflow_provider_adgen.lifecycle.batch.reasons import why_no_result
from airflow_provider_adgen.lifecycle.batch.state import ItemState


def state(key: str, status: ItemStatus, reason: str, *jobs: str) -> ItemState:
    made = ItemState(BatchItem(key, ()), lambda _key: Ledger([]))
    if jobs:
        told = tuple(("adsumo_default", job) for job in jobs)
        made.put_away(Outcome(status, reason, False, 0, (), (), told, b"{}"))
    else:
        made.finish(status, reason)
    return made


def failed(key: str, job: str, why: str = "no cats") -> ItemState:
    return state(key, ItemStatus.FAILED, f"Adsumo job {job} ended as failed: {why}.", job)


def test_jobs_of_equal_ends_are_one_line() -> None:
    told = why_no_result([failed("a", "job-1"), failed("b", "job-12"), failed("c", "job-2", "no dogs")], {})
    assert told == [
        "2 items failed (a, b); of the first: Adsumo job job-1 ended as failed: no cats.",
        "c (failed): Adsumo job job-2 ended as failed: no dogs.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Adsumo answered 400 to POST /x: no cats. Request id: req_{n}. Nothing was started.",
        "Nobody knows whether it was accepted (sent at 2026-11-28T09:28:4{n}.447496Z).",
        "The request of item 'k{n}' changed.",
    ],
)
def test_requests_times_and_keys_make_no_difference(text: str) -> None:
    states = [state(f"k{n}", ItemStatus.REFUSED, text.replace("{n}", str(n))) for n in range(7)]
    (line,) = why_no_result(states, {})
    assert line == f"7 items refused (k0, k1, k2, k3, k4 and 2 more); of the first: {text.replace('{n}', '0')}"


def test_what_stopped_an_account_is_not_said_again() -> None:
    why = "Adsumo answered 402 to POST /x: no credits. Top up the account, or ask for less."
    states = [state(key, ItemStatus.WAITING, f"Nothing was submitted: {why}") for key in "ab"]
    (line,) = why_no_result(states, {why: "connection 'adsumo_default' takes nothing more"})
    assert line == "2 items waiting (a, b): Nothing was submitted: connection 'adsumo_default' takes nothing more."


def test_statuses_are_not_mixed_and_results_are_no_reasons() -> None:
    given: list[tuple[str, Any]] = [("a", ItemStatus.WAITING), ("b", ItemStatus.UNKNOWN), ("c", ItemStatus.COMPLETED)]
    told = why_no_result([state(key, status, "It is so.") for key, status in given], {})
    assert told == ["a (waiting): It is so.", "b (unknown): It is so."]


def test_a_message_stays_short() -> None:
    words = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(SHOWN + 1)]
    states = [state(f"k{word}", ItemStatus.REFUSED, f"It is {word}. {'x' * 2000}\nMore.") for word in words]
    told = why_no_result(states, {})
    assert len(told) == SHOWN + 1
    assert told[-1] == "and 1 other reason"
    assert max(map(len, told)) < 700
