# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Ways for a process to die, and a vendor that promises less than Adsumo does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.vendor import Promises
from airflow_provider_adgen.lifecycle import generation, submission
from airflow_provider_adgen.vendors.adsumo import VENDOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.support.rig import Rig

KillAt = "Callable[[str], AbstractContextManager[None]]"


class Killed(BaseException):
    """The process died here."""


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[None]]:
    """Within the context the process dies at the named point; nothing after it happens."""

    @contextmanager
    def at(point: str) -> Iterator[None]:
        reached: list[str] = []

        def failpoint(here: str) -> None:
            if here == point:
                reached.append(here)
                raise Killed(here)

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(submission, "failpoint", failpoint)
            patch.setattr(generation, "failpoint", failpoint)
            yield
        assert reached == [point]

    return at


@pytest.fixture
def promising(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the vendor promise something else than Adsumo does; nothing given: no keys, no refunds."""

    def promise(**promises: Any) -> None:
        made = {"nothing_started": VENDOR.promises.nothing_started, "lists_jobs": True, **promises}
        monkeypatch.setattr(VENDOR, "promises", Promises(**made))

    return promise


@pytest.fixture(params=[False, True], ids=["sync", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    found: bool = request.param
    return found


@pytest.fixture(params=["state", "objects", "both", "none"])
def anywhere(request: pytest.FixtureRequest, make_rig: Callable[..., Rig]) -> Rig:
    """A task whose record is in each place there can be, or nowhere."""
    return make_rig(records=request.param)


@pytest.fixture(params=["state", "objects"])
def recorded(request: pytest.FixtureRequest, make_rig: Callable[..., Rig]) -> Rig:
    """A task whose record is in either store."""
    return make_rig(records=request.param)
