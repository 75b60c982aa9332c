# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Holds Airflow's ``execution_timeout`` back while a paid submission is under way and not yet recorded."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextlib.contextmanager
def sigalrm_deferred() -> Iterator[None]:
    """
    Let no SIGALRM interrupt the block; one that arrives meanwhile is delivered at its end.

    The handler is swapped rather than the signal masked, because Python runs handlers in the main thread whichever
    thread the signal reached. Outside the main thread Airflow's timeout does not work, and there is nothing to hold.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    came: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = signal.getsignal(signal.SIGALRM)
    if before is None:  # installed from outside Python: it cannot be put back, so it is left alone
        yield
        return
    signal.signal(signal.SIGALRM, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
        if came:
            signal.raise_signal(signal.SIGALRM)
