# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Lists the vendor's jobs that a lost submission could have started, for a person to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.vendor import read_listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_adgen.core.record import Attempt
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.core.wire import Wire
    from airflow_provider_adgen.hooks.base import AdGenHook

CLOCKS_DIFFER = 60.0
"""Seconds by which the vendor's clock may be behind ours."""

LOOK_AT = 500
"""Jobs of the vendor's list that are looked at."""

_NAME = 10


@dataclass(frozen=True)
class Candidates:
    """
    The vendor's jobs that a lost submission could have started.

    :param sentence: about them, for a person.
    :param ids: theirs.
    """

    sentence: str
    ids: tuple[str, ...] = ()


def find_candidates(hook: AdGenHook, attempt: Attempt) -> Candidates:
    """
    List the vendor's jobs since the intent. A list that cannot be read is no error; the sentence says so.

    :param hook: the account.
    :param attempt: the unresolved attempt.
    """
    try:
        found, looked = list_recent(hook, attempt.intended_at)
    except AdGenError as error:
        return Candidates(f"The vendor's jobs could not be listed to look for it ({error.message})")
    return name_candidates(found, looked, attempt)


def list_recent(hook: AdGenHook, since: float, *, most: int = LOOK_AT) -> tuple[list[Generation], int]:
    """
    List the vendor's jobs; return those created since a time, and how many there were.

    :param hook: the account.
    :param since: Unix time.
    :param most: jobs of the list that are looked at.
    :raises AdGenError: they cannot be listed.
    """
    return hook.run_blocking(lambda wire: _recent(wire, since - CLOCKS_DIFFER, most))


def could_be(jobs: Iterable[Generation], attempt: Attempt) -> list[Generation]:
    """
    Return those jobs that an attempt could have started, as far as time and kind tell.

    :param jobs: jobs of the vendor's list.
    :param attempt: the unresolved attempt.
    """
    since, kind = attempt.intended_at - CLOCKS_DIFFER, attempt.result_kind
    return [
        job
        for job in jobs
        if (job.created_at is None or job.created_at.timestamp() >= since) and (kind is None or job.kind == kind)
    ]


def name_candidates(jobs: list[Generation], looked: int, attempt: Attempt) -> Candidates:
    """
    Return those of the listed jobs that an attempt could have started.

    :param jobs: jobs of the list.
    :param looked: how many the list had.
    :param attempt: the unresolved attempt.
    """
    found = could_be(jobs, attempt)
    if not found:
        return Candidates(f"None of the vendor's {looked} most recently listed jobs was created since then.")
    names = ", ".join(
        f"{job.id} ({job.status}{'' if job.created_at is not None else ', created nobody says when'})"
        for job in found[:_NAME]
    )
    more = f" and {len(found) - _NAME} more" if len(found) > _NAME else ""
    return Candidates(f"Jobs created since then that could be it: {names}{more}.", tuple(job.id for job in found))


async def _recent(wire: Wire, since: float, most: int) -> tuple[list[Generation], int]:
    found: list[Generation] = []
    looked = 0
    steps = wire.vendor.list_jobs()
    if steps is None:
        return found, looked
    async for listed in wire.iterate(steps):
        job, looked = read_listed(listed), looked + 1
        if job is not None and (job.created_at is None or job.created_at.timestamp() >= since):
            found.append(job)
        if looked >= most:
            break
    return found, looked
