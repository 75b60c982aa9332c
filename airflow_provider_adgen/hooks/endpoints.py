# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Turns one endpoint definition into a hook's two methods, synchronous and asynchronous.

::

    get_product, aget_product = calling(api.get_product)
    list_products, alist_products = listing(api.list_products, Product)
"""

from __future__ import annotations

import asyncio
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from airflow_provider_adgen.core import blocking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from airflow_provider_adgen.core.calls import Call, Sequence
    from airflow_provider_adgen.hooks.base import AdGenHook

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class Method(Generic[P, R]):
    """A hook method made from an endpoint definition; behaves as a method for callers, type checkers and docs."""

    def __init__(self, build: Callable[P, Any], act: Callable[[AdGenHook, Any], R], *, in_thread: bool = False) -> None:
        self._build = build
        self._act: Callable[[AdGenHook, Any], Any] = act
        self._in_thread = in_thread
        self.__doc__ = build.__doc__
        self.__wrapped__ = build

    def __set_name__(self, owner: type, name: str) -> None:
        self.__name__ = name

    def __get__(self, hook: AdGenHook | None, owner: type | None = None) -> Callable[P, R]:
        @wraps(self._build)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            if hook is None:
                raise TypeError(f"{self.__name__} is called on a hook, not on its class")
            make = partial(self._build, *args, **kwargs)
            return self._later(hook, make) if self._in_thread else self._act(hook, make())

        method.__name__ = self.__name__
        return method

    async def _later(self, hook: AdGenHook, make: Callable[[], Any]) -> Any:
        return await self._act(hook, await asyncio.to_thread(make))


def calling(build: Callable[P, Call[T]], *, opens: bool = False) -> tuple[Method[P, T], Method[P, Awaitable[T]]]:
    """
    Return the two methods of an endpoint that is one call.

    :param opens: whether *build* opens a file, which must not block the event loop.
    """
    return (
        Method(build, lambda hook, call: hook.run_blocking(lambda wire: wire.call(call))),
        Method(build, lambda hook, call: hook.run_async(lambda wire: wire.call(call)), in_thread=opens),
    )


def running(build: Callable[P, Sequence[T]], *, opens: bool = False) -> tuple[Method[P, T], Method[P, Awaitable[T]]]:
    """Return the two methods of an endpoint that takes several calls and has one result; see :func:`calling`."""
    return (
        Method(build, lambda hook, steps: hook.run_blocking(lambda wire: wire.run(steps))),
        Method(build, lambda hook, steps: hook.run_async(lambda wire: wire.run(steps)), in_thread=opens),
    )


def listing(
    build: Callable[P, Sequence[None]], _item: type[T]
) -> tuple[Method[P, Iterator[T]], Method[P, AsyncIterator[T]]]:
    """Return the two methods of an endpoint that lists things: iterators that fetch a page when it is needed."""
    return (
        Method(build, lambda hook, steps: blocking.iterate(hook.iterate(steps))),
        Method(build, lambda hook, steps: hook.iterate(steps)),
    )
