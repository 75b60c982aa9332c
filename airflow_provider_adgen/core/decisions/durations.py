# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How long jobs of a kind take, as this process has seen it; pure, and bounded in memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

ENOUGH = 20
"""Jobs of a kind that must have been seen before what they took counts."""

KEPT = 200
"""Jobs of a kind that are remembered, the latest."""

KINDS = 32
"""Kinds that are remembered, for a caller whose kinds are anything."""

_EARLY, _LATE = 0.05, 0.95
# The first jobs of many that end are the fastest: the others are not overdue yet.
_SOONER, _LATER = 0.9, 2.0


@dataclass(frozen=True)
class Usual:
    """
    When a job of a kind usually ends, in seconds of its age.

    :param begins: hardly one ends before.
    :param ends: one that runs longer is overdue.
    """

    begins: float
    ends: float


@dataclass
class Durations:
    """What jobs took, by kind."""

    _seen: dict[str, deque[float]] = field(default_factory=dict)
    _known: dict[str, Usual] = field(default_factory=dict)

    def learn(self, kind: str, low: float, high: float) -> None:
        """
        Remember that a job ended at an age between *low* and *high* seconds: between the last two polls of it.

        The middle is kept, so that polling late does not teach to poll later still.
        """
        if not 0 <= low <= high:
            return
        if kind not in self._seen:
            if len(self._seen) >= KINDS:
                return
            self._seen[kind] = deque(maxlen=KEPT)
        seen = self._seen[kind]
        seen.append((low + high) / 2)
        if len(seen) < ENOUGH:
            return
        ordered = sorted(seen)
        self._known[kind] = Usual(
            begins=_SOONER * ordered[int(_EARLY * (len(ordered) - 1))],
            ends=_LATER * ordered[-1 - int((1 - _LATE) * (len(ordered) - 1))],
        )

    def usual(self, kind: str) -> Usual | None:
        """Return when jobs of *kind* usually end; None where too few were seen."""
        return self._known.get(kind)
