# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Lists the vendor's jobs that lost submissions could have started, for a person to choose from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.vendor import read_listed
from airflow_provider_adgen.core.wording import counted, moment, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
class Candidate:
    """
    A job that a lost submission could have started.

    :param job_id: its id, or all ids of one generation, joined by commas.
    :param status: its status.
    :param created_at: when it was created, in ISO 8601; None where the vendor does not say.
    :param also_of: keys of other items of the same batch whose lost submissions could have started it, too.
    """

    job_id: str
    status: str
    created_at: str | None = None
    also_of: tuple[str, ...] = ()

    def __str__(self) -> str:
        created = f"created {self.created_at or 'nobody says when'}"
        also = f"; it could be that of {named([repr(one) for one in self.also_of], _NAME)}, too" if self.also_of else ""
        return f"{self.job_id} ({self.status}, {created}{also})"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "job_id": self.job_id,
            "status": self.status,
            "created_at": self.created_at,
            "also_candidate_of": list(self.also_of),
        }


@dataclass(frozen=True)
class Candidates:
    """
    The vendor's jobs that a lost submission could have started.

    :param sentence: about them, for a person; empty where nothing is said of them here.
    :param jobs: these jobs, those that were created nearest to the submission first.
    """

    sentence: str
    jobs: tuple[Candidate, ...] = ()

    @property
    def only(self) -> str | None:
        """The id of the only job that it can be; None where there is none, or another submission can be it, too."""
        return self.jobs[0].job_id if len(self.jobs) == 1 and not self.jobs[0].also_of else None


@dataclass(frozen=True)
class Recent:
    """
    What the vendor's list shows of the jobs created since a time.

    :param jobs: these jobs, and those of which nobody says when they were created.
    :param looked: how many jobs of the list were looked at.
    :param whole: no such job can be further down the list: it was read to its end, or it begins with the newest job
        and was read beyond that time.
    """

    jobs: list[Generation]
    looked: int
    whole: bool = True

    @property
    def note(self) -> str:
        """What a person should know of a list that was not read to its end; else empty."""
        if self.whole:
            return ""
        return (
            f"Only the first {self.looked} jobs of the vendor's list were looked at, and it may go on with others of "
            "that time: look for the job at the vendor, too, before you decide."
        )


TOLD_LATER = Candidates("")
"""Where the jobs of many lost submissions are looked for together."""


def find_candidates(hook: AdGenHook, attempt: Attempt) -> Candidates:
    """
    List the vendor's jobs since the intent. A list that cannot be read is no error; the sentence says so.

    :param hook: the account.
    :param attempt: the unresolved attempt.
    """
    try:
        recent = list_recent(hook, attempt.intended_at)
    except AdGenError as error:
        return not_listed(error)
    return told(compare(recent.jobs, {"": attempt})[""], recent)


def list_recent(hook: AdGenHook, since: float, *, most: int = LOOK_AT) -> Recent:
    """
    List the vendor's jobs; return those created since a time.

    :param hook: the account.
    :param since: Unix time.
    :param most: jobs of the list that are looked at.
    :raises AdGenError: they cannot be listed.
    """
    return hook.run_blocking(lambda wire: _recent(wire, since - CLOCKS_DIFFER, most))


def could_be(jobs: Iterable[Generation], attempt: Attempt) -> list[Generation]:
    """
    Return those jobs that an attempt could have started, as far as time and kind tell.

    A kind that the vendor did not tell leaves no job out: a person who is told that there is none may pay again.

    :param jobs: jobs of the vendor's list.
    :param attempt: the unresolved attempt.
    """
    since, kind = attempt.intended_at - CLOCKS_DIFFER, attempt.result_kind
    return [
        job
        for job in jobs
        if (job.created_at is None or job.created_at.timestamp() >= since)
        and (kind is None or job.kind_guessed or job.kind == kind)
    ]


def compare(jobs: Iterable[Generation], attempts: Mapping[str, Attempt]) -> dict[str, tuple[Candidate, ...]]:
    """
    Return for each of several lost submissions the jobs that it could have started, the nearest in time first.

    :param jobs: jobs of the vendor's list that are no other submission's.
    :param attempts: the unresolved attempts of one account, by a name; a batch's are named by the items' keys.
    """
    jobs = list(jobs)
    found = {name: could_be(jobs, one) for name, one in attempts.items()}
    names: dict[str, list[str]] = {}
    for name, its in found.items():
        for job in its:
            names.setdefault(_id(job), []).append(name)

    def candidate(job: Generation, name: str) -> Candidate:
        created = moment(job.created_at) if job.created_at is not None else None
        return Candidate(_id(job), str(job.status), created, tuple(one for one in names[_id(job)] if one != name))

    return {
        name: tuple(candidate(job, name) for job in sorted(its, key=partial(_distance, attempts[name])))
        for name, its in found.items()
    }


def _id(job: Generation) -> str:
    return ",".join(job.job_ids)


def _distance(attempt: Attempt, job: Generation) -> float:
    return abs((job.created_at.timestamp() if job.created_at is not None else 1e12) - attempt.intended_at)


def told(jobs: tuple[Candidate, ...], recent: Recent) -> Candidates:
    """
    Return what a person is told of the jobs that a lost submission could have started.

    :param jobs: the jobs.
    :param recent: what the list showed.
    """
    if jobs:
        said = f"Jobs created since then that could be it: {named([str(one) for one in jobs], _NAME)}."
    elif recent.whole:
        read = counted(recent.looked, "job of its list was", "jobs of its list were")
        said = f"None of the vendor's jobs was created since then ({read} looked at)."
    else:
        said = "No job was found that was created since then."
    return Candidates(f"{said} {recent.note}".rstrip(), jobs)


def not_listed(error: AdGenError) -> Candidates:
    """Return what a person is told where the vendor's jobs could not be listed."""
    return Candidates(f"The vendor's jobs could not be listed to look for it ({error.message})")


async def _recent(wire: Wire, since: float, most: int) -> Recent:
    found: list[Generation] = []
    steps = wire.vendor.list_jobs()
    if steps is None:
        return Recent(found, 0)
    looked, last, newest_first = 0, math.inf, True
    async for listed in wire.iterate(steps):
        job, looked = read_listed(listed), looked + 1
        if job is not None:
            created = job.created_at.timestamp() if job.created_at is not None else None
            if created is None or created >= since:
                found.append(job)
            newest_first = newest_first and created is not None and created <= last
            last = created if created is not None else last
        if looked >= most:
            return Recent(found, looked, whole=newest_first and last < since)
    return Recent(found, looked)
