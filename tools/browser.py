# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, as far as tests and screenshots need it: over the DevTools protocol, without a driver."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 20.0
"""Seconds after which what a page should have done counts as not done."""


class BrowserFailed(AssertionError):
    """The browser, or a page in it, did not do what it should; the message says what."""


def find_chromium() -> str | None:
    """Return the browser's program: ``ADGEN_CHROMIUM``, or what is on the path."""
    return os.environ.get("ADGEN_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running(program: str, home: Path) -> Iterator[str]:
    """
    Run the browser; yield the address of its DevTools.

    :param program: its program.
    :param home: an empty folder for its profile.
    :raises BrowserFailed: it has ended at once.
    """
    options = [
        "--headless=new",
        "--remote-debugging-port=0",
        f"--user-data-dir={home}",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        "--autoplay-policy=no-user-gesture-required",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    with subprocess.Popen([program, *options, "about:blank"], stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr or ():
                if "DevTools listening on" in line:
                    yield line.split()[-1]
                    break
            else:
                raise BrowserFailed("the browser has ended before it could be used")
        finally:
            process.kill()


class Page:
    """
    One page of a browser: what it requested, what went wrong in it, and what is on it.

    :param socket: the connection to the browser's DevTools; of this page alone.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._loaded = asyncio.Event()
        self.requested: list[str] = []
        self.wrong: list[str] = []
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, client: aiohttp.ClientSession, devtools: str, width: int, height: int) -> Page:
        """Open an empty page of a browser; it counts as a phone where it is narrow."""
        page = cls(await client.ws_connect(devtools, max_msg_size=0))
        target = (await page.send("Target.createTarget", url="about:blank"))["targetId"]
        page._target = target
        page._session = (await page.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        for part in ("Page", "Network", "Runtime", "Log"):
            await page.send(f"{part}.enable")
        phone = width < 600
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        await page.send("Emulation.setDeviceMetricsOverride", **size)
        return page

    _target = ""

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """
        Send a command; return its answer.

        :raises BrowserFailed: the browser refuses it.
        """
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": number, "method": method, "params": parameters, **session})
        return await asyncio.wait_for(self._answers[number], PATIENCE)

    async def go(self, url: str) -> None:
        """Open a page and wait until it is loaded."""
        self._loaded.clear()
        await self.send("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE)

    async def value(self, expression: str) -> Any:
        """
        Return what an expression is worth on the page; wait for it where it is a promise.

        :raises BrowserFailed: it raises.
        """
        answer = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserFailed(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """
        Wait until an expression is true on the page.

        :raises BrowserFailed: it is not, for as long as patience lasts.
        """
        await self.value(
            "new Promise((ok, fail) => { const began = Date.now(); const look = () => { try { if ("
            f"{condition}) return ok(); }} catch (error) {{ return fail(error); }}"
            f" Date.now() - began > {1000 * PATIENCE - 2000} ? fail(new Error('not so')) : setTimeout(look, 10); }};"
            " look(); })"
        )

    async def press(self, key: str) -> None:
        """Press and release a key that makes no character."""
        code = {"ArrowLeft": 37, "ArrowRight": 39, "Escape": 27}[key]
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    async def screenshot(self) -> bytes:
        """Return what is to be seen as a PNG file."""
        return base64.b64decode((await self.send("Page.captureScreenshot", format="png"))["data"])

    async def close(self) -> None:
        """Close the page."""
        self._session = None
        await self.send("Target.closeTarget", targetId=self._target)
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        await self._socket.close()

    async def _listen(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                future = self._answers.pop(told["id"])
                if "error" in told:
                    future.set_exception(BrowserFailed(told["error"]["message"]))
                else:
                    future.set_result(told["result"])
                continue
            method, parameters = told["method"], told["params"]
            if method == "Page.loadEventFired":
                self._loaded.set()
            elif method == "Network.requestWillBeSent":
                if not parameters["request"]["url"].startswith("data:"):  # the browser's own icons of a player
                    self.requested.append(parameters["request"]["url"])
            elif method == "Runtime.exceptionThrown":
                self.wrong.append(str(parameters["exceptionDetails"]))
            elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                self.wrong.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
