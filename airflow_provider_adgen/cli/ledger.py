# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Shows what a task has paid for, and records the outcome of a submission whose answer was lost."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.cli import server
from airflow_provider_adgen.cli.text import lines, summary, when
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest, NotFound
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.hooks.base import job_ids
from airflow_provider_adgen.lifecycle.candidates import CLOCKS_DIFFER
from airflow_provider_adgen.lifecycle.resolution import GONE, NOT_SUBMITTED, variable_name

if TYPE_CHECKING:
    import argparse

    from airflow_provider_adgen.core.record import Attempt, Record


class _Refused(Exception):
    """A command that cannot be carried out; its text explains why."""


def run(args: argparse.Namespace) -> int:
    """Carry out one command; return the exit code."""
    identity = TaskIdentity(args.dag_id, args.run_id, args.task_id, args.map_index)
    try:
        # Airflow 3.0 logs to the standard output, which is meant for the answer.
        with contextlib.redirect_stdout(sys.stderr):
            answer = {"show": _show, "attach": _attach, "dismiss": _dismiss}[args.verb](identity, args)
    except (_Refused, AdGenError) as error:
        if args.output == "json":
            print(json.dumps({"ok": False, "error": str(error)}))
        else:
            print(error, file=sys.stderr)
        return 1
    print(answer)
    return 0


def _read(identity: TaskIdentity) -> tuple[Record, bool]:
    """Return the task's record, and whether it is kept when the task is cleared."""
    ledger, names = server.ledger_of(identity)
    if not names:
        raise _Refused(
            "There is no ledger here: Airflow before 3.3 keeps no task state, and [adgen] ledger_path is not set. "
            "Run this with the configuration of the workers."
        )
    record = ledger.record()
    if record is None or not record.attempts:
        raise _Refused(
            f"Nothing is recorded for {identity} in {' or '.join(names)}. Check DAG, run and task, and --map-index for "
            "a mapped task. [adgen] ledger_path must have the same value here as on the workers."
        )
    return record, ledger.outlives_clear


def _show(identity: TaskIdentity, args: argparse.Namespace) -> str:
    record, outlives_clear = _read(identity)
    opened = record.open
    resolution = server.get_variable(variable_name(opened.uid)) if opened is not None else None
    found = summary(record, identity, resolution=resolution, outlives_clear=outlives_clear, now=time.time())
    if args.output == "json":
        return json.dumps({"ok": True, **found}, indent=2)
    return "\n".join(lines(found))


def _open_attempt(identity: TaskIdentity) -> tuple[Attempt, bool]:
    record, outlives_clear = _read(identity)
    opened = record.open
    if opened is None:
        last = record.counting
        what = "nothing" if last is None else str(last.phase)
        if last is not None and last.job_ids:
            what = f"{what}, job {', '.join(last.job_ids)}"
        raise _Refused(
            f"{identity} has no open submission: the record contains {what}. There is nothing to resolve. Nothing was "
            "changed."
        )
    rest = opened.intended_at + opened.post_seconds - time.time()
    if rest > 0:
        raise _Refused(
            f"The submission of {identity} began at {when(opened.intended_at)} and may still be in progress. Nothing "
            f"was changed. Try again in {rest:.0f} s."
        )
    return opened, outlives_clear


def _attach(identity: TaskIdentity, args: argparse.Namespace) -> str:
    attempt, outlives_clear = _open_attempt(identity)
    ids = job_ids(args.job_id)
    value = ",".join(ids)
    if value in {NOT_SUBMITTED, GONE}:
        raise _Refused(f"{value!r} is not a job id. Nothing was changed. If there is no job, use dismiss.")
    checked = "" if args.no_check else _check(attempt, ids, args.conn_id)
    text = (
        f"{checked}Attempt {attempt.uid} of {identity} is now resolved: it started job {', '.join(ids)}. Clear the "
        "task: it waits for that job, stores it, and pays nothing."
    )
    return _resolve(attempt, value, text, args, outlives_clear)


