# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Many files are looked for in listings, and none is called gone because of one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.ledger.stored_files import MANY, FileFacts, facts_of
from tests.support.library import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.library import OwnMemory


@pytest.fixture
def store(attached: Callable[[], tuple[OwnMemory, str]]) -> tuple[OwnMemory, str, Counter[str]]:
    fs, base = attached()
    requests: Counter[str] = Counter()

    def on(operation: str, path: str) -> None:
        if not operation.startswith("after "):
            requests[operation] += 1

    fs.on = on
    return fs, base, requests


def test_many_files_take_a_listing_of_each_folder_that_has_many(store: tuple[OwnMemory, str, Counter[str]]) -> None:
    _, base, requests = store
    first = [f"{base}/ads/week-1/P-{number}/hero/1x1-a.png" for number in range(MANY)]
    later = [f"{base}/ads/week-{2 + number % 3}/P-{number}/hero/1x1-b.png" for number in range(9)]
    for uri in (*first, *later):
        write(uri, b"png")
    write(f"{base}/ads/_adgen/library/entries/00/x.json", b"{}")
    requests.clear()
    assert set(facts_of([*first, *later]).values()) == {FileFacts(3)}
    assert requests == {"find": 1, "info": len(later)}


def test_what_a_listing_does_not_show_is_asked_for(store: tuple[OwnMemory, str, Counter[str]]) -> None:
    fs, base, requests = store
    files = [f"{base}/ads/P-{number}/1x1.png" for number in range(MANY + 5)]
    for uri in files[5:]:
        write(uri, b"png")
    requests.clear()
    found = facts_of(files)
    assert requests == {"find": 1, "info": 5}
    assert all(isinstance(found[uri], FileNotFoundError) for uri in files[:5])
    assert all(found[uri] == FileFacts(3) for uri in files[5:])

    def refuse(operation: str, path: str) -> None:
        if operation == "find":
            raise PermissionError(path)

    fs.on = refuse
    assert facts_of(files)[files[-1]] == FileFacts(3)


def test_few_files_take_a_request_each(store: tuple[OwnMemory, str, Counter[str]]) -> None:
    _, base, requests = store
    files = [f"{base}/ads/P-{number}/1x1.png" for number in range(20)]
    for uri in files:
        write(uri, b"png")
    requests.clear()
    facts_of(files)
    assert requests == {"info": 20}
