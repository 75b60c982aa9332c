# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_adgen.sandbox.pytest_plugin import adgen_sandbox  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_adgen.sandbox import Sandbox


# Made once: nothing here speaks TLS, and making one for each client takes longer than a test.
TLS = ssl.create_default_context()


@pytest.fixture
def adgen_sandbox_options() -> dict[str, Any]:
    """Jobs take their typical, long durations; a test moves the time."""
    return {"speed": 1.0}


@pytest.fixture
def sandbox(adgen_sandbox: Sandbox) -> Sandbox:  # noqa: F811 - the fixture imported above
    return adgen_sandbox


@pytest.fixture
def client_for(sandbox: Sandbox) -> Iterator[Callable[..., httpx.Client]]:
    """Make HTTP clients of a vendor; ``key`` None sends none."""
    opened: list[httpx.Client] = []

    def make(vendor: str, key: str | None = "default") -> httpx.Client:
        headers = {}
        if key is not None:
            headers["Authorization"] = f"Bearer {sandbox.key_for(vendor) if key == 'default' else key}"
        client = httpx.Client(base_url=sandbox.host_for(vendor), headers=headers, timeout=20, verify=TLS)
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def media() -> Iterator[httpx.Client]:
    """A client without credentials, as one must have for signed links."""
    with httpx.Client(timeout=20, verify=TLS) as client:
        yield client