def _check(attempt: Attempt, ids: list[str], conn_id: str | None) -> str:
    """Ask the vendor for the jobs; return the result as a sentence."""
    conn_id = conn_id or attempt.conn_id
    if not conn_id:
        raise _Refused("The record names no connection. Use --conn-id or --no-check. Nothing was changed.")
    hook = server.ServerHook(conn_id)
    try:
        if hook.vendor.request_class(attempt.request_kind).synchronous:
            return f"{hook.vendor.title} has no call that reads a {attempt.request_kind} job, so it was not checked. "
        seen = hook.get_generation(",".join(ids), kind=attempt.result_kind)
    except NotFound:
        raise _Refused(
            f"{hook.vendor.title} does not know job {', '.join(ids)} in the account of connection {conn_id!r}. Nothing "
            "was changed. Check the id. --no-check attaches it nevertheless."
        ) from None
    except InvalidRequest as error:
        raise _Refused(f"{error.message} Nothing was changed. --no-check attaches it without a check.") from None
    except AdGenError as error:
        raise _Refused(
            f"The job could not be checked: {error.message} Nothing was changed. --no-check attaches it without a "
            "check."
        ) from None
    created = seen.created_at
    if created is not None and created.timestamp() < attempt.intended_at - CLOCKS_DIFFER:
        raise _Refused(
            f"{hook.vendor.title} job {', '.join(ids)} was created at {when(created.timestamp())}, before the "
            f"submission of {when(attempt.intended_at)}: it is another job. Nothing was changed. --no-check "
            "attaches it nevertheless."
        )
    return f"{hook.vendor.title} knows the job: {seen.kind}, {seen.status}. "


def _dismiss(identity: TaskIdentity, args: argparse.Namespace) -> str:
    record, outlives_clear = _read(identity)
    if record.open is None and record.counting is not None and record.counting.phase == "submitted":
        return _give_up(identity, record.counting, args, outlives_clear)
    attempt, outlives_clear = _open_attempt(identity)
    name = variable_name(attempt.uid)
    resolution = server.get_variable(name)
    if resolution and resolution not in {NOT_SUBMITTED, GONE}:
        raise _Refused(
            f"The submission of {identity} was resolved before: it started job {resolution}. Nothing was changed. If "
            f"that is wrong, delete the Airflow Variable {name} first, or attach the right job."
        )
    _confirm(
        args,
        f"The submission of {identity} at {when(attempt.intended_at)} to {attempt.endpoint} will count as not "
        f"accepted: after a clear, the task submits again. If it was accepted after all, you pay twice "
        f"({_cost(attempt)} credits more), and nobody collects the first job.",
    )
    text = (
        f"Attempt {attempt.uid} of {identity} is now resolved: it started nothing. Clear the task: it submits again, "
        "which costs credits."
    )
    return _resolve(attempt, NOT_SUBMITTED, text, args, outlives_clear)


def _give_up(identity: TaskIdentity, attempt: Attempt, args: argparse.Namespace, outlives_clear: bool) -> str:
    """Give a recorded job up, if the vendor confirms that it does not exist."""
    job, conn_id = ", ".join(attempt.job_ids), attempt.conn_id
    if attempt.ended or not conn_id:
        raise _Refused(
            f"{identity} has no open submission: the record contains {attempt.ended or attempt.phase}, job {job}. "
            "There is nothing to resolve. Nothing was changed."
        )
    hook = server.ServerHook(conn_id)
    try:
        seen = hook.get_generation(",".join(attempt.job_ids), kind=attempt.result_kind)
    except NotFound:
        pass  # only such a job may be dismissed
    except AdGenError as error:
        raise _Refused(
            f"{hook.vendor.title} could not be asked for job {job}: {error.message} Nothing was changed."
        ) from None
    else:
        raise _Refused(
            f"{hook.vendor.title} knows job {job} of {identity}: {seen.status}. It is paid for, and a retry "
            "continues with it. Nothing was changed."
        )
    _confirm(
        args,
        f"{hook.vendor.title} job {job} of {identity} will be given up: after a clear, the task submits and pays again "
        f"({_cost(attempt)} credits). If connection {conn_id!r} only points to another account, correct that instead.",
    )
    text = f"Job {job} of {identity} is given up. Clear the task: it submits again, which costs credits."
    return _resolve(attempt, GONE, text, args, outlives_clear)


def _cost(attempt: Attempt) -> str:
    return "up to an undocumented number of" if attempt.price is None else f"up to {attempt.price}"


def _confirm(args: argparse.Namespace, text: str) -> None:
    if args.yes:
        return
    print(text, file=sys.stderr)
    try:
        answer = input('Type "yes" if you have checked that the vendor has no such job: ')
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"yes", "y"}:
        raise _Refused("Nothing was changed.")


def _resolve(attempt: Attempt, value: str, text: str, args: argparse.Namespace, outlives_clear: bool) -> str:
    name = variable_name(attempt.uid)
    server.set_variable(name, value, "The outcome of a paid submission whose answer was lost.")
    if not outlives_clear:
        text += (
            " On Airflow 3.4 or newer, clear it with keep_task_state=true (REST API): [adgen] ledger_path is not set, "
            "and a clear would delete Airflow's own record."
        )
    if args.output == "json":
        answer: dict[str, Any] = {"ok": True, "attempt": attempt.uid, "variable": name, "value": value, "next": text}
        return json.dumps(answer, indent=2)
    return f"{text}\nThis is stored in the Airflow Variable {name} = {value}. Delete the Variable to undo it."
