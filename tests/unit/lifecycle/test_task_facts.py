# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
from tests.support.tasks import task_context


def test_a_plain_task() -> None:
    facts = TaskFacts.of(task_context(try_number=2, max_tries=3))
    assert facts == TaskFacts(TaskIdentity("campaign", "manual__2026-01-01T00:00:00+00:00", "make"), 2, 3)


@pytest.mark.parametrize(
    ("given", "map_index", "region"),
    [
        ({"map_index": 0}, 0, None),
        ({"map_index": None}, -1, None),
        ({"region_id": "loop", "region_index": 2}, -1, "loop/2"),
        ({"region_id": ""}, -1, None),
        ({"region_id": None}, -1, None),
    ],
)
def test_what_tells_it_apart(given: dict[str, Any], map_index: int, region: str | None) -> None:
    identity = TaskFacts.of(task_context(**given)).identity
    assert (identity.map_index, identity.region) == (map_index, region)


def test_an_airflow_that_tells_less() -> None:
    bare = SimpleNamespace(dag_id="d", run_id="r", task_id="t")
    assert TaskFacts.of({"ti": bare}) == TaskFacts(TaskIdentity("d", "r", "t"), 1, 0)
