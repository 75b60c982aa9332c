# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A few ways to die, at a vendor with keys and at one without: what `make test` can afford."""

from __future__ import annotations

import pytest

from tests.chaos.cells import ROWS
from tests.chaos.play import Stage

NAMES = ("kill_before_record", "kill_after_record", "kill_polling", "drop", "clear_waiting")
VENDORS = ("adsumo", "sume")
CHOSEN = [row for row in ROWS if row.name in NAMES]
CELLS = [(row.name, f"{vendor}_{way}") for row in CHOSEN for vendor in VENDORS for way in row.ways]

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    work = tmp_path_factory.mktemp("chaos")
    with Stage(work / "stage", CHOSEN, template=work / "fresh.db", only=VENDORS) as stage:
        stage.play(most=240)
    return stage


@pytest.mark.parametrize(("row", "task"), CELLS)
def test_nobody_pays_twice(played: Stage, row: str, task: str) -> None:
    cell = next(cell for cell in played.cells[row] if cell.task == task)
    assert cell.outcome is not None
    assert cell.outcome.text == cell.row.expected[cell.vendor], cell.outcome.log


def test_no_process_is_left(played: Stage) -> None:
    assert played.orphans == []
