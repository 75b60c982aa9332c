# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Compares what was charged with what was delivered, for one task, and says in words what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.chaos.play import Cell


SAID = ("Nobody knows whether", "ledger attach", "adgen_resolve_")
"""What a task that stopped says: what happened, and the two ways to resolve it."""


@dataclass(frozen=True)
class Outcome:
    """
    What became of one task.

    :param text: in the words of the expectations.
    :param charges: how often its account was charged.
    :param refunds: how often it got credits back.
    :param results: how many different generations were delivered.
    :param lost: charged jobs that were neither delivered, nor refunded, nor failed, nor named in an error.
    :param stopped: it stopped and said so.
    :param problems: what else is wrong.
    :param log: the log of its last try, unless it succeeded.
    """

    text: str
    charges: int = 0
    refunds: int = 0
    results: int = 0
    lost: tuple[str, ...] = ()
    stopped: bool = False
    problems: tuple[str, ...] = ()
    log: str = ""


def judged(cell: Cell, *, gave_up: bool = False) -> Outcome:
    """
    Return what became of a task.

    :param gave_up: it did not end in time.
    """
    problems: list[str] = []
    charged = [entry["job_id"] for entry in cell.charges()]
    refunded = [entry["job_id"] for entry in cell.refunds()]
    failed = [job["id"] for job in cell.jobs() if job["status"] == "failed" and job["id"] not in refunded]
    log = ""
    if gave_up:
        problems.append(f"it was still {cell.state or 'not started'} when time was up")
        log = cell.stage.log(cell)
    elif cell.state == "success":
        problems += _delivered(cell)
    else:
        log = cell.stage.log(cell)
    results = list(dict.fromkeys(cell.results))
    problems += [f"job {one} was delivered and never charged" for one in results if one not in charged]
    named = [one for one in charged if one in log]
    said = all(words in log for words in SAID)
    open_jobs = [one for one in charged if one not in (*results, *refunded, *failed)]
    problems += _death(cell)
    counts = [_many(len(charged), "charge")]
    counts += [_many(len(refunded), "refund")] if refunded else []
    counts += [_many(len(failed), "failed job")] if failed else []
    if cell.state == "success" and not gave_up:
        text = ", ".join([*counts, _many(len(results), "result")])
    elif said and not gave_up:
        text = f"stopped, said so; {', '.join(counts)}"
        if open_jobs and all(one in named for one in open_jobs):
            text += ", its job named" if len(open_jobs) == 1 else ", its jobs named"
    else:
        text = f"{cell.state or 'nothing'}, without saying what to do; {', '.join(counts)}"
        problems.append(_last_error(log))
    if problems:
        text += f" [{'; '.join(problems)}]"
    lost = tuple(one for one in open_jobs if one not in named)
    return Outcome(text, len(charged), len(refunded), len(results), lost, said, tuple(problems), log)


def _many(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'s' if number > 1 else ''}"


def _delivered(cell: Cell) -> list[str]:
    problems = []
    result = cell.returned()
    cell.results.append(result["id"])
    uris = [one["uri"] for one in result["creatives"]]
    for uri in uris:
        if not uri or not Path(urlsplit(uri).path).stat().st_size:
            problems.append(f"its file {uri} is not there")
    if not uris:
        problems.append("no file was stored")
    return problems


def _death(cell: Cell) -> list[str]:
    """Make sure that it died as it should: a test in which nothing happened shows nothing."""
    problems = []
    if cell.row.failpoint is not None:
        if (cell.stage.failpoints / f"{cell.row.failpoint[0]}@{cell.row.name}@{cell.task}").exists():
            problems.append("its worker was never killed")
        elif cell.tried < 2:
            problems.append("its worker was killed, and it was not tried again")
    if cell.row.fault is not None and any(one["account"] == cell.account for one in cell.stage.sandbox.faults()):
        problems.append("the fault never struck")
    return problems


def _last_error(log: str) -> str:
    lines = [line for line in log.splitlines() if "error" in line.lower()]
    return lines[-1][:300] if lines else "its log names no error"
