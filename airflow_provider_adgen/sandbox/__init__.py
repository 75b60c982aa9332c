# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A local server that speaks the four vendors' APIs, so that the provider can be run and tested without an account.

Nothing here imports the rest of the package: the rules are written from the vendors' published pages alone.
The server itself (starlette, uvicorn, Pillow, PyAV) is imported only when :class:`Sandbox` is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.client import SandboxClient
    from airflow_provider_adgen.sandbox.server import Sandbox

__all__ = ["Sandbox", "SandboxClient"]


def __getattr__(name: str) -> Any:
    """Import the two public names when they are first used."""
    if name == "Sandbox":
        from airflow_provider_adgen.sandbox.server import Sandbox

        return Sandbox
    if name == "SandboxClient":
        from airflow_provider_adgen.sandbox.client import SandboxClient

        return SandboxClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
