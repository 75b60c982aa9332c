# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: it takes a request through faults, keys, rate limits and handlers."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, QueryParams

from airflow_provider_adgen.sandbox.engine.answers import Answer, Refusal
from airflow_provider_adgen.sandbox.engine.call import Call
from airflow_provider_adgen.sandbox.engine.control import Control
from airflow_provider_adgen.sandbox.engine.corruption import corrupt
from airflow_provider_adgen.sandbox.engine.faults import Fault, retry_after_header
from airflow_provider_adgen.sandbox.engine.idempotency import Replays, fingerprint
from airflow_provider_adgen.sandbox.engine.log import KEPT_BODY_BYTES, KEPT_UPLOAD_BYTES
from airflow_provider_adgen.sandbox.engine.sending import Connections, Sender

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from airflow_provider_adgen.sandbox.engine.accounts import Account, Key
    from airflow_provider_adgen.sandbox.engine.limits import Window
    from airflow_provider_adgen.sandbox.engine.log import Entry
    from airflow_provider_adgen.sandbox.engine.state import State
    from airflow_provider_adgen.sandbox.engine.vendor import Endpoint, Vendor
    from airflow_provider_adgen.sandbox.media.host import MediaHost

# The longest body of a vendor's endpoint. The longest documented one is a knowledge file of 10 MB.
LONGEST_BODY = 16 * 1024 * 1024


