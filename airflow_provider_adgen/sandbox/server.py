# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Running the sandbox in a background thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from airflow_provider_adgen.sandbox.client import SandboxClient
from airflow_provider_adgen.sandbox.engine.app import Application
from airflow_provider_adgen.sandbox.engine.state import State
from airflow_provider_adgen.sandbox.engine.webhooks import Webhooks
from airflow_provider_adgen.sandbox.media.host import MediaHost
from airflow_provider_adgen.sandbox.registry import make_vendors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.sandbox.engine.sending import Connections


def _tracked(connections: Connections) -> type[asyncio.Protocol]:
    """Create a uvicorn protocol that reports open connections, so that a fault can close one."""

    class Tracked(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # uvicorn picks this class when it is imported
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            if isinstance(transport, asyncio.Transport):
                self._adgen_transport = transport
                connections.opened(transport)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.closed(self._adgen_transport)
            super().connection_lost(exc)

    return Tracked


class Sandbox(SandboxClient):
    """A sandbox in this process, on a port of its own.

    ``with Sandbox(speed=100) as sandbox:`` starts it and stops it. After a stop and a
    start it has the same port, and with ``state`` the same state. It is controlled by the methods of
    :class:`~airflow_provider_adgen.sandbox.client.SandboxClient`, over HTTP.

    :param host: address to listen on.
    :param port: port; 0 for a free one.
    :param state: SQLite file that keeps the state over a restart; in memory when None.
    :param speed: the vendors' typical job durations are divided by this.
    :param credits: the credits of each vendor's first account.
    :param settings: settings by section, as ``{"adsumo": {"job_seconds": 2}}``.
    :param access_log: whether to write a line per request to stderr.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: str | None = None,
        speed: float = 1.0,
        credits: int = 1000,  # noqa: A002 - the word of the command line
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        access_log: bool = False,
    ) -> None:
        self._host = host
        self._port = port
        self._options: dict[str, Any] = {"state": state, "speed": speed, "credits": credits, "settings": settings}
        self._access_log = access_log
        self._thread: threading.Thread | None = None
        self._stop: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._failure: BaseException | None = None
        super().__init__("")

    def __enter__(self) -> Sandbox:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop."""
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    def start(self) -> None:
        """Start and return once requests are answered.

        :raises OSError: when the address cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # The protocol is named because asyncio disables Nagle's algorithm only then; otherwise each answer takes 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
            listener.listen(2048)
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - compared, not bound
        self._url = f"http://[{shown}]:{self._port}" if ":" in shown else f"http://{shown}:{self._port}"
        ready, self._failure = threading.Event(), None
        self._thread = threading.Thread(target=self._run, args=(listener, ready), name="adgen-sandbox", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self, *, wait: bool = True) -> None:
        """Stop, closing every connection.

        :param wait: whether to return only when everything is closed (a fraction of a second).
        """
        if self._stop is not None:
            loop, event = self._stop
            # The loop may have ended by itself.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(event.set)
            self._stop = None
        if wait and self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(listener, ready))
        except BaseException as error:
            self._failure = error
        finally:
            listener.close()
            ready.set()

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        vendors = {vendor.name: vendor for vendor in make_vendors()}
        state = State(vendors.values(), **self._options)
        state.base_url = self._url
        media = MediaHost(state, vendors)
        app = Application(state, vendors, media, access_log=self._access_log)
        # uvicorn's own log lines are not wanted, and its log configuration would change the whole process.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        config = uvicorn.Config(
            app,
            http=_tracked(app.connections),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            log_level=logging.CRITICAL,
            timeout_keep_alive=60,
            server_header=False,
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        webhooks = asyncio.create_task(Webhooks(state, vendors).run())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        event = asyncio.Event()
        self._stop = (asyncio.get_running_loop(), event)
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.002)
        ready.set()
        stopping = asyncio.create_task(event.wait())
        await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = server.force_exit = True
        webhooks.cancel()
        stopping.cancel()
        # Repeated: clients may connect until the listener is closed, and uvicorn waits for open connections.
        while not serving.done():
            app.connections.abort_all()
            await asyncio.wait({serving}, timeout=0.05)
        media.close()
        state.close()
        serving.result()
