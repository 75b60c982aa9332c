# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server that answers what a test tells it to, event streams included, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """An answer: a JSON value, or bytes as they are."""

    value: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Sse:
    """
    An event stream: pairs of an event's name and its data, or seconds to wait.

    :param hang: keep it open after the last event until the client or the server goes.
    :param broken: cut it off in the middle of a chunk.
    """

    events: list[Any] = field(default_factory=list)
    hang: bool = False
    broken: bool = False


class Tiny:
    """
    Answers ``METHOD /path`` with a :class:`Reply`, a :class:`Sse`, or a list of them (the last one stays).

    What it does not know is a 404, as a server's router says it.
    """

    def __init__(self) -> None:
        self.routes: dict[str, Any] = {}
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        tiny = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_args: Any) -> None:
                pass

            def handle_any(self) -> None:
                tiny._handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args: Any) -> None:
                pass  # a client that went away is what some tests are about

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked]

    def _handle(self, handler: Any) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        route = f"{handler.command} {parts.path}"
        with self._lock:
            self.asked.append(Asked(handler.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
            reply = self.routes.get(route, Reply({"success": False, "error": "no such route"}, 404))
            if isinstance(reply, list):
                reply = reply.pop(0) if len(reply) > 1 else reply[0]
        if isinstance(reply, Sse):
            self._stream(handler, reply)
            return
        content = reply.value if isinstance(reply.value, bytes) else json.dumps(reply.value).encode()
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _stream(self, handler: Any, stream: Sse) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        for event in stream.events:
            if isinstance(event, int | float):
                self._stopped.wait(event)
                continue
            name, data = event
            text = data if isinstance(data, str) else json.dumps(data)
            lines = ([f"event: {name}"] if name else []) + [f"data: {line}" for line in text.split("\n")]
            chunk = ("\n".join(lines) + "\n\n").encode()
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            handler.wfile.flush()
        if stream.broken:
            handler.wfile.write(b"ff\r\nevent: st")
            return
        if stream.hang:
            while not self._stopped.wait(0.05):
                handler.wfile.write(b"3\r\n:\n\n\r\n")  # a comment; it fails when the client has gone
                handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")
