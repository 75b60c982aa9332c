# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Writes ``docs/reliability.md`` from what a whole run saw."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.cells import TITLES, VENDORS, WAYS
from tests.chaos.peers import KILLED, LOST, TRIGGERER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.accountant import Outcome
    from tests.chaos.peers import PeerOutcome
    from tests.chaos.play import Cell, Stage

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"

OURS = ("adsumo", "sume")
"""Vendors that stand beside the other operators: one with keys that outlive the job, one without any."""

SAME = {LOST: "drop", KILLED: "kill_polling", TRIGGERER: "triggerer_sigkill"}
"""Our row that is a scenario of theirs."""

PACKAGES = ("apache-airflow-providers-databricks", "apache-airflow-providers-dbt-cloud")

HEAD = """\
<!-- Written by `make chaos`: do not edit. -->

# Reliability

**One task pays for one generation, or it stops and reports why, whichever process dies and at whichever moment.**
`make chaos` wrote this page. It starts a whole Airflow and the [sandbox](sandbox.md). For each cell of the table below,
one task meets the failure of that row. Then the sandbox's ledger of charges and refunds is compared with what the tasks
returned and stored. The expected result of each cell was fixed beforehand, from what its vendor
[promises](money.md#what-the-vendors-promise). A cell with any other result shows **wrong**.
"""

MEANING = """\
- *1 charge, 1 result*: one generation was paid for, returned and stored.
- *stopped, said so*: it is unknown whether the vendor accepted the submission, and the vendor documents no way to
  submit again without paying again. The task failed without spending more. Its error contains what was sent, when and
  where, what it may have cost, and [how to resolve it](money.md#resolve-an-unknown-submission). *Its job named*: the
  error names the charged job, so that a person can attach it. CutX lists no jobs.
- *no charge*: the same, and nothing had been charged.
- *2 charges, 2 results*: a second generation was intended, because a task that had delivered was cleared.
- *failed job*, *refund*: the first job failed at the vendor, which documents a refund or does not. Clearing the task
  submits another job.
- Each vendor's column shows one kind of request: Adsumo `text-to-image`, CutX `video` (its idempotency keys are used
  for 20 seconds; tasks are retried after 22), Sume `image`, CinematicAds `workflow` (`staticad`).
"""


def write(stage: Stage, peers: Sequence[PeerOutcome] = (), *, page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(
        "\n".join([HEAD, _circumstances(stage), _totals(stage), MEANING, _table(stage), *_peers(stage, peers)])
    )


def _circumstances(stage: Stage) -> str:
    rows = [
        ("Written", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, after {stage.seconds / 60:.0f} minutes"),
        ("Package", f"airflow-provider-adgen {version('airflow-provider-adgen')}"),
        ("Airflow", f"{version('apache-airflow')}, SQLite, LocalExecutor with 8 workers"),
        ("Python", platform.python_version()),
        ("Machine", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"),
    ]
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows), ""])


def _totals(stage: Stage) -> str:
    outcomes = [_outcome(cell) for cell in stage.all_cells()]
    right = sum(is_right(cell) for cell in stage.all_cells())
    rows = [
        ("Tasks hit", len(outcomes)),
        ("Ended as expected", right),
        ("Charges", sum(one.charges for one in outcomes)),
        ("Refunds", sum(one.refunds for one in outcomes)),
        ("Results returned and stored", sum(one.results for one in outcomes)),
        ("Tasks that stopped and reported why", sum(one.stopped for one in outcomes)),
        (
            "Charged jobs that no error could name, because the vendor has no list of jobs (CutX)",
            sum(len(one.lost) for one in outcomes),
        ),
        ("Generations paid for twice", sum(paid_twice(cell) for cell in stage.all_cells())),
        ("Processes left behind", len(stage.orphans)),
    ]
    return "\n".join(["| Total | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows), ""])


def paid_twice(cell: Cell) -> int:
    """Return how many charges of a cell were not intended."""
    outcome = _outcome(cell)
    intended = 2 if cell.row.expected[cell.vendor].startswith("2 charges") else 1
    return max(0, outcome.charges - intended)


def is_right(cell: Cell) -> bool:
    """Whether a cell ended as was expected of it."""
    return _outcome(cell).text == cell.row.expected[cell.vendor]


def _outcome(cell: Cell) -> Outcome:
    assert cell.outcome is not None
    return cell.outcome


def _table(stage: Stage) -> str:
    titles = [
        f"{TITLES[vendor]}, {'deferrable' if way == 'deferrable' else 'on the worker'}" for vendor, way in _columns()
    ]
    lines = ["## Every failure", "", f"| What happens | {' | '.join(titles)} |", "| --- |" + " --- |" * len(titles)]
    for row in stage.rows:
        cells = {cell.task: cell for cell in stage.cells[row.name]}
        shown = []
        for vendor, way in _columns():
            cell = cells.get(f"{vendor}_{way}")
            if cell is None:
                shown.append("—")
            elif is_right(cell):
                shown.append(_outcome(cell).text)
            else:
                shown.append(f"**wrong**: {_outcome(cell).text}, not {row.expected[vendor]}".replace("|", "/"))
        lines.append(f"| {row.title} | {' | '.join(shown)} |")
    lines += ["", "“—”: a task that waits on the worker needs no triggerer.", ""]
    return "\n".join(lines)


def _columns() -> list[tuple[str, str]]:
    return [(vendor, way) for vendor in VENDORS for way in WAYS]


def _peers(stage: Stage, peers: Sequence[PeerOutcome]) -> list[str]:
    if not peers:
        return []
    operators = [f"`{name}`" for name in dict.fromkeys(one.operator for one in peers)]
    ours = [f"`GenerateOperator`, {TITLES[vendor]}" for vendor in OURS]
    lines = [
        "## The same with other providers' operators",
        "",
        "The same failures with public operators that start a run at a service and wait for it. They use a local",
        "server with the part of the service's API that they need; it counts the runs that they start. They have their",
        "default configuration and two retries, as ours have. One run was intended each time. (Databricks' operator",
        "accepts an `idempotency_token`, which protects if the author of the DAG sets one; the default is none.)",
        "",
        f"Versions: {', '.join(f'{name} {version(name)}' for name in PACKAGES)}.",
        "",
        f"| What happens | Waits | {' | '.join([*operators, *ours])} |",
        "| --- |" + " --- |" * (1 + len(operators) + len(ours)),
    ]
    for scenario, way in dict.fromkeys((one.scenario, one.way) for one in peers):
        theirs = [one.text for one in peers if (one.scenario, one.way) == (scenario, way)]
        cells = {cell.task: cell for cell in stage.cells[SAME[scenario]]}
        shown = [_outcome(cells[f"{vendor}_{way}"]).text for vendor in OURS]
        waits = "deferrable" if way == "deferrable" else "on worker"
        lines.append(f"| {scenario} | {waits} | {' | '.join([*theirs, *shown])} |")
    return [*lines, ""]
