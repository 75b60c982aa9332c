# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Shows what a task has paid for; says which job a lost submission started, or that it started none."""

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
    """A command that makes no sense; its text says why."""


def run(args: argparse.Namespace) -> int:
    """Carry out one command; return the exit code."""
    identity = TaskIdentity(args.dag_id, args.run_id, args.task_id, args.map_index)
    try:
        # Airflow 3.0 logs to the standard output, which is for the answer.
        with contextlib.redirect_stdout(sys.stderr):
            match args.verb:
                case "show":
                    answer = _show(identity, args)
                case "attach":
                    answer = _attach(identity, args)
                case _:
                    answer = _dismiss(identity, args)
    except (_Refused, AdGenError) as error:
        if args.output == "json":
            _print(json.dumps({"ok": False, "error": str(error)}))
        else:
            print(error, file=sys.stderr)
        return 1
    _print(answer)
    return 0


def _print(text: str) -> None:
    print(text)  # a command's answer


def _read(identity: TaskIdentity) -> tuple[Record, bool]:
    """Return the task's record, and whether it outlives a clear."""
    ledger, names = server.ledger_of(identity)
    if not names:
        raise _Refused(
            "Nothing keeps records here: Airflow before 3.3 keeps no task state, and [adgen] ledger_path is not set. "
            "Run this where the workers' configuration is."
        )
    record = ledger.record()
    if record is None or not record.attempts:
        raise _Refused(
            f"Nothing is recorded for {identity} in {' or '.join(names)}. Check DAG, run and task, and --map-index for "
            "a mapped task; [adgen] ledger_path must be set here as it is on the workers."
        )
    return record, ledger.outlives_clear


def _show(identity: TaskIdentity, args: argparse.Namespace) -> str:
    record, outlives_clear = _read(identity)
    opened = record.open
    said = server.get_variable(variable_name(opened.uid)) if opened is not None else None
    found = summary(record, identity, said=said, outlives_clear=outlives_clear, now=time.time())
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
            f"{identity} has no submission that is open: its record says {what}. There is nothing to resolve, and "
            "nothing was changed."
        )
    rest = opened.intended_at + opened.post_seconds - time.time()
    if rest > 0:
        raise _Refused(
            f"The submission of {identity} began at {when(opened.intended_at)} and may be under way still. Nothing was "
            f"changed; come back in {rest:.0f} s."
        )
    return opened, outlives_clear


def _attach(identity: TaskIdentity, args: argparse.Namespace) -> str:
    attempt, outlives_clear = _open_attempt(identity)
    ids = job_ids(args.job_id)
    value = ",".join(ids)
    if value in {NOT_SUBMITTED, GONE}:
        raise _Refused(f"{value!r} is no job's id. Nothing was changed; dismiss says that there is none.")
    checked = "" if args.no_check else _check(attempt, ids, args.conn_id)
    text = (
        f"{checked}Attempt {attempt.uid} of {identity} is said to have started job {', '.join(ids)}. Clear the task: "
        "it waits for that job, stores it, and pays nothing."
    )
    return _said(attempt, value, text, args, outlives_clear)


def _check(attempt: Attempt, ids: tuple[str, ...], conn_id: str | None) -> str:
    """Ask the vendor for the jobs; return what it says of them as a sentence."""
    conn_id = conn_id or attempt.conn_id
    if not conn_id:
        raise _Refused("The record names no connection: give --conn-id, or --no-check. Nothing was changed.")
    hook = server.ServerHook(conn_id)
    try:
        if hook.vendor.request_class(attempt.request_kind).synchronous:
            return f"{hook.vendor.title} cannot be asked for a {attempt.request_kind} job, so it was not checked. "
        seen = hook.get_generation(",".join(ids), kind=attempt.result_kind)
    except NotFound:
        raise _Refused(
            f"{hook.vendor.title} does not know job {', '.join(ids)} in the account of connection {conn_id!r}. Nothing "
            "was changed. Check the id; --no-check attaches it all the same."
        ) from None
    except InvalidRequest as error:
        raise _Refused(f"{error.message} Nothing was changed; --no-check attaches it without asking.") from None
    except AdGenError as error:
        raise _Refused(
            f"Whether the job exists could not be asked: {error.message} Nothing was changed; --no-check attaches it "
            "without asking."
        ) from None
    created = seen.created_at
    if created is not None and created.timestamp() < attempt.intended_at - CLOCKS_DIFFER:
        raise _Refused(
            f"{hook.vendor.title} job {', '.join(ids)} was created at {when(created.timestamp())}, before the "
            f"submission of {when(attempt.intended_at)}: it is another one. Nothing was changed; --no-check attaches "
            "it all the same."
        )
    return f"{hook.vendor.title} knows the job: {seen.kind}, {seen.status}. "


