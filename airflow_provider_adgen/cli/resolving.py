# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a person may say about a lost submission: checked here, before it is stored in an Airflow Variable."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from airflow_provider_adgen.cli import server
from airflow_provider_adgen.cli.text import when
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest, NotFound
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.hooks.base import job_ids
from airflow_provider_adgen.lifecycle.candidates import CLOCKS_DIFFER
from airflow_provider_adgen.lifecycle.resolution import GONE, NOT_SUBMITTED, variable_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from airflow_provider_adgen.core.identity import TaskIdentity
    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.core.vocabulary import Generation


class Refused(Exception):
    """A command that cannot be carried out; its text explains why."""


def not_open(record: Record, identity: TaskIdentity, *, dismissing: bool = False) -> str | None:
    """
    Return why there is nothing to resolve in a record, or not yet; None where there is.

    :param dismissing: somebody is about to say that nothing was started.
    """
    opened = record.open
    if opened is None:
        last = record.counting
        what = "nothing" if last is None else str(last.phase)
        if last is not None and last.job_ids:
            what = f"{what}, job {', '.join(last.job_ids)}"
        return f"{identity} has no open submission: the record contains {what}. There is nothing to resolve."
    rest = seconds_to_dismiss(opened) if dismissing else seconds_left(opened)
    if rest > 0:
        return (
            f"The submission of {identity} began at {when(opened.intended_at)} and may still be in progress. Try again "
            f"in {rest:.0f} s."
        )
    return None


def seconds_left(attempt: Attempt) -> float:
    """Return the seconds for which somebody may still be posting an open submission; 0 or less afterwards."""
    return attempt.posting_until - time.time()


def seconds_to_dismiss(attempt: Attempt) -> float:
    """
    Return the seconds for which nobody can say that an open submission started nothing; 0 or less afterwards.

    A vendor whose answer was lost may still be starting the job, which its list does not show yet.
    """
    return attempt.intended_at + attempt.post_seconds - time.time()


def read_job_ids(text: str) -> list[str]:
    """
    Return the ids of the jobs that one submission started.

    :raises InvalidRequest: these are none.
    """
    ids = job_ids(text)
    if ",".join(ids) in {NOT_SUBMITTED, GONE}:
        raise InvalidRequest(f"{text.strip()!r} is not a job id. If there is no job, use dismiss.")
    return ids


def check_jobs(
    wanted: Sequence[tuple[Attempt, list[str]]], conn_id: str | None
) -> tuple[list[str | None], list[Generation | None]]:
    """
    Ask the vendors for jobs; return what is wrong with each, if anything, and the jobs that they know.

    :param wanted: submissions, and the jobs that they are said to have started.
    :param conn_id: the connection to ask with; None for that of each submission.
    """
    wrong: list[str | None] = [None] * len(wanted)
    found: list[Generation | None] = [None] * len(wanted)
    accounts: dict[str, list[int]] = {}
    for number, (attempt, _) in enumerate(wanted):
        accounts.setdefault(conn_id or attempt.conn_id, []).append(number)
    for name, numbers in accounts.items():
        try:
            _check_account(name, numbers, wanted, wrong, found)
        except AdGenError as error:  # nothing can be asked with this connection
            for number in numbers:
                wrong[number] = error.happened
    return wrong, found


def _check_account(
    conn_id: str,
    numbers: list[int],
    wanted: Sequence[tuple[Attempt, list[str]]],
    wrong: list[str | None],
    found: list[Generation | None],
) -> None:
    if not conn_id:
        raise InvalidRequest("The record names no connection; name one with --conn-id.")
    hook = server.ServerHook(conn_id)
    readable = [one for one in numbers if not hook.vendor.request_class(wanted[one][0].request_kind).synchronous]
    answers = hook.get_generations((wanted[one][1], wanted[one][0].result_kind) for one in readable)
    for number, answer in zip(readable, answers, strict=True):
        attempt, ids = wanted[number]
        title, job = hook.vendor.title, ", ".join(ids)
        if isinstance(answer, NotFound):
            wrong[number] = f"{title} does not know job {job} in the account of connection {conn_id!r}."
        elif isinstance(answer, InvalidRequest):
            wrong[number] = answer.message
        elif isinstance(answer, AdGenError):
            wrong[number] = f"The job could not be checked: {answer.message}"
        elif _older(answer, attempt):
            created = answer.created_at.timestamp() if answer.created_at is not None else None
            wrong[number] = (
                f"{title} job {job} was created at {when(created)}, before the submission of "
                f"{when(attempt.intended_at)}: it is another job."
            )
        else:
            found[number] = answer


def _older(job: Generation, attempt: Attempt) -> bool:
    return job.created_at is not None and job.created_at.timestamp() < attempt.intended_at - CLOCKS_DIFFER


def cost(attempts: Sequence[Attempt]) -> str:
    """Return what submissions may cost, for each account, as words."""
    sums: dict[str, int] = {}
    for one in attempts:
        sums[one.conn_id] = sums.get(one.conn_id, 0) + (one.price or 0)
    unknown = {one.conn_id for one in attempts if one.price is None}
    named = [
        "an undocumented number of credits" if name in unknown else counted(number, "credit")
        for name, number in sorted(sums.items())
    ]
    if len(named) == 1:
        return f"up to {named[0]}"
    return "up to " + " and ".join(f"{text} of {name!r}" for text, name in zip(named, sorted(sums), strict=True))


def confirm(args: argparse.Namespace, text: str) -> None:
    """
    Say what will count, and ask once, unless ``--yes`` was given.

    :param text: what will count.
    :raises Refused: the answer is not yes.
    """
    print(text, file=sys.stderr)
    if args.yes:
        return
    try:
        answer = input('Type "yes" if you have checked that the vendor has no such job: ')
    except EOFError:
        raise Refused("Nothing was changed. Nobody answered: add --yes when you have looked.") from None
    if answer.strip().lower() not in {"yes", "y"}:
        raise Refused("Nothing was changed.")


def resolution_of(attempt: Attempt) -> str | None:
    """Return what a person has decided about an attempt."""
    return server.get_variable(variable_name(attempt.uid))


def store(attempt: Attempt, value: str) -> str:
    """Store what a person decided about an attempt; return the name of the Variable."""
    name = variable_name(attempt.uid)
    server.set_variable(name, value, "The outcome of a paid submission whose answer was lost.")
    return name
