# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The ways to die, and what must have become of the money afterwards: written down before anything runs.

A row is one way to die and one run of a DAG; a cell is one vendor and one way of waiting in it. What is expected of a
cell follows from what its vendor promises, never from what was seen.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.chaos.play import Cell, Stage

VENDORS = ("adsumo", "cutx", "sume", "cinematicads")
TITLES = {"adsumo": "Adsumo", "cutx": "CutX", "sume": "Sume", "cinematicads": "CinematicAds"}
WAYS = ("deferrable", "worker")

Script = Generator[None, None, None]

ONCE = "1 charge, 1 result"
TWICE = "2 charges, 2 results"
REFUNDED = "2 charges, 1 refund, 1 result"
FAILED_FIRST = "2 charges, 1 failed job, 1 result"
FREE = "stopped, said so; no charge"
NAMED = "stopped, said so; 1 charge, its job named"
UNNAMED = "stopped, said so; 1 charge"

LISTING = ("adsumo", "sume", "cinematicads")
"""Vendors that list jobs, so that a charged job can be named although its id never arrived."""

REFUNDING = ("cutx", "cinematicads")
"""Vendors that document the refund of a failed job."""


@dataclass(frozen=True)
class Row:
    """
    One way to die.

    :param name: the run's id; letters, digits and underscores.
    :param title: what the report calls it.
    :param expected: the outcome by vendor.
    :param failpoint: the point at which the worker is killed, and seconds by which it dies later.
    :param fault: what the sandbox does to the submission of each account.
    :param post_timeout: seconds that the submission may take.
    :param dag: which of the DAGs is run.
    :param play: what is done to each task meanwhile.
    :param act: what is done to Airflow once all tasks of the row wait for their jobs.
    :param ways: the ways of waiting to which it can happen.
    :param why_not: why the other way is left out.
    """

    name: str
    title: str
    expected: Mapping[str, str]
    failpoint: tuple[str, float] | None = None
    fault: Mapping[str, Any] | None = None
    post_timeout: float = 5.0
    dag: str = "chaos"
    play: Callable[[Cell], Script] | None = None
    act: Callable[[Stage, list[Cell]], None] | None = None
    ways: tuple[str, ...] = WAYS
    why_not: str = ""
    tasks: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(f"{vendor}_{way}" for vendor in VENDORS for way in self.ways))


def everyone(outcome: str, **others: str) -> dict[str, str]:
    """Return the same outcome for every vendor but those named."""
    return {vendor: others.get(vendor, outcome) for vendor in VENDORS}


# A key that outlives the job recovers everything. CutX's is over when the next try comes.
UNSENT = everyone(FREE, adsumo=ONCE)
LOST_WITH_THE_PROCESS = everyone(NAMED, adsumo=ONCE, cutx=UNNAMED)
# The process lives and repeats within the 20 seconds for which CutX's key is relied on.
LOST = everyone(NAMED, adsumo=ONCE, cutx=ONCE)
REFUSED = everyone(FREE, adsumo=ONCE, cutx=ONCE)

STATUS = {"kind": "status"}


# --- what is done to a task ---------------------------------------------------------------------------------------


def clear_while_submitting(cell: Cell) -> Script:
    """Clear the task between its charge and the answer."""
    while not (cell.charges() and cell.state == "running"):
        yield
    cell.clear()


def clear_while_waiting(cell: Cell) -> Script:
    """Clear the task while its job is under way: a running one on the worker, a deferred one in the triggerer."""
    yield from cell.hold()
    yield from cell.until("deferred" if cell.way == "deferrable" else "running", recorded=True)
    cell.clear()
    yield from cell.until_next_try("deferred" if cell.way == "deferrable" else "running")
    cell.release()


def clear_after_failure(cell: Cell) -> Script:
    """Let the first job fail, then clear the failed task."""
    while not cell.jobs():
        yield
    cell.end_job("failed")
    yield from cell.until("failed")
    cell.clear()


def clear_after_timeout(cell: Cell) -> Script:
    """Let the task stop waiting for its job, then let the job end and clear the failed task."""
    yield from cell.hold()
    yield from cell.until("failed")
    cell.release()
    cell.clear()


def clear_after_success(cell: Cell) -> Script:
    """Clear a task that has delivered: that asks for another generation."""
    yield from cell.until("success")
    cell.note_result()
    cell.clear()


def hold_until_told(cell: Cell) -> Script:
    """Let the job take until Airflow was hit."""
    yield from cell.hold()
    yield from cell.until("deferred" if cell.way == "deferrable" else "running", recorded=True)
    cell.waits = True
    while not cell.told:
        yield
    cell.release()


# --- what is done to Airflow --------------------------------------------------------------------------------------


def kill_triggerer(stage: Stage, _cells: list[Cell]) -> None:
    """SIGKILL all of the triggerer, then start another."""
    stage.kill("triggerer")
    stage.restart("triggerer", grace=0)


