# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A mapped task is expanded anew and its positions hold other products: nobody gets the wrong product's creative."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.compat import AirflowFailException

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.support.rig import Rig

BEFORE = {"prompt": "A red bottle"}
NOW = {"prompt": "A blue shoe"}
POINTS = ["before-record", "after-record", "after-done"]


@pytest.fixture
def moved(
    make_rig: Callable[..., Rig], killed: Callable[[str], AbstractContextManager[None]], request: pytest.FixtureRequest
) -> Rig:
    """Position 2 of a mapped task has paid for one product, and holds another one now."""
    rig: Rig = make_rig(records="objects")
    with killed(request.param):
        rig.run(rig.operator(**BEFORE), map_index=2)
    return rig


@pytest.mark.parametrize("moved", POINTS, indirect=True)
def test_a_retry_never_delivers_the_wrong_product(moved: Rig) -> None:
    moved.retry()
    with pytest.raises(AirflowFailException, match=r"changed since .*prompt|Nobody knows"):
        moved.run(moved.operator(**NOW), map_index=2)
    assert len(moved.charges) == 1


@pytest.mark.parametrize("moved", ["after-record", "after-done"], indirect=True)
def test_it_pays_for_the_new_product_where_told_so(moved: Rig) -> None:
    moved.retry()
    found = moved.run(moved.operator(**NOW, on_changed_input="fresh"), map_index=2)
    assert [found["id"]] == [one["job_id"] for one in moved.charges[1:]]
    asked = [json.loads(one["body"])["prompt"] for one in moved.posts("/images/")]
    assert asked == [BEFORE["prompt"], NOW["prompt"]]


@pytest.mark.parametrize("moved", ["after-record", "after-done"], indirect=True)
def test_a_clear_pays_for_the_new_product(moved: Rig) -> None:
    moved.clear()
    found = moved.run(moved.operator(**NOW), map_index=2)
    assert [found["id"]] == [one["job_id"] for one in moved.charges[1:]]


@pytest.mark.parametrize("moved", ["after-record"], indirect=True)
def test_the_product_that_moved_to_another_position_is_paid_for_there(moved: Rig) -> None:
    # A position is all that Airflow knows of a mapped task: what was paid for at another one is not looked for.
    moved.retry()
    found = moved.run(moved.operator(**BEFORE), map_index=3)
    assert found["id"] == moved.charges[1]["job_id"]
