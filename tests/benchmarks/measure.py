# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a process costs: the memory it takes at its peak, and how long it holds up its event loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import selectors
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

BLOCK = 0.1
"""Seconds of one turn of the loop from which it counts as a block; Airflow warns from 0.2."""


class TimedSelector(selectors.DefaultSelector):
    """
    Measures each turn of an event loop: from the end of one wait to the begin of the next.

    Python's own full collection of garbage goes through everything that Airflow has imported, whoever's code happens to
    run then; so turns are measured without it, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._collecting = 0.0
        self._collected = 0.0
        self.reset()
        gc.callbacks.append(self._garbage)

    def reset(self) -> None:
        """Begin anew."""
        self.longest = self.longest_own = self.longest_collection = 0.0
        self.blocks = self.turns = 0
        self._woke: float | None = None

    def select(self, timeout: float | None = None) -> Any:
        """Wait as the base class does."""
        if self._woke is not None:
            turn = time.perf_counter() - self._woke
            self.turns += 1
            self.blocks += turn > BLOCK
            self.longest = max(self.longest, turn)
            self.longest_own = max(self.longest_own, turn - self._collected)
        ready = super().select(timeout)
        self._woke, self._collected = time.perf_counter(), 0.0
        return ready

    def _garbage(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
            return
        seconds = time.perf_counter() - self._collecting
        self._collected += seconds
        self.longest_collection = max(self.longest_collection, seconds)


class Loops:
    """Makes event loops whose turns are measured."""

    def __init__(self) -> None:
        self.selector = TimedSelector()

    def __call__(self) -> asyncio.AbstractEventLoop:
        """Make one."""
        return asyncio.SelectorEventLoop(self.selector)


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {name}; the benchmark needs Linux.")


def resident() -> float:
    """Return the memory that this process holds, in MB."""
    return _status("VmRSS")


def peak() -> float:
    """Return the most memory that this process held since :func:`forget_peak`, in MB."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Let the peak be what is held now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def mean(values: Iterable[float]) -> float | None:
    """Return the mean; None of nothing."""
    found = list(values)
    return sum(found) / len(found) if found else None


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the value that *share* of all do not exceed; None of nothing."""
    found = sorted(values)
    return found[min(len(found) - 1, int(share * len(found)))] if found else None