def end_triggerer(stage: Stage, _cells: list[Cell]) -> None:
    """SIGTERM the triggerer, then start another."""
    stage.restart("triggerer", grace=25)


def stop_triggerer(stage: Stage, cells: list[Cell]) -> None:
    """SIGSTOP the triggerer until a second one has taken its triggers over, then let it go on beside it."""
    stage.take_over(cells)


def restart_api_server(stage: Stage, _cells: list[Cell]) -> None:
    """SIGKILL the API server, then start it again."""
    stage.kill("api-server")
    stage.restart("api-server", grace=0)


NO_TRIGGERER = "waits on the worker, without a triggerer"

ROWS: tuple[Row, ...] = (
    Row(
        "kill_before_intent", "Worker killed before anything is written", everyone(ONCE), failpoint=("before-intent", 0)
    ),
    Row("kill_before_post", "Worker killed before the POST", UNSENT, failpoint=("before-post", 0)),
    Row(
        "kill_after_post",
        "Worker killed after the POST was sent, before the answer",
        LOST_WITH_THE_PROCESS,
        failpoint=("before-post", 4),
        fault={"kind": "slow", "seconds": 14},
        post_timeout=16,
    ),
    Row(
        "kill_before_record",
        "Worker killed after the answer, before the record",
        LOST_WITH_THE_PROCESS,
        failpoint=("before-record", 0),
    ),
    Row("kill_after_record", "Worker killed after the record", everyone(ONCE), failpoint=("after-record", 0)),
    Row(
        "kill_polling",
        "Worker killed while asking for the job (deferrable: when it has the worker again)",
        everyone(ONCE),
        failpoint=("while-polling", 0),
    ),
    Row("kill_storing", "Worker killed while storing", everyone(ONCE), failpoint=("while-storing", 0)),
    Row(
        "kill_stored",
        "Worker killed after storing, before the record of it",
        everyone(ONCE),
        failpoint=("before-done", 0),
    ),
    Row(
        "kill_done",
        "Worker killed after that record, before Airflow knows",
        everyone(ONCE),
        failpoint=("after-done", 0),
    ),
    Row("drop", "Connection dropped after accepting", LOST, fault={"kind": "drop"}),
    Row("read_timeout", "Read timeout after accepting", LOST, fault={"kind": "slow", "seconds": 7}),
    Row("status_429", "429", everyone(ONCE), fault={"kind": "status", "status": 429, "retry_after": 2}),
    *(
        Row(
            f"status_{code}", f"{code} after accepting", LOST, fault={"kind": "status", "status": code, "when": "after"}
        )
        for code in (500, 502, 503, 504)
    ),
    *(
        Row(f"status_{code}_unaccepted", f"{code}, nothing accepted", REFUSED, fault={**STATUS, "status": code})
        for code in (500, 503)
    ),
    Row(
        "clear_submitting",
        "Running task cleared while it submits",
        LOST_WITH_THE_PROCESS,
        fault={"kind": "slow", "seconds": 26},
        post_timeout=28,
        play=clear_while_submitting,
    ),
    Row(
        "clear_waiting",
        "Task cleared while it waits (running on the worker, else deferred)",
        everyone(ONCE),
        play=clear_while_waiting,
    ),
    Row(
        "clear_failed_job",
        "Task cleared after its job failed",
        everyone(FAILED_FIRST, **dict.fromkeys(REFUNDING, REFUNDED)),
        dag="chaos_once",
        play=clear_after_failure,
    ),
    Row(
        "clear_timed_out",
        "Task cleared after it stopped waiting for its job",
        everyone(ONCE),
        dag="chaos_impatient",
        play=clear_after_timeout,
    ),
    Row("clear_succeeded", "Task cleared after it succeeded", everyone(TWICE), play=clear_after_success),
    Row(
        "triggerer_sigkill",
        "Triggerer killed (SIGKILL) and started again",
        everyone(ONCE),
        play=hold_until_told,
        act=kill_triggerer,
        dag="chaos_deferrable",
        ways=("deferrable",),
        why_not=NO_TRIGGERER,
    ),
    Row(
        "triggerer_sigterm",
        "Triggerer ended (SIGTERM) and started again",
        everyone(ONCE),
        play=hold_until_told,
        act=end_triggerer,
        dag="chaos_deferrable",
        ways=("deferrable",),
        why_not=NO_TRIGGERER,
    ),
    Row(
        "triggerer_sigstop",
        "Triggerer stopped (SIGSTOP), a second takes over, the first goes on",
        everyone(ONCE),
        play=hold_until_told,
        act=stop_triggerer,
        dag="chaos_deferrable",
        ways=("deferrable",),
        why_not=NO_TRIGGERER,
    ),
    Row(
        "api_server",
        "API server killed and started again",
        everyone(ONCE),
        play=hold_until_told,
        act=restart_api_server,
    ),
)
