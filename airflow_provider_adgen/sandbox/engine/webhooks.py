# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Delivering webhooks: once per job, when it ends."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from airflow_provider_adgen.sandbox.engine.state import State
    from airflow_provider_adgen.sandbox.engine.vendor import Vendor

# How often the clock is checked while a key has a webhook, in real seconds.
TICK = 0.05
# The sandbox's own choice; no vendor documents its timeout.
TIMEOUT = 5.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int | None, str | None]:
    """POST a webhook.

    :return: the status answered, or None and what went wrong.
    """
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - checked by the caller
    # No proxies: a webhook of the sandbox goes to this machine or near it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            return int(response.status), None
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError) as error:
        return None, str(error)


class Webhooks:
    """The background task that delivers.

    :param state: the state.
    :param vendors: the vendors by name.
    """

    def __init__(self, state: State, vendors: Mapping[str, Vendor]) -> None:
        self._state = state
        self._vendors = vendors

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            if not self._state.store.number("SELECT count(*) FROM keys WHERE webhook_url IS NOT NULL"):
                continue
            try:
                self._state.settle()
                rows = self._state.store.rows("SELECT * FROM deliveries WHERE next IS NOT NULL ORDER BY seq LIMIT 20")
                await asyncio.gather(*(self._deliver(row) for row in rows))
            except Exception:
                # An error of the sandbox itself: print it, and go on with the next round.
                traceback.print_exc(file=sys.stderr)

    async def _deliver(self, row: sqlite3.Row) -> None:
        state = self._state
        vendor = self._vendors[row["vendor"]]
        job = state.jobs.get(vendor.name, row["job_id"])
        event = None if job is None else vendor.event(state, job, state.base_url)
        status: int | None = None
        error: str | None = "this vendor documents no webhook for it"
        body = b""
        if event is not None and row["url"].startswith(("http://", "https://")):
            body = json.dumps(event, separators=(",", ":")).encode()
            headers = {"Content-Type": "application/json", **vendor.signature(row["secret"], body)}
            # Marked before it is sent: a sandbox that is killed meanwhile does not send it twice.
            state.store.run("UPDATE deliveries SET next = NULL, attempts = attempts + 1 WHERE seq = ?", (row["seq"],))
            status, error = await asyncio.to_thread(post, row["url"], body, headers)
        state.store.run(
            "UPDATE deliveries SET next = NULL, status = ?, error = ?, body = ? WHERE seq = ?",
            (status, error, body.decode(), row["seq"]),
        )