async def read_body(receive: Receive, longest: int = LONGEST_BODY) -> bytes | None:
    """Read a request's body; None when it is too long (the rest is read and discarded)."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        size += len(message.get("body", b""))
        if size <= longest:
            pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(pieces) if size <= longest else None


async def slow(fault: Fault | None, when: str) -> None:
    """Wait as a slow fault says. A fault that pauses within the body waits while it is sent."""
    if fault is not None and fault.strikes("slow", when) and fault.bytes is None:
        await asyncio.sleep(fault.seconds)


class Application:
    """The sandbox as an ASGI application.

    :param state: the state.
    :param vendors: the vendors by name.
    :param media: the storage host.
    :param access_log: whether to write a line per request to stderr.
    """

    def __init__(
        self, state: State, vendors: Mapping[str, Vendor], media: MediaHost, *, access_log: bool = False
    ) -> None:
        self.state = state
        self.vendors = vendors
        self.media = media
        self.connections = Connections()
        self._control = Control(state, self.connections)
        self._replays = Replays(state.store, state.clock)
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        sender = Sender(scope, receive, send, self.connections)
        started = time.monotonic()
        path: str = scope["path"]
        status: int | None = None
        try:
            if path.startswith("/_sandbox"):
                answer = await self._control.answer(scope, await read_body(receive) or b"")
                status = answer.status
                await sender.send(answer)
            else:
                status = await self._received(scope, receive, sender)
        except Exception:
            # An error of the sandbox itself: print it, and answer as a server would.
            traceback.print_exc(file=sys.stderr)
            status = 500
            await sender.send(Answer(500, {"error": "The sandbox itself failed; see its stderr"}))
        if self._access_log:
            milliseconds = (time.monotonic() - started) * 1000
            print(f"{scope['method']} {path} {status or 'dropped'} {milliseconds:.1f} ms", file=sys.stderr, flush=True)

    def _vendor_of(self, path: str) -> tuple[Vendor | None, str]:
        for vendor in self.vendors.values():
            if path.startswith(vendor.prefix + "/"):
                return vendor, path.removeprefix(vendor.prefix)
        if path.startswith(("/media/", "/upload/")):
            return self.vendors.get(path.split("/")[2]), path
        return None, path

    async def _received(self, scope: Scope, receive: Receive, sender: Sender) -> int | None:
        """Answer a request to a vendor or to the storage host.

        :return: the status answered; None when the connection was dropped.
        """
        state, method, full_path = self.state, scope["method"], scope["path"]
        vendor, path = self._vendor_of(full_path)
        name = vendor.name if vendor is not None else ""
        entry = state.log.open(
            state.clock.now(), name, method, full_path, scope["query_string"].decode("latin-1"), scope["headers"]
        )
        storage = full_path.startswith(("/media/", "/upload/"))
        body = await read_body(receive, self.media.longest_upload if storage else LONGEST_BODY)
        entry.keep_body(body or b"", KEPT_UPLOAD_BYTES if storage else KEPT_BODY_BYTES)
        headers = Headers(scope=scope)
        key = self._key(vendor, headers) if vendor is not None else None
        account = key.account if key is not None else None
        fault = state.faults.take(name, method, path, full_path, account, body or b"")
        if fault is not None:
            entry.fault = fault.kind
            if await self._before(fault, vendor, sender, entry):
                return entry.status
        if body is None:
            answer = self._refused(vendor, Refusal(413, "The request body is too large"))
        elif storage:
            expired = fault is not None and fault.kind == "expired_link"
            answer = await self.media.answer(
                method, full_path, QueryParams(scope["query_string"]), headers, body, expired
            )
            await slow(fault, "after")
        elif vendor is None:
            answer = Answer(404, {"error": f"The sandbox serves nothing at {full_path}"})
        else:
            answer = await self._vendor_answer(scope, vendor, path, headers, body, fault, entry)
        if fault is not None and fault.when == "after":
            if fault.kind == "drop":
                await sender.drop(reset=fault.reset)
                return None
            answer = corrupt(self._instead(fault, vendor) or answer, fault)
        entry.status = answer.status
        await sender.send(answer, fault)
        return answer.status

    async def _before(self, fault: Fault, vendor: Vendor | None, sender: Sender, entry: Entry) -> bool:
        """Let a fault strike before the request is accepted.

        :return: whether the request was answered or dropped.
        """
        await slow(fault, "before")
        if fault.strikes("drop", "before"):
            await sender.drop(reset=fault.reset)
            return True
        answer = self._instead(fault, vendor) if fault.when == "before" else None
        if answer is None:
            return False
        answer = corrupt(answer, fault)
        entry.status = answer.status
        await sender.send(answer)
        return True

    def _instead(self, fault: Fault, vendor: Vendor | None) -> Answer | None:
        """Return the answer to send instead; None where a fault keeps or only changes the answer."""
        if fault.kind == "redirect":
            return Answer(fault.status, body=b"", headers={"location": fault.location}, content_type="text/plain")
        if fault.kind != "status":
            return None
        if fault.body is not None:
            answer = Answer(fault.status, body=fault.body.encode(), content_type="text/plain")
        else:
            message = fault.message or "Injected by a test of the sandbox"
            answer = self._refused(vendor, Refusal(fault.status, message))
        answer.headers |= fault.refusal_headers()
        return answer

    def _refused(self, vendor: Vendor | None, refusal: Refusal) -> Answer:
        data: Any = {"error": refusal.message} if vendor is None else vendor.envelope(refusal)
        return Answer(refusal.status, data, headers=refusal.headers)

    async def _vendor_answer(
        self, scope: Scope, vendor: Vendor, path: str, headers: Headers, body: bytes, fault: Fault | None, entry: Entry
    ) -> Answer:
        shown: dict[str, str] = {}
        try:
            endpoint, params = vendor.routes.find(scope["method"], path)
            with self.state.store.transaction():
                now = self.state.settle()
                account, key = self._authenticated(vendor, endpoint, headers)
            query, base_url = QueryParams(scope["query_string"]), f"http://{headers.get('host') or '127.0.0.1'}"
            method = scope["method"]
            call = Call(
                self.state, vendor, method, path, params, query, headers, body, base_url, account, key, now, fault
            )
            entry.account = account.id
            if not endpoint.public:
                shown = self._limit(vendor, endpoint, account.id)
            entry.late = self.state.late(vendor.name)
            answer = await self._run(call, vendor, endpoint, entry.late)
        except Refusal as refusal:
            answer = self._refused(vendor, refusal)
        for name, value in shown.items():
            answer.headers.setdefault(name, value)
        return answer

    def _key(self, vendor: Vendor, headers: Headers) -> Key | None:
        token = vendor.token(headers)
        return self.state.accounts.key(vendor.name, token) if token else None

    def _authenticated(self, vendor: Vendor, endpoint: Endpoint, headers: Headers) -> tuple[Account, Key]:
        accounts = self.state.accounts
        key = accounts.first_key(vendor.name) if endpoint.public else self._key(vendor, headers)
        account = accounts.find(vendor.name, key.account) if key is not None else None
        if key is None or account is None:
            raise Refusal(401, "Missing or invalid API key")
        if account.status != "active" and not endpoint.public:
            raise Refusal(403, vendor.forbidden)
        return account, key

    def _limit(self, vendor: Vendor, endpoint: Endpoint, account: str) -> dict[str, str]:
        limits = self.state.settings.get(vendor.name, "rate_limits")
        rate_class = endpoint.rate_class if endpoint.rate_class in limits else "*"
        limit = limits.get(rate_class)
        if not limit:
            return {}
        allowed, window = self.state.limits.take(vendor.name, account, rate_class, int(limit[0]), float(limit[1]))
        if not allowed:
            headers = self._retry_after(vendor, window) | vendor.limit_headers(window)
            raise Refusal(429, "Rate limit exceeded", headers=headers)
        return vendor.limit_headers(window)

    def _retry_after(self, vendor: Vendor, window: Window) -> dict[str, str]:
        form = self.state.settings.get(vendor.name, "retry_after")
        if form == "none":
            return {}
        return {"Retry-After": retry_after_header(window.ends - self.state.clock.now(), form == "date")}

    async def _run(self, call: Call, vendor: Vendor, endpoint: Endpoint, late: float) -> Answer:
        header = vendor.idempotency_header
        key = call.headers.get(header) if header and call.method == "POST" else None
        async with self._replays.turn(vendor.name, call.account.id, key):
            try:
                return await self._handled(call, vendor, endpoint, key)
            finally:
                # Accepted and charged. Other requests with the same key wait until this one is answered.
                await slow(call.fault, "after")
                if late:
                    await asyncio.sleep(late)

    async def _handled(self, call: Call, vendor: Vendor, endpoint: Endpoint, key: str | None) -> Answer:
        """Run the handler, or replay its first answer. Charge, job and kept answer are one transaction."""
        kept = self._replays.find(vendor.name, call.account.id, key) if key else None
        request = fingerprint(call.method, call.path, call.body)
        if kept is not None:
            return vendor.replayed(kept[0], kept[1] == request, call)
        with self.state.store.transaction():
            answer = endpoint.handler(call)
            if key:
                self._replays.keep(vendor.name, call.account.id, key, request, answer)
        if answer.artwork is not None:
            file = await self.media.gallery.file(answer.artwork)
            answer.body, answer.content_type = file.data, file.content_type
        if answer.not_before is not None:
            while self.state.clock.now() < answer.not_before:
                await self.state.clock.sleep_until(answer.not_before)
        return answer
