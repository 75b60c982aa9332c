# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Memory file systems that Airflow finds under a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.library import memory_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.library import OwnMemory


@pytest.fixture
def attached() -> Iterator[Callable[[], tuple[OwnMemory, str]]]:
    """Attach a new, empty memory file system; return it and the path of a folder in it."""
    with memory_stores() as make:
        yield make
