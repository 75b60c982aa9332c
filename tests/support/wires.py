# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Calls a hook's method or its asynchronous twin, so that one test holds both to the same."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

WIRES = ("blocking", "async")

Both = Callable[..., Any]


def caller(hook: Any, wire: str) -> Both:
    """Return a function that calls a method by name; what it iterates over comes as a list."""

    def call(method: str, /, *args: Any, **kwargs: Any) -> Any:
        if wire == "blocking":
            found = getattr(hook, method)(*args, **kwargs)
            return list(found) if hasattr(found, "__next__") else found

        async def asking() -> Any:
            found = getattr(hook, f"a{method}")(*args, **kwargs)
            return await found if inspect.isawaitable(found) else [item async for item in found]

        return asyncio.run(asking())

    return call
