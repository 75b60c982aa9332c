# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A pytest fixture that runs the sandbox, for this package's tests and for anybody's DAG tests.

pytest finds it by itself where the package is installed (with its extra ``sandbox``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_adgen.sandbox.server import Sandbox


@pytest.fixture
def adgen_sandbox_options() -> dict[str, Any]:
    """Keyword arguments of the sandbox that :func:`adgen_sandbox` starts; override it to have others."""
    return {"speed": 200.0}


@pytest.fixture
def adgen_sandbox(adgen_sandbox_options: dict[str, Any]) -> Iterator[Sandbox]:
    """Run a fresh sandbox for one test: no jobs, 1000 credits at each vendor, jobs that take well under a second."""
    # Imported here: a test run that uses no sandbox needs neither starlette nor uvicorn.
    from airflow_provider_adgen.sandbox.server import Sandbox

    sandbox = Sandbox(**adgen_sandbox_options)
    sandbox.start()
    try:
        yield sandbox
    finally:
        # This closes the connections at once; the thread ends a moment later.
        sandbox.stop(wait=False)
