# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A storage host that does what real ones do: ranges, expired signatures, redirects, connections that break."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.vocabulary import Generation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Canned = tuple[int, dict[str, str], bytes]


@dataclass
class File:
    """
    One file of the host.

    :param body: its content.
    :param cuts: for each of the next answers, the bytes of the body after which the connection breaks (None: whole).
    :param canned: whole answers to give first, one per request.
    :param ranges: answer ranges with 206.
    :param signatures: the values of ``sig`` that are accepted; None accepts any.
    :param refusal: the status for any other ``sig``.
    :param before: called in the server's thread before each piece of the body.
    """

    body: bytes = b""
    content_type: str | None = "video/mp4"
    etag: str | None = '"v1"'
    modified: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cuts: list[int | None] = field(default_factory=list)
    canned: list[Canned] = field(default_factory=list)
    ranges: bool = True
    tell_length: bool = True
    signatures: set[str] | None = None
    refusal: int = 403
    before: Callable[[int], None] | None = None
    content_range: Callable[[int, int], str] = lambda start, total: f"bytes {start}-{total - 1}/{total}"


@dataclass
class Seen:
    """One request as it arrived, header names in lower case."""

    path: str
    query: str
    headers: dict[str, str]


class StorageHost:
    """The running host: its files by path, and what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.seen: list[Seen] = []
        self.busy = 0
        self.busiest = 0
        self._lock = threading.Lock()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 0

            def do_GET(self) -> None:
                with host._lock:
                    host.busy += 1
                    host.busiest = max(host.busiest, host.busy)
                try:
                    with contextlib.suppress(ConnectionError):
                        host.answer(self)
                finally:
                    with host._lock:
                        host.busy -= 1

            def log_message(self, *_args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args: Any) -> None:
                pass  # a client that goes away is part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str, *, sig: str | None = None, name: str = "127.0.0.1") -> str:
        return f"http://{name}:{self.port}{path}" + (f"?sig={sig}" if sig else "")

    def asked(self, path: str) -> list[dict[str, str]]:
        return [seen.headers for seen in self.seen if seen.path == path]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.seen.append(Seen(parts.path, parts.query, headers))
        file = self.files.get(parts.path)
        if file is None:
            return self._whole(handler, 404, {}, b"no such file")
        if file.signatures is not None and parse_qs(parts.query).get("sig", [""])[0] not in file.signatures:
            return self._whole(handler, file.refusal, {"Content-Type": "application/xml"}, b"<Error>expired</Error>")
        if file.canned:
            return self._whole(handler, *file.canned.pop(0))
        self._file(handler, file, headers)

    def _whole(self, handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _file(self, handler: BaseHTTPRequestHandler, file: File, asked: dict[str, str]) -> None:
        start = 0
        wanted, condition = asked.get("range"), asked.get("if-range")
        if wanted is not None and file.ranges and condition in {None, file.etag, file.modified}:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206 if start else 200)
        told = {"Content-Type": file.content_type, "ETag": file.etag, "Last-Modified": file.modified, **file.headers}
        if start:
            told["Content-Range"] = file.content_range(start, len(file.body))
        if file.ranges:
            told["Accept-Ranges"] = "bytes"
        if file.tell_length:
            told.setdefault("Content-Length", str(len(file.body) - start))
        else:
            told["Connection"] = "close"
        for name, value in told.items():
            if value is not None:
                handler.send_header(name, value)
        handler.end_headers()
        cut = file.cuts.pop(0) if file.cuts else None
        end = len(file.body) if cut is None else min(len(file.body), start + cut)
        view = memoryview(file.body)
        for position in range(start, end, 1 << 16):
            if file.before is not None:
                file.before(position)
            handler.wfile.write(view[position : min(end, position + (1 << 16))])
        if cut is not None or not file.tell_length:
            handler.close_connection = True


class TestClock(Clock):
    """Time that passes only when somebody sleeps."""

    __test__ = False

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class Vendor:
    """Stands for the hook: tells the generation again, with the links it has by then."""

    def __init__(self) -> None:
        self.answers: list[Generation | Exception] = []
        self.asked = 0

    async def __call__(self) -> Generation:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def make_generation(*urls: str | None, kind: str = "video", creative: str = "video", **fields: Any) -> Generation:
    creatives = [{"kind": creative, "url": url} for url in urls]
    shape = {"vendor": "adsumo", "id": "gen_1", "kind": kind, "status": "completed", "creatives": creatives, **fields}
    return Generation.model_validate(shape)


@pytest.fixture
def storage() -> Iterator[StorageHost]:
    host = StorageHost()
    yield host
    host.close()


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def generation() -> Callable[..., Generation]:
    return make_generation


@pytest.fixture
def new_file() -> type[File]:
    return File
