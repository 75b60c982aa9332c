# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Every way to die, at every vendor, waiting in either way; it writes ``docs/reliability.md``. Run by `make chaos`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos import report
from tests.chaos.cells import ROWS
from tests.chaos.peers import available, play_peers
from tests.chaos.play import Stage

if TYPE_CHECKING:
    from tests.chaos.peers import PeerOutcome

CELLS = [(row.name, task) for row in ROWS for task in row.tasks]

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> list[PeerOutcome]:
    return play_peers(tmp_path_factory.mktemp("peers")) if available() else []


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, peers: list[PeerOutcome]) -> Stage:
    work = tmp_path_factory.mktemp("chaos")
    with Stage(work / "stage", ROWS, template=work / "fresh.db") as stage:
        stage.play(most=600)
    report.write(stage, peers)
    return stage


@pytest.mark.parametrize(("row", "task"), CELLS)
def test_nobody_pays_twice(played: Stage, row: str, task: str) -> None:
    cell = next(cell for cell in played.cells[row] if cell.task == task)
    assert cell.outcome is not None
    assert cell.outcome.text == cell.row.expected[cell.vendor], cell.outcome.log


def test_no_process_is_left(played: Stage) -> None:
    assert played.orphans == []
