# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How requests begin whose rate limit nobody tells, so that the limit, where there is one, refuses few of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque

# Whatever is under way when a limit is met is refused. So requests go a little faster than a hundred a second, which is
# a usual limit, until a second of that was accepted: where it is the limit, only what is above it is refused.
_PACE, _ENOUGH = 104.0, 101
# Seconds of that which may be caught up, after an event loop was busy with something else.
_BEHIND = 0.05
# Usual limits of a minute. The first request above one goes alone, so that it alone is refused.
_USUAL = (30, 60, 100, 120, 200, 300, 600, 1000)
# Not where so many, or half of them, went out in a second: then a refusal says more about seconds than about minutes.
_BURST = 50
# Seconds for which its answer is awaited; a vendor that takes longer is not held up for that.
_PATIENCE = 1.0


@dataclass
class Trial:
    """
    The begin of one lane.

    :param over: nothing is tried any longer: it went fast enough for long enough, or the vendor has told its limit.
    """

    over: bool = False
    _slot: float = 0.0
    _alone: float = float("-inf")
    _awaiting: bool = False
    _passed: int = 0

    def delay(self, now: float) -> float:
        """Return the seconds until the next request may go out."""
        if self.over:
            return 0.0
        if self.awaiting(now):
            return self._alone + _PATIENCE - now
        return max(0.0, self._slot - now)

    def awaiting(self, now: float) -> bool:
        """Whether the answer to a request that went alone is awaited: it may come at any time."""
        return not self.over and self._awaiting and now < self._alone + _PATIENCE

    def took(self, moment: float, earlier: deque[float]) -> None:
        """
        Take in that a request goes out.

        :param moment: when.
        :param earlier: when those before it went out, in order.
        """
        if self.over:
            return
        self._slot = (max(self._slot, moment - _BEHIND) if earlier else moment) + 1.0 / _PACE
        if self._awaiting:
            self._pass()
        usual = self._next_usual()
        if usual is None or not _within(earlier, usual, moment - 60.0):
            return
        if _within(earlier, min(_BURST, usual // 2), moment - 1.0):
            self._pass()
        else:
            self._alone, self._awaiting = moment, True

    def accepted(self, sent: float, all_sent: deque[float]) -> None:
        """
        Take in that a request was not refused.

        :param sent: when it went out.
        :param all_sent: when all of them went out, in order.
        """
        if self.over:
            return
        if self._awaiting and sent >= self._alone:
            self._pass()
        if _within(all_sent, _ENOUGH, sent - 1.0):
            # In one go: another thread may send as well.
            latest = tuple(itertools.islice(reversed(all_sent), 4 * _ENOUGH))
            self.over = sum(1 for one in latest if sent - 1.0 < one <= sent) >= _ENOUGH

    def refused(self, sent: float) -> bool:
        """Take in that a request was refused; return whether it went alone, and so above a limit of a minute."""
        self.over = True
        return sent == self._alone

    def _pass(self) -> None:
        self._awaiting, self._passed = False, self._next_usual() or self._passed

    def _next_usual(self) -> int | None:
        return next((one for one in _USUAL if one > self._passed), None)


def _within(times: deque[float], number: int, since: float) -> bool:
    """Whether at least so many of the times, which ascend, are later than *since*."""
    return len(times) >= number and times[-number] > since
