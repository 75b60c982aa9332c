# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How many jobs are under way at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.batch import items

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


def most_at_once(batch: BatchRig, vendor: str) -> int:
    """Return how many jobs of a vendor were under way at once, by their beginnings and ends."""
    events = []
    for job in batch.sandbox.jobs(vendor):
        events += [(job["created"], 1), (job["ends"], -1)]
    most = now = 0
    for _, change in sorted(events):
        now += change
        most = max(most, now)
    return most


def test_no_more_than_max_in_flight(batch: BatchRig) -> None:
    batch.sandbox.settings(adsumo={"job_seconds": 1.5})
    assert batch.run(batch.batch(items(20), max_in_flight=6))["counts"]["completed"] == 20
    assert most_at_once(batch, "adsumo") <= 6


def test_no_more_than_the_vendor_says(batch: BatchRig) -> None:
    batch.sandbox.settings(sume={"job_seconds": 1.5, "active_limit": 4})
    told = batch.run(batch.batch(items(15, "sume")))
    assert told["counts"]["completed"] == 15
    assert most_at_once(batch, "sume") <= 4
    refused = [one for one in batch.sandbox.requests("sume", method="POST") if one["status"] == 429]
    assert refused == [], "the balance says how many there may be"


def test_an_account_that_is_full_is_not_closed(batch: BatchRig) -> None:
    batch.sandbox.settings(adsumo={"job_seconds": 1.5, "active_limit": 5, "active_retry_after": None})
    told = batch.run(batch.batch(items(15)))
    assert told["counts"]["completed"] == 15
    assert len(batch.charges) == 15
    refused = [one for one in batch.sandbox.requests("adsumo", method="POST") if one["status"] == 429]
    assert 0 < len(refused) < 60