def _dismiss(identity: TaskIdentity, args: argparse.Namespace) -> str:
    record, outlives_clear = _read(identity)
    if record.open is None and record.counting is not None and record.counting.phase == "submitted":
        return _give_up(identity, record.counting, args, outlives_clear)
    attempt, outlives_clear = _open_attempt(identity)
    name = variable_name(attempt.uid)
    said = server.get_variable(name)
    if said and said not in {NOT_SUBMITTED, GONE}:
        raise _Refused(
            f"The submission of {identity} is said to have started job {said}. Nothing was changed. If that is wrong, "
            f"delete the Airflow Variable {name} first, or attach the right job."
        )
    _make_sure(
        args,
        f"The submission of {identity} at {when(attempt.intended_at)} to {attempt.endpoint} is then taken as not "
        f"accepted: once cleared, the task submits anew. If it was accepted after all, you pay twice ({_cost(attempt)} "
        "credits more), and nobody takes care of the first job.",
    )
    text = (
        f"Attempt {attempt.uid} of {identity} is said to have started nothing. Clear the task: it submits anew, which "
        "is paid for."
    )
    return _said(attempt, NOT_SUBMITTED, text, args, outlives_clear)


def _give_up(identity: TaskIdentity, attempt: Attempt, args: argparse.Namespace, outlives_clear: bool) -> str:
    """Say that the vendor has deleted a recorded job, if the vendor says so."""
    job, conn_id = ", ".join(attempt.job_ids), attempt.conn_id
    if attempt.ended or not conn_id:
        raise _Refused(
            f"{identity} has no submission that is open: its record says {attempt.ended or attempt.phase}, job {job}. "
            "There is nothing to resolve, and nothing was changed."
        )
    hook = server.ServerHook(conn_id)
    try:
        seen = hook.get_generation(",".join(attempt.job_ids), kind=attempt.result_kind)
    except NotFound:
        pass  # just that may be dismissed
    except AdGenError as error:
        raise _Refused(
            f"Whether {hook.vendor.title} still knows job {job} could not be asked: {error.message} Nothing was "
            "changed."
        ) from None
    else:
        raise _Refused(
            f"{hook.vendor.title} knows job {job} of {identity}: {seen.status}. It is paid for, and a retry goes on "
            "with it. Nothing was changed."
        )
    _make_sure(
        args,
        f"{hook.vendor.title} job {job} of {identity} is then given up: once cleared, the task submits anew and pays "
        f"again ({_cost(attempt)} credits). If connection {conn_id!r} only points to another account, put that right "
        "instead.",
    )
    text = f"Job {job} of {identity} is given up. Clear the task: it submits anew, which is paid for."
    return _said(attempt, GONE, text, args, outlives_clear)


def _cost(attempt: Attempt) -> str:
    return "up to an undocumented number of" if attempt.price is None else f"up to {attempt.price}"


def _make_sure(args: argparse.Namespace, text: str) -> None:
    if args.yes:
        return
    print(text, file=sys.stderr)
    try:
        answer = input('Type "yes" if you made sure that the vendor has no such job: ')
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"yes", "y"}:
        raise _Refused("Nothing was changed.")


def _said(attempt: Attempt, value: str, text: str, args: argparse.Namespace, outlives_clear: bool) -> str:
    name = variable_name(attempt.uid)
    server.set_variable(name, value, "Says what became of a paid submission whose answer was lost.")
    if not outlives_clear:
        text += (
            " On Airflow 3.4 or newer, clear it with keep_task_state=true (REST API): [adgen] ledger_path is not set, "
            "and clearing would drop Airflow's own record."
        )
    if args.output == "json":
        answer: dict[str, Any] = {"ok": True, "attempt": attempt.uid, "variable": name, "value": value, "next": text}
        return json.dumps(answer, indent=2)
    return f"{text}\nIt is the Airflow Variable {name} = {value}; delete it to take that back."
