# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""No request gets dearer with the number of jobs that there were before.

Work is counted, not timed: calls of functions, and steps of the database's virtual machine.
"""

from __future__ import annotations

import json
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.sandbox.engine.app import Application
from airflow_provider_adgen.sandbox.engine.jobs import Which
from airflow_provider_adgen.sandbox.engine.state import DEFAULT_ACCOUNT, State
from airflow_provider_adgen.sandbox.media.host import MediaHost
from airflow_provider_adgen.sandbox.registry import make_vendors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import FrameType

FEW, MANY = 100, 2_000
# The most steps of the database that one counted row may take. A row that is read takes about fifty, with its calls.
ROW = 10

JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "adsumo": ("ai-video", {"prompt": "x", "model": "sora-2", "aspect_ratio": "1:1", "duration": 8}),
    "cutx": ("static_ad", {"product": "Shoe", "aspectRatio": "1:1", "style": None}),
    "sume": ("video_generation", {"prompt": "x", "duration": 5}),
    "cinematicads": ("staticad", {"concept": "x", "quality": "standard", "formats": ["9:16"], "project": "p"}),
}


class Bench:
    """A sandbox without a network, whose work is counted."""

    def __init__(self) -> None:
        self.vendors = {vendor.name: vendor for vendor in make_vendors()}
        settings = {name: {"active_limit": 100, "rate_limits": {"workflow": None, "*": None}} for name in JOBS}
        self.state = State(self.vendors.values(), credits=10**6, settings=settings)
        self.media = MediaHost(self.state, self.vendors)
        self.app = Application(self.state, self.vendors, self.media)
        (self.project,) = (document.id for document in self.state.documents.page("cutx", DEFAULT_ACCOUNT, "project"))
        (self.product,) = (document.id for document in self.state.documents.page("cutx", DEFAULT_ACCOUNT, "product"))
        # A project whose jobs and products stay few.
        self.small = str(uuid.uuid4())
        self.state.documents.put("cutx", DEFAULT_ACCOUNT, "project", self.small, {"name": "Small", "description": None})
        self.jobs = 0
        self.keys = {key.vendor: key for key in self.state.accounts.all_keys()}
        self.accounts = {account.vendor: account for account in self.state.accounts.all()}

    def fill(self, jobs: int) -> None:
        """Start jobs at each vendor, and make products, until there are so many. One job in a hundred goes on."""
        product = self.state.documents.page("cutx", DEFAULT_ACCOUNT, "product", limit=1)[0].data
        with self.state.store.transaction():
            for number in range(self.jobs, jobs):
                project = self.small if number < 5 else self.project
                made = product | {"project": project}
                self.state.documents.put("cutx", DEFAULT_ACCOUNT, "product", f"product {number}", made)
                for vendor, (kind, request) in JOBS.items():
                    account, key = self.accounts[vendor], self.keys[vendor]
                    seconds = 1e6 if number % 100 == 0 else 0
                    named = {"projectId": project, "productId": self.product, "batchId": f"b{number // 50}"}
                    self.state.start_job(account, key, kind, request | named, 1, what="x", seconds=seconds)
        self.jobs = jobs
        self.state.settle()

    async def work(self, vendor: str, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        """Count what one request takes."""
        steps = calls = 0

        def stepped() -> int:
            nonlocal steps
            steps += 1
            return 0

        def called(frame: FrameType, *_: object) -> None:
            nonlocal calls
            calls += frame.f_code is not stepped.__code__

        path, _, query = path.partition("?")
        prefix, key = ("", "") if vendor == "" else (self.vendors[vendor].prefix, self.vendors[vendor].default_key)
        headers = {"host": "127.0.0.1:1", "authorization": f"Bearer {key}", "content-type": "application/json"}
        scope = {
            "type": "http",
            "method": method,
            "path": prefix + path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}

        async def send(message: Any) -> None:
            sent.append(message)

        self.state.store._db.set_progress_handler(stepped, 1)
        sys.setprofile(called)
        try:
            await self.app(scope, receive, send)
        finally:
            sys.setprofile(None)
            self.state.store._db.set_progress_handler(None, 0)
        assert sent[0]["status"] in (200, 202), sent
        return steps + calls


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.media.close()
    made.state.close()


# What a batch asks for again and again: each takes the same at any number of jobs.
STEADY: list[tuple[str, str, str, dict[str, Any] | None]] = [
    ("adsumo", "POST", "/videos/ai-video", {"prompt": "x", "model": "sora-2"}),
    ("cutx", "POST", "/api/generate/static-ad", {"projectId": "{project}", "productId": "{product}"}),
    ("sume", "POST", "/videos/generations", {"prompt": "x"}),
    ("cinematicads", "POST", "/api/workflow", {"type": "staticad"}),
    ("adsumo", "GET", "/generations/{newest}", None),
    ("cutx", "GET", "/api/generate/status?jobId={newest}", None),
    ("sume", "GET", "/jobs/{newest}", None),
    ("sume", "GET", "/jobs?limit=50", None),
    ("sume", "GET", "/jobs?limit=50&status=completed", None),
    ("sume", "GET", "/jobs?limit=50&status=completed&type=video_generation", None),
    ("sume", "GET", "/jobs?limit=50&status=failed", None),
    ("cutx", "GET", "/api/assets?limit=50", None),
    ("cutx", "GET", "/api/assets?limit=50&projectId={project}", None),
    ("cutx", "GET", "/api/assets?limit=50&projectId={small}", None),
    ("cutx", "GET", "/api/products?projectId={project}", None),
    ("cutx", "GET", "/api/products?projectId={small}", None),
    ("cinematicads", "GET", "/api/batch/status?batchId=b1", None),
    ("adsumo", "GET", "/account/credits", None),
    ("cutx", "GET", "/api/credits/balance", None),
    ("cinematicads", "GET", "/api/user/credits", None),
    ("", "GET", "/_sandbox/ledger?job_id={newest}", None),
    ("", "GET", "/_sandbox/ledger?idempotency_key=a", None),
    ("", "GET", "/_sandbox/accounts", None),
    ("", "GET", "/_sandbox/requests?since=1000000", None),
]
# These count rows: a total, or what runs. A row counted is far cheaper than a row read.
COUNTING: list[tuple[str, str, str, dict[str, Any] | None]] = [
    ("adsumo", "GET", "/generations?limit=50", None),
    ("adsumo", "GET", "/generations?limit=50&offset={deep}", None),
    ("adsumo", "GET", "/generations?limit=50&status=processing", None),
    ("adsumo", "GET", "/generations?limit=50&status=completed&type=ai-video&offset={deep}", None),
    ("sume", "GET", "/credits", None),
    ("cutx", "GET", "/api/products", None),
]


async def measured(bench: Bench, asked: list[tuple[str, str, str, dict[str, Any] | None]]) -> dict[str, int]:
    newest = {vendor: bench.state.jobs.page(Which(vendor or "cutx"), limit=1)[0].id for vendor in (*JOBS, "")}
    words = {"project": bench.project, "small": bench.small, "product": bench.product, "deep": str(bench.jobs // 2)}
    found = {}
    for vendor, method, path, body in asked:
        filled = {name: value.format(**words) for name, value in body.items()} if body else None
        work = await bench.work(vendor, method, path.format(newest=newest[vendor], **words), filled)
        found[f"{vendor} {method} {path}"] = work
    return found


async def test_what_a_batch_asks_for_takes_the_same_at_any_number_of_jobs(bench: Bench) -> None:
    bench.fill(FEW)
    few = await measured(bench, STEADY)
    bench.fill(MANY)
    many = await measured(bench, STEADY)
    assert {name: (few[name], many[name]) for name in few if many[name] > 1.5 * few[name]} == {}


async def test_what_counts_jobs_takes_little_for_each(bench: Bench) -> None:
    bench.fill(FEW)
    few = await measured(bench, COUNTING)
    bench.fill(MANY)
    many = await measured(bench, COUNTING)
    grown = {name: (many[name] - few[name]) / (MANY - FEW) for name in few}
    assert {name: steps for name, steps in grown.items() if steps > ROW} == {}


async def test_jobs_that_end_together_are_settled_once(bench: Bench) -> None:
    bench.fill(MANY)
    quiet = await bench.work("sume", "GET", "/credits")
    bench.state.clock.advance(1e7)
    assert await bench.work("sume", "GET", "/credits") > quiet
    assert await bench.work("sume", "GET", "/credits") <= quiet
