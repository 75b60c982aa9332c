# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Runs the asynchronous wire for synchronous callers, on one loop in a daemon thread of this process.

That there is only one wire is what makes both paths agree, and it gives the synchronous path true deadlines and a
cancellation that reaches the socket.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator
    from concurrent.futures import Future

T = TypeVar("T")
_END = object()

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def _forget_after_fork() -> None:
    # The thread does not exist in the child, and the lock may have been held by one that does not either.
    global _lock, _loop
    _lock = threading.Lock()
    _loop = None


os.register_at_fork(after_in_child=_forget_after_fork)


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="adgen-wire", daemon=True).start()
        return _loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """
    Run *coroutine* to its end and return its result.

    An exception raised in the waiting thread meanwhile (a signal handler's) cancels the coroutine.
    """
    future = start(coroutine)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def start(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start *coroutine* and return its future; it goes on while the caller does something else."""
    return asyncio.run_coroutine_threadsafe(coroutine, _running_loop())


def iterate(items: AsyncIterator[T]) -> Iterator[T]:
    """Yield from an asynchronous iterator, fetching an item only when it is asked for."""
    try:
        while True:
            item = run(_next(items))
            if item is _END:
                return
            yield cast("T", item)
    finally:
        closing = getattr(items, "aclose", None)
        if closing is not None:
            run(closing())


async def _next(items: AsyncIterator[T]) -> object:
    return await anext(items, _END)
