# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The server that everybody is measured against: HTTP/1.1 over TLS, in a process of its own, with a latency.

``python -m tests.benchmarks.server --service adsumo --port-file ...`` serves one account of one service. It is asked to
begin, and what it counted, under ``/-/``; that is not counted. The protocol is written out by hand, because a server
that took more of the two cores than the clients do would measure itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from tests.benchmarks.apis import SERVICES, Answer, Request, events
from tests.benchmarks.jobs import Counts, Jobs, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
_CONTROL = "/-/"


class State:
    """
    The account, and what is told about it.

    :param options: the program's arguments.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.counts = Counts()
        service = SERVICES[options.service]
        limit = Window(options.limit, options.window) if options.limit else None
        self.jobs = Jobs(service.job_id, options.first, options.last)
        self.service = service(
            self.jobs, self.counts, oldest_first=options.oldest_first, limit=limit, kind=options.kind
        )
        self.latency: float = options.latency
        self._history: int = options.history
        if self._history:
            self._remember(self._history)

    def _remember(self, number: int) -> None:
        # What the account made before: long over, and none of it waited for.
        begun = time.time() - 86400
        for _ in range(number):
            self.jobs.add(begun, age=60)
        for job in self.jobs.all:
            self.counts.first_told[job.number] = 0.0

    def control(self, path: str, query: dict[str, str]) -> Any:
        """Do what the benchmark itself asks for."""
        if path == "/-/begin":
            now = time.time()
            made = self.jobs.add_aged(now, int(query["jobs"]), float(query["youngest"]), float(query["oldest"]))
            return {"now": now, "jobs": [[job.id, job.created] for job in made]}
        usage = resource.getrusage(resource.RUSAGE_SELF)
        report = self.counts.report()
        return {
            **report,
            "jobs_told": report["jobs_told"] - self._history,  # type: ignore[operator]
            "server_cpu_seconds": usage.ru_utime + usage.ru_stime,
            "ends": {job.id: job.ends for job in self.jobs.all[self._history :]},
        }


class Connection(asyncio.Protocol):
    """One client's connection; it may send its next request when it has the answer to the one before."""

    def __init__(self, world: State) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._unread = b""
        self._counted = False
        self._streaming: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop a stream that nobody reads any longer."""
        if self._streaming is not None:
            self._streaming.cancel()

    def data_received(self, data: bytes) -> None:
        """Read requests, and answer each after the latency."""
        self._unread += data
        while True:
            head, blank, rest = self._unread.partition(b"\r\n\r\n")
            if not blank:
                return
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            self._unread = rest[length:]
            method, target, _ = first.split(" ", 2)
            path, _, query = target.partition("?")
            self._received(method, unquote(path), dict(parse_qsl(query)), headers, rest[:length])

    def _received(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> None:
        world = self._world
        if path.startswith(_CONTROL):
            self._send(Answer(200, world.control(path, query)))
            return
        if not self._counted:
            self._counted = True
            world.counts.connections += 1
        now = time.time()
        short = path.removeprefix(world.service.prefix)
        named = "/".join("{id}" if any(one.isdigit() for one in part) else part for part in short.split("/"))
        world.counts.request(f"{method} {named}", now)
        request = Request(method, short, query, body, headers.get("authorization", ""))
        # Half of the latency lies before the moment at which the vendor looks, half behind it.
        self._loop.call_later(world.latency / 2, self._look, request)

    def _look(self, request: Request) -> None:
        if self._transport.is_closing():
            return
        answer = self._world.service.answer(request, time.time())
        if answer.stream is not None:
            self._streaming = self._loop.create_task(self._stream(answer))
            return
        self._loop.call_later(self._world.latency / 2, self._send, answer)

    def _send(self, answer: Answer) -> None:
        if self._transport.is_closing():
            return
        body, kind = answer.content, "image/png"
        if body is None:
            body, kind = json.dumps(answer.value, separators=(",", ":")).encode(), "application/json"
        lines = [
            f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        self._world.counts.bytes_sent += len(body)
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def _stream(self, answer: Answer) -> None:
        assert answer.stream is not None
        lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        await asyncio.sleep(self._world.latency / 2)
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        for moment, event in events(answer.stream):
            await asyncio.sleep(max(0.0, moment - time.time()))
            self._transport.write(event)
        self._transport.close()


async def serve(options: argparse.Namespace) -> None:
    """Serve until stdin closes, which it does when the benchmark ends, however it ends."""
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.certificate)
    world = State(options)
    server = await loop.create_server(lambda: Connection(world), "127.0.0.1", 0, ssl=context, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    world.service.origin = f"https://127.0.0.1:{port}"
    partial = options.port_file.with_suffix(".partial")
    partial.write_text(str(port))
    partial.rename(options.port_file)
    closing = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(closing), open(0, "rb", closefd=False))  # noqa: ASYNC230, SIM115 - a pipe that is open already
    await closing.read()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="The benchmark's server.")
    parser.add_argument("--service", choices=SERVICES, required=True)
    parser.add_argument("--certificate", type=Path, required=True, help="PEM file with key and certificate")
    parser.add_argument("--port-file", type=Path, required=True, help="where to write the port")
    parser.add_argument("--kind", default="image", help="what the jobs make")
    parser.add_argument("--latency", type=float, default=0.15, help="seconds")
    parser.add_argument("--first", type=float, default=15.0, help="seconds after which the first job ends")
    parser.add_argument("--last", type=float, default=35.0, help="seconds after which the last job ends")
    parser.add_argument("--limit", type=int, help="requests that each window accepts")
    parser.add_argument("--window", type=float, default=1.0, help="seconds of a window")
    parser.add_argument("--history", type=int, default=0, help="jobs that the account made earlier")
    parser.add_argument("--oldest-first", action="store_true", help="lists show the oldest job first")
    options = parser.parse_args(arguments)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(serve(options))


if __name__ == "__main__":
    main()
