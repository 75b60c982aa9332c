# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.batch import BatchRig
from tests.support.rig import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_adgen.sandbox import Sandbox
    from tests.conftest import Diary


@pytest.fixture
def batch(
    sandbox: Sandbox, quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, diary: Diary
) -> Iterator[BatchRig]:
    """A batch; whatever it does, no key and no signed link may show up in a log, a record, the results or a file."""
    yield BatchRig(sandbox, monkeypatch, tmp_path)
    assert not leaks(diary.text())
    for path in tmp_path.rglob("*.json*"):
        assert not leaks(path.read_text())
