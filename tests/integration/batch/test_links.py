# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A batch's page leads to its results from the end of the first leg on, and after a failure too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.operators.links import RESULTS
from tests.support.batch import items
from tests.support.tasks import run_task

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


def address(batch: BatchRig) -> str:
    return f"https://ads.example{quote(batch.xcoms['results'].removeprefix(batch.destination))}"


@pytest.fixture(autouse=True)
def _reachable(batch: BatchRig) -> None:
    batch.patch.setenv("AIRFLOW__ADGEN__DESTINATION_URLS", json.dumps({batch.destination: "https://ads.example"}))


def test_each_leg_leads_to_the_results(batch: BatchRig) -> None:
    context = batch.context()
    first = batch.batch(items(2))
    with pytest.raises(TaskDeferred):
        first.execute(context)
    assert RESULTS.get_link(first, ti_key=None) == batch.xcoms[RESULTS.xcom_key] == address(batch)
    del batch.xcoms[RESULTS.xcom_key]
    later = batch.batch(items(2))
    run_task(later, context, passing=batch.clock.move, resumed=True)
    assert RESULTS.get_link(later, ti_key=None) == batch.xcoms[RESULTS.xcom_key] == address(batch)


def test_a_batch_that_failed_leads_to_them(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo", times=1)
    operator = batch.batch(items(2))
    with pytest.raises((AirflowFailException, AdGenError)):
        batch.run(operator)
    assert RESULTS.get_link(operator, ti_key=None) == address(batch)
