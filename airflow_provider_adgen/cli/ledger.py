# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Shows what a task has paid for, and records the outcome of a submission whose answer was lost."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.cli import batch, server
from airflow_provider_adgen.cli.items import belongs, read_batch
from airflow_provider_adgen.cli.output import logs_to_stderr
from airflow_provider_adgen.cli.resolving import (
    Refused,
    check_jobs,
    confirm,
    cost,
    not_open,
    read_job_ids,
    resolution_of,
    store,
)
from airflow_provider_adgen.cli.suspects import look
from airflow_provider_adgen.cli.text import lines, summary, when
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest, NotFound
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.lifecycle.candidates import find_candidates, not_listed
from airflow_provider_adgen.lifecycle.resolution import GONE, NOT_SUBMITTED, variable_name

if TYPE_CHECKING:
    import argparse

    from airflow_provider_adgen.cli.items import Batch
    from airflow_provider_adgen.core.record import Attempt, Record


def run(args: argparse.Namespace) -> int:
    """Carry out one command; return the exit code."""
    try:
        with logs_to_stderr():
            answer = _carry_out(args)
    except (Refused, AdGenError) as error:
        if args.output == "json":
            print(json.dumps({"ok": False, "error": str(error)}))
        else:
            print(error, file=sys.stderr)
        return 1
    print(answer)
    return 0


def _carry_out(args: argparse.Namespace) -> str:
    _check_arguments(args)
    identity = TaskIdentity(args.dag_id, args.run_id, args.task_id, args.map_index)
    found, key = read_batch(identity), getattr(args, "key", None)
    if found is None:
        if key is not None or _is_about_many(args):
            raise Refused(
                f"{identity} is not recorded as a batch under [adgen] ledger_path. Check DAG, run and task, and "
                "--map-index for a mapped task. [adgen] ledger_path must have the same value here as on the workers. "
                "Nothing was changed."
            )
    elif key is None:
        if args.verb == "show" or _is_about_many(args):
            many = {
                "show": batch.show,
                "list": batch.list_items,
                "attach": batch.attach,
                "dismiss": batch.dismiss,
            }
            return many[args.verb](found, args)
        several = {"attach": "--from FILE", "dismiss": "--all-unknown --before TIME"}[args.verb]
        raise Refused(f"{identity} is a batch: use --key for one item, or {several} for many. Nothing was changed.")
    one = {"show": _show, "attach": _attach, "dismiss": _dismiss}[args.verb]
    return one(replace(identity, item=key), found, args)


def _is_about_many(args: argparse.Namespace) -> bool:
    match args.verb:
        case "list":
            return True
        case "attach":
            return args.file is not None
        case "dismiss":
            return bool(args.all_unknown)
    return False


def _check_arguments(args: argparse.Namespace) -> None:
    if args.verb == "attach" and (args.job_id is None) == (args.file is None):
        raise Refused("attach takes either a job id, right after the task, or --from FILE. Nothing was changed.")
    if args.verb == "attach" and args.file is not None and args.key is not None:
        raise Refused("--from FILE names the items itself: leave --key out. Nothing was changed.")
    if args.verb == "dismiss" and args.all_unknown == (args.before is None):
        raise Refused("--all-unknown and --before TIME belong together. Nothing was changed.")
    if args.verb == "dismiss" and args.all_unknown and args.key is not None:
        raise Refused("dismiss takes either --key or --all-unknown. Nothing was changed.")


def _read(identity: TaskIdentity, found: Batch | None) -> tuple[Record, bool]:
    """Return the record of a task or of an item, and whether it is kept when the task is cleared."""
    if found is not None and identity.item is not None:
        return found.item(identity.item).record, True
    ledger, names = server.ledger_of(identity)
    if not names:
        raise Refused(
            "There is no ledger here: Airflow before 3.3 keeps no task state, and [adgen] ledger_path is not set. "
            "Run this with the configuration of the workers."
        )
    record = ledger.record()
    if record is None or not record.attempts:
        raise Refused(
            f"Nothing is recorded for {identity} in {' or '.join(names)}. Check DAG, run and task, and --map-index for "
            "a mapped task. [adgen] ledger_path must have the same value here as on the workers."
        )
    return record, ledger.outlives_clear


def _show(identity: TaskIdentity, found: Batch | None, args: argparse.Namespace) -> str:
    record, outlives_clear = _read(identity, found)
    resolution = resolution_of(record.open) if record.open is not None else None
    told = summary(record, identity, resolution=resolution, outlives_clear=outlives_clear, now=time.time())
    if found is not None and identity.item is not None and (item := found.item(identity.item)).state == "skipped":
        told |= {"state": item.state, "next": f"It is left out. {item.note[1]}"}
    if args.output == "json":
        return json.dumps({"ok": True, **told}, indent=2)
    return "\n".join(lines(told))


def _open_attempt(record: Record, identity: TaskIdentity, *, dismissing: bool = False) -> Attempt:
    problem = not_open(record, identity, dismissing=dismissing)
    if problem is not None or record.open is None:
        raise Refused(f"{problem} Nothing was changed.")
    return record.open


