# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The page about batches names the numbers and words that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_adgen.core.decisions.batch import EQUAL_REFUSALS, MOVING, ItemStatus
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.get_provider_info import get_provider_info
from airflow_provider_adgen.lifecycle.batch import accounts, items, leg
from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
from airflow_provider_adgen.lifecycle.batch.results import summary
from airflow_provider_adgen.operators._lineage import MOST_DATASETS
from airflow_provider_adgen.operators.batch import GenerateBatchOperator

PAGE = " ".join((Path(__file__).resolve().parents[3] / "docs" / "many-at-once.md").read_text(encoding="utf-8").split())
DEFAULTS = BatchOptions()


@pytest.mark.parametrize(
    "said",
    [
        f"1 to {items.LONGEST_KEY} characters",
        f"at most {items.LARGEST_META // 1024} KB",
        f"the first {items.SHOWN} problems",
        f"The first {items.SHOWN} items without a result",
        f"for at most {leg.LEG_SECONDS:.0f} seconds",
        f"{leg.LEG_SECONDS:.0f} s, the requests that are under way then",
        f"{leg.THREADS}, of which {leg.COLLECTING} fetch and store results",
        f"{accounts.UNPROTECTED}, or {accounts.PROTECTED} where idempotency keys protect them",
        f"as many as it had then, for {accounts.LOWERED:.0f} s",
        f"`max_in_flight`, {DEFAULTS.max_in_flight} by default, at most 500",
        f"at most {DEFAULTS.resubmit_share * 100:.0f} % of the items",
        f"`timeout`, {DEFAULTS.submit.wait_seconds / 3600:.0f} hours by default",
        f"`submit_timeout`, {DEFAULTS.submit.submit_timeout / 3600:.0f} hours by default",
        f"`[adgen] batch_collect_seconds` ({DEFAULTS.collect_seconds:.0f})",
        f"at most {MOST_DATASETS}, the files of items and of results first",
        f"({', '.join(map(str, sorted(MOVING)[:-1]))} or {max(MOVING)})",
    ],
)
def test_numbers_are_those_of_the_code(said: str) -> None:
    assert said in PAGE


def test_five_is_a_word() -> None:
    assert EQUAL_REFUSALS == 5
    assert "Five equal refusals" in PAGE


def test_the_defaults_are_the_operators_and_the_settings_too() -> None:
    operator = GenerateBatchOperator(task_id="make", items=[], destination="file:///ads")
    assert operator.max_in_flight == DEFAULTS.max_in_flight
    assert (operator.timeout, operator.submit_timeout) == (
        DEFAULTS.submit.wait_seconds,
        DEFAULTS.submit.submit_timeout,
    )
    options = get_provider_info()["config"]["adgen"]["options"]
    assert float(options["batch_collect_seconds"]["default"]) == DEFAULTS.collect_seconds


def test_the_ration_is_the_vendors() -> None:
    ration = get_vendor("cinematicads").submit_ration
    assert ration is not None
    assert 500 / ration.requests * ration.seconds == 50 * 3600
    assert "500 items need 50 hours" in PAGE


def test_every_status_and_every_field_is_explained() -> None:
    for status in ItemStatus:
        assert f"| `{status}` |" in PAGE
    told = summary("file:///r", [], {})
    for name in told:
        assert f"| `{name}` |" in PAGE
    fields = {"key", "status", "reason", "choice", "conn_id", "generation", "meta", "candidates"}
    section = PAGE.partition("| Field of a line |")[2].partition("| Status |")[0]
    named = " ".join(re.findall(r"\| ((?:`\w+`(?:, )?)+) \|", section))
    assert set(re.findall(r"`(\w+)`", named)) == fields
