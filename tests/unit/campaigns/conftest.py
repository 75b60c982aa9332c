# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_adgen.campaigns import Catalogue, CatalogueError, read_catalogue


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Catalogue]:
    """Read bytes, or a text in UTF-8, as a catalogue."""

    def read_data(data: bytes | str, **options: Any) -> Catalogue:
        path = tmp_path / "shop.feed"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return read_catalogue(path, **options)

    return read_data


@pytest.fixture
def problems(read: Callable[..., Catalogue]) -> Callable[..., list[str]]:
    """Say what is wrong with a catalogue."""

    def problems_of(data: bytes | str, **options: Any) -> list[str]:
        with pytest.raises(CatalogueError) as caught:
            read(data, **options)
        return caught.value.problems

    return problems_of