def _attach(identity: TaskIdentity, found: Batch | None, args: argparse.Namespace) -> str:
    record, outlives_clear = _read(identity, found)
    attempt = _open_attempt(record, identity)
    try:
        ids = read_job_ids(args.job_id)
    except InvalidRequest as error:
        raise Refused(f"{error.message} Nothing was changed.") from None
    if found is not None and identity.item is not None:
        taken = belongs(ids, found.owners({identity.item}))
        if taken is not None:
            raise Refused(f"{taken} Nothing was changed.")
    checked = "" if args.no_check else _check(attempt, ids, args.conn_id)
    text = (
        f"{checked}Attempt {attempt.uid} of {identity} is now resolved: it started job {', '.join(ids)}. Clear the "
        "task: it waits for that job, stores it, and pays nothing."
    )
    return _resolve(attempt, ",".join(ids), text, args, outlives_clear)


def _check(attempt: Attempt, ids: list[str], conn_id: str | None) -> str:
    """Ask the vendor for the jobs; return the result as a sentence."""
    (wrong,), (seen,) = check_jobs([(attempt, ids)], conn_id)
    if wrong is not None:
        raise Refused(f"{wrong} Nothing was changed. --no-check attaches it without a check.")
    title = server.ServerHook(conn_id or attempt.conn_id).vendor.title
    if seen is None:
        return f"{title} has no call that reads a {attempt.request_kind} job, so it was not checked. "
    return f"{title} knows the job: {seen.kind}, {seen.status}. "


def _dismiss(identity: TaskIdentity, found: Batch | None, args: argparse.Namespace) -> str:
    record, outlives_clear = _read(identity, found)
    if record.open is None and record.counting is not None and record.counting.phase == "submitted":
        return _give_up(identity, record.counting, args, outlives_clear)
    attempt = _open_attempt(record, identity, dismissing=True)
    name = variable_name(attempt.uid)
    resolution = resolution_of(attempt)
    if resolution and resolution not in {NOT_SUBMITTED, GONE}:
        raise Refused(
            f"The submission of {identity} was resolved before: it started job {resolution}. Nothing was changed. If "
            f"that is wrong, delete the Airflow Variable {name} first, or attach the right job."
        )
    confirm(
        args,
        f"The submission of {identity} at {when(attempt.intended_at)} to {attempt.endpoint} will count as not "
        f"accepted: after a clear, the task submits again. If it was accepted after all, you pay twice "
        f"({cost([attempt])} more), and nobody collects the first job.\n{_could_be(identity, found, attempt)}",
    )
    text = (
        f"Attempt {attempt.uid} of {identity} is now resolved: it started nothing. Clear the task: it submits again, "
        "which costs credits."
    )
    return _resolve(attempt, NOT_SUBMITTED, text, args, outlives_clear)


def _could_be(identity: TaskIdentity, found: Batch | None, attempt: Attempt) -> str:
    """Say which of the vendor's jobs a submission could have started, before it is dismissed."""
    if found is not None and identity.item is not None:
        return look(found).before_dismissing(found, [(found.item(identity.item), attempt)])
    try:
        hook = server.ServerHook(attempt.conn_id)
        why_unlisted = hook.vendor.why_unlisted(attempt.result_kind)
        return find_candidates(hook, attempt).sentence if why_unlisted is None else why_unlisted
    except AdGenError as error:  # the connection cannot be used here
        return not_listed(error).sentence


def _give_up(identity: TaskIdentity, attempt: Attempt, args: argparse.Namespace, outlives_clear: bool) -> str:
    """Give a recorded job up, if the vendor confirms that it does not exist."""
    job, conn_id = ", ".join(attempt.job_ids), attempt.conn_id
    if attempt.ended or not conn_id:
        raise Refused(
            f"{identity} has no open submission: the record contains {attempt.ended or attempt.phase}, job {job}. "
            "There is nothing to resolve. Nothing was changed."
        )
    hook = server.ServerHook(conn_id)
    try:
        seen = hook.get_generation(",".join(attempt.job_ids), kind=attempt.result_kind)
    except NotFound:
        pass  # only such a job may be dismissed
    except AdGenError as error:
        raise Refused(
            f"{hook.vendor.title} could not be asked for job {job}: {error.message} Nothing was changed."
        ) from None
    else:
        raise Refused(
            f"{hook.vendor.title} knows job {job} of {identity}: {seen.status}. It is paid for, and a retry "
            "continues with it. Nothing was changed."
        )
    confirm(
        args,
        f"{hook.vendor.title} job {job} of {identity} will be given up: after a clear, the task submits and pays again "
        f"({cost([attempt])}). If connection {conn_id!r} only points to another account, correct that instead.",
    )
    then = "it submits again, which costs credits."
    if identity.item is not None:  # a batch asks for its recorded jobs only when it waits for them
        then = f"it asks for the job once more, and the item fails. Clear the task once more: {then}"
    text = f"Job {job} of {identity} is given up. Clear the task: {then}"
    return _resolve(attempt, GONE, text, args, outlives_clear)


def _resolve(attempt: Attempt, value: str, text: str, args: argparse.Namespace, outlives_clear: bool) -> str:
    name = store(attempt, value)
    if not outlives_clear:
        text += (
            " On Airflow 3.4 or newer, clear it with keep_task_state=true (REST API): [adgen] ledger_path is not set, "
            "and a clear would delete Airflow's own record."
        )
    if args.output == "json":
        answer: dict[str, Any] = {"ok": True, "attempt": attempt.uid, "variable": name, "value": value, "next": text}
        return json.dumps(answer, indent=2)
    return f"{text}\nThis is stored in the Airflow Variable {name} = {value}. Delete the Variable to undo it."
