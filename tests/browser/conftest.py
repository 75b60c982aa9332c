# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a person sees in a browser. Without Chromium these tests are skipped, and say so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tools.browser import Page, find_chromium, running

Open = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium: install the package chromium of your system, or name its program in ADGEN_CHROMIUM")
    with running(program, tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
async def open_page(devtools: str) -> AsyncIterator[Open]:
    """Open addresses in pages of their own."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())

        async def open_one(url: str, width: int = 1280, height: int = 900) -> Page:
            page = await Page.open(client, devtools, width, height)
            stack.push_async_callback(page.close)
            await page.go(url)
            return page

        yield open_one


@pytest.fixture
async def bucket(tmp_path: Path) -> AsyncIterator[tuple[Path, str]]:
    """A folder, and the address under which it is served: a bucket behind https, but for the s."""
    app = web.Application()
    app.router.add_static("/ads", tmp_path)
    async with TestServer(app) as server:
        yield tmp_path, str(server.make_url("/ads"))
