# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The jobs that the benchmark's server pretends to run, and what it counts about them."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, field

_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Job:
    """
    One job.

    :param number: its place, from 0, in the order in which the jobs were made.
    :param id: its id at the vendor.
    :param created: Unix time.
    :param ends: Unix time.
    """

    number: int
    id: str
    created: float
    ends: float

    def over(self, now: float) -> bool:
        """Whether it has ended."""
        return now >= self.ends

    def progress(self, now: float) -> float:
        """Return the share of its time that has passed."""
        return min(1.0, (now - self.created) / max(1e-9, self.ends - self.created))


class Jobs:
    """
    All jobs of one account.

    :param make_id: turns a job's number into an id as the vendor writes them.
    :param first: seconds, from the start of the measurement, at which the first job ends.
    :param last: seconds at which the last one ends.
    """

    def __init__(self, make_id: str, first: float, last: float) -> None:
        self._make_id = make_id
        self._first, self._last = first, last
        self.all: list[Job] = []
        self.by_id: dict[str, Job] = {}

    def add_aged(self, now: float, jobs: int, youngest: float, oldest: float) -> list[Job]:
        """
        Make *jobs* jobs whose ages are spread evenly, the oldest first, as they were submitted.

        :param youngest: seconds since the last one was submitted.
        :param oldest: seconds since the first one was submitted.
        """
        step = (oldest - youngest) / max(1, jobs - 1)
        return [self.add(now, age=oldest - number * step) for number in range(jobs)]

    def add(self, now: float, *, age: float = 0.0) -> Job:
        """Make one job; ends are spread evenly, in no order, whatever the age."""
        number = len(self.all)
        share = (number + 1) * _GOLDEN % 1.0
        job = Job(
            number, self._make_id % (number + 1), now - age, now + self._first + share * (self._last - self._first)
        )
        self.all.append(job)
        self.by_id[job.id] = job
        return job


@dataclass
class Window:
    """
    A rate limit that counts by windows, as most servers do.

    :param requests: requests that each window accepts.
    :param seconds: its length.
    """

    requests: int
    seconds: float
    _ends: float = 0.0
    _used: int = 0

    def refused(self, now: float) -> float | None:
        """Count one request; return the seconds until the next window where this one is used up."""
        if now >= self._ends:
            self._ends, self._used = now + self.seconds, 0
        self._used += 1
        return self._ends - now if self._used > self.requests else None

    @property
    def left(self) -> int:
        """Requests that the window still accepts."""
        return max(0, self.requests - self._used)

    @property
    def ends(self) -> float:
        """Unix time at which the window ends."""
        return self._ends


@dataclass
class Counts:
    """What the server saw, apart from the benchmark's own questions."""

    requests: int = 0
    connections: int = 0
    refused: int = 0
    unknown: int = 0
    bytes_sent: int = 0
    by_second: Counter[int] = field(default_factory=Counter)
    by_endpoint: Counter[str] = field(default_factory=Counter)
    first_told: dict[int, float] = field(default_factory=dict)

    def request(self, endpoint: str, now: float) -> None:
        """Count a request."""
        self.requests += 1
        self.by_second[int(now)] += 1
        self.by_endpoint[endpoint] += 1

    def told(self, number: int, now: float) -> None:
        """Note that a job's status was told."""
        self.first_told.setdefault(number, now)

    def report(self) -> dict[str, object]:
        """Return it all for JSON."""
        return {
            "requests": self.requests,
            "connections": self.connections,
            "refused": self.refused,
            "unknown": self.unknown,
            "bytes_sent": self.bytes_sent,
            "peak_per_second": max(self.by_second.values(), default=0),
            "by_endpoint": dict(self.by_endpoint),
            "jobs_told": len(self.first_told),
            "last_first_told": max(self.first_told.values(), default=None),
            "now": time.time(),
        }
