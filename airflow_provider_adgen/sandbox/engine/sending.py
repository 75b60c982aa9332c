# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sending an answer, whole or cut short by a fault."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from airflow_provider_adgen.sandbox.engine.answers import Answer
    from airflow_provider_adgen.sandbox.engine.faults import Fault

PIECE = 65_536


class Connections:
    """The open connections by the client's address, so that a fault can close one."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}

    def opened(self, transport: asyncio.Transport) -> None:
        """Add a new connection."""
        peer = transport.get_extra_info("peername")
        if peer:
            self._transports[peer[:2]] = transport

    def closed(self, transport: asyncio.Transport) -> None:
        """Remove a closed connection."""
        peer = transport.get_extra_info("peername")
        if peer:
            self._transports.pop(peer[:2], None)

    def find(self, scope: Scope) -> asyncio.Transport | None:
        """Return the connection of a request."""
        client = scope.get("client")
        return self._transports.get((client[0], client[1])) if client else None

    def count(self) -> int:
        """Count the open connections."""
        return len(self._transports)

    def abort_all(self) -> None:
        """Close every connection at once."""
        for transport in list(self._transports.values()):
            transport.abort()


class Sender:
    """Sends one answer on one connection."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, connections: Connections) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._connections = connections

    async def drop(self, *, reset: bool = False) -> None:
        """Close the connection. Data that was sent before is flushed first, unless the connection is reset."""
        transport = self._connections.find(self._scope)
        if transport is not None:
            if reset:
                transport.abort()
            else:
                transport.close()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def send(self, answer: Answer, fault: Fault | None = None) -> None:
        """Send an answer. HEAD gets the headers of GET."""
        if answer.stream is not None:
            await self._stream(answer, answer.stream, fault)
            return
        body = answer.payload()
        headers = {"content-type": answer.content_type, **answer.headers, "content-length": str(len(body))}
        if answer.status == 204:
            headers.pop("content-length")
            headers.pop("content-type")
        await self._start(answer.status, headers)
        if self._scope["method"] == "HEAD":
            body = b""
        if fault is not None and fault.kind == "truncate":
            cut = len(body) // 2 if fault.bytes is None else min(fault.bytes, max(0, len(body) - 1))
            await self._pieces(body[:cut], more=True)
            await self.drop()
            return
        if fault is not None and fault.kind == "slow" and fault.bytes is not None:
            await self._pieces(body[: fault.bytes], more=True)
            await asyncio.sleep(fault.seconds)
            body = body[fault.bytes :]
        await self._pieces(body, more=False)

    async def _start(self, status: int, headers: dict[str, str]) -> None:
        lower = {name.lower(): value for name, value in headers.items()}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lower.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _pieces(self, body: bytes, *, more: bool) -> None:
        for start in range(0, len(body) - PIECE, PIECE):
            await self._send({"type": "http.response.body", "body": body[start : start + PIECE], "more_body": True})
        last = (max(0, len(body) - 1) // PIECE) * PIECE
        await self._send({"type": "http.response.body", "body": body[last:], "more_body": more})

    async def _stream(self, answer: Answer, stream: AsyncIterator[bytes], fault: Fault | None) -> None:
        await self._start(answer.status, {"content-type": answer.content_type, **answer.headers})
        task = asyncio.current_task()
        watcher = asyncio.create_task(self._watch(task))
        left = fault.bytes if fault is not None and fault.kind == "truncate" else None
        gone = False
        try:
            async for piece in stream:
                if left is not None and left < len(piece):
                    await self._send({"type": "http.response.body", "body": piece[:left], "more_body": True})
                    gone = True
                    break
                left = None if left is None else left - len(piece)
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            if not gone:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            # The client disconnected: the ordinary end of a stream.
            if not watcher.done():
                raise
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
        if gone:
            await self.drop()

    async def _watch(self, task: asyncio.Task[None] | None) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if task is not None:
            task.cancel()
