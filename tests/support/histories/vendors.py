# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Vendors within this process, written from their pages: what they accept, what they charge, and how they go wrong.

Each keeps its books: which job it charged, when, for whom, and whether it gave the credits back.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAY = 86400.0


class NotSent(Exception):
    """The connection could not be made."""


class Lost(Exception):
    """The request may have arrived; no answer comes."""


@dataclass(frozen=True)
class Weather:
    """
    How a vendor behaves for a while: how often each thing happens, in place of what should.

    :param posts: to submissions.
    :param reads: to questions.
    :param files: the share of downloads that break.
    """

    posts: Mapping[str, float] = field(default_factory=dict)
    reads: Mapping[str, float] = field(default_factory=dict)
    files: float = 0.0


FINE = Weather()
WEATHERS = {
    "fine": FINE,
    "gusty": Weather(
        {"unsent": 0.05, "lost before": 0.05, "lost after": 0.05, "500 after": 0.05, "429": 0.1, "late": 0.1},
        {"500": 0.1, "lost": 0.05, "429": 0.05, "garbage": 0.05},
        0.1,
    ),
    "answers lost": Weather({"lost after": 0.6}, {"lost": 0.4}, 0.3),
    "errors after charging": Weather({"500 after": 0.4, "502 after": 0.2}),
    "errors before charging": Weather({"500 before": 0.4, "502 before": 0.2, "503 before": 0.1}),
    "garbage": Weather({"garbage": 0.4, "no id": 0.2}, {"garbage": 0.5}),
    "busy": Weather({"429": 0.7}, {"429": 0.3}),
    "refusing": Weather({"409": 0.2, "403": 0.1, "404": 0.1, "422": 0.1}),
    "unreachable": Weather({"unsent": 0.9}, {"lost": 0.9}, 0.9),
    "reads broken": Weather({}, {"500": 0.6, "garbage": 0.2}, 0.5),
}


@dataclass(eq=False)
class Job:
    """
    One job that was charged.

    :param key: the item that it was for, as its text says.
    :param version: of the item's text.
    :param buyer: the batch whose process asked for it.
    :param began: Unix time at which that process began.
    :param fresh: that process looked nothing up and claimed nothing, because everything was to be paid anew.
    :param forbidden: spending was forbidden since before that process began.
    :param number: of that process's try.
    :param versions: of the items' texts when that try began.
    :param end: how it ends.
    :param hidden_until: Unix time before which the vendor says that there is no such job.
    """

    id: str
    vendor: str
    kind: str
    key: str
    version: str
    buyer: Any
    began: float
    fresh: bool
    forbidden: bool
    number: int
    versions: dict[str, int]
    at: float
    price: int
    ends_at: float
    end: str
    hidden_until: float
    refunded: bool = False
    deleted: bool = False

    @property
    def leaves_a_file(self) -> bool:
        """Whether there is something to store."""
        return self.end == "completed" and not self.deleted


Reply = tuple[int, dict[str, str], Any]


class Shop:
    """
    One vendor.

    It keeps count of what goes wrong at it (``disturbed``). Some jobs fail (``sick`` times their share), some take
    long (``lazy``), and some are not found at once (``shy``).

    :param rng: decides how things go wrong, how long jobs take, and how they end.
    :param now: the true time.
    """

    name: ClassVar[str]
    host: ClassVar[str]
    ends: ClassVar[dict[str, float]] = {"failed": 0.12}
    refunds: ClassVar[frozenset[str]] = frozenset()
    prices: ClassVar[dict[str, int]]

    def __init__(self, rng: random.Random, now: Callable[[], float]) -> None:
        self.rng, self.now = rng, now
        self.weather, self.until = FINE, 0.0
        self.key = f"{self.name}_key_1"
        self.balance = 1_000_000
        self.sick = 1.0
        self.jobs: dict[str, Job] = {}
        self.banned: set[str] = set()
        self.lazy, self.shy = 0.1, 0.1
        self.disturbed = 0
        self.sold: Callable[[Job], None] = lambda _job: None

    # --- what is asked ------------------------------------------------------------------------------------------------

    def answer(self, request: Any, who: Any) -> Reply:
        """
        Answer one request.

        :param request: as it goes out.
        :param who: the process that sends it.
        :raises NotSent: nothing of it arrived.
        :raises Lost: nobody hears the answer.
        """
        method, headers, parts = request.method, request.headers, urlsplit(request.url)
        fault = self._fault("posts" if method == "POST" else "reads")
        if fault == "unsent":
            raise NotSent
        if fault in {"lost", "lost before"}:
            raise Lost
        if fault == "429":
            asked = self.rng.choice(["", "1", "45", "700"])
            return self._wrong(429, "rate_limited", {"retry-after": asked} if asked else {})
        if fault[:3].isdigit() and not fault.endswith("after"):
            return self._wrong(int(fault[:3]), "error")
        if not self._knows(headers):
            return self._wrong(401, "unauthorized")
        query = dict(parse_qsl(parts.query))
        if method == "POST":
            reply = self._sell(parts.path, headers, json.loads(request.body or b"{}"), who)
        else:
            reply = self._show(parts.path, query)
        if fault.endswith("after"):
            if fault == "lost after":
                raise Lost
            return self._wrong(int(fault[:3]), "error")
        if fault == "garbage":
            return 200, {"content-type": "text/html"}, b"<html>One moment, please</html>"
        if fault == "no id" and reply[0] < 300:
            return 200, {}, {"status": "ok"}
        return reply

    def _fault(self, which: str) -> str:
        if self.now() >= self.until:
            return ""
        shares: Mapping[str, float] = getattr(self.weather, which)
        drawn = self.rng.random()
        for name, share in shares.items():
            drawn -= share
            if drawn < 0:
                self.disturbed += 1
                return name
        return ""

    def breaks_file(self) -> bool:
        """Whether a download goes wrong just now."""
        return self.now() < self.until and self.rng.random() < self.weather.files

    def _knows(self, headers: Mapping[str, str]) -> bool:
        return headers.get("Authorization") == f"Bearer {self.key}"

    def _wrong(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> Reply:
        self.disturbed += 1
        return status, headers or {}, self._trouble(code, f"This is wrong ({status}).")

    def _trouble(self, code: str, message: str) -> dict[str, Any]:
        return {"error": {"code": code, "message": message}}

    # --- selling ------------------------------------------------------------------------------------------------------

    def _sell(self, path: str, headers: Mapping[str, str], body: dict[str, Any], who: Any) -> Reply:
        again = self._known(headers, body)
        if again is not None:
            return again
        kind = self.kind_of(path)
        text = body.get("prompt") or body["script"]
        key, _, version = text.removeprefix("A lamp for ").partition(" in version ")
        if key in self.banned:
            return self._wrong(400, "validation_error")
        price = self.prices[kind]
        if self.balance < price:
            return self._wrong(402, "insufficient_credits")
        self.balance -= price
        now = self.now()
        seconds = self.rng.uniform(5, 300) if self.rng.random() >= self.lazy else self.rng.uniform(2000, 9000)
        drawn, end = self.rng.random(), "completed"
        for word, share in self.ends.items():
            drawn -= share * self.sick
            if drawn < 0:
                end = word
                break
        hidden = now + self.rng.uniform(0, 40) if self.rng.random() < self.shy else 0.0
        number = len(self.jobs) + 1
        job = Job(
            id=self.job_id(number),
            vendor=self.name,
            kind=kind,
            key=key,
            version=version,
            buyer=who.batch if who is not None else None,
            began=who.began if who is not None else now,
            fresh=who is not None and who.fresh,
            forbidden=who is not None and who.forbidden,
            number=who.number if who is not None else 0,
            versions=who.versions if who is not None else {},
            at=now,
            price=price,
            ends_at=now + seconds,
            end=end,
            hidden_until=hidden,
        )
        self.jobs[job.id] = job
        self.sold(job)
        reply = self.accepted(job)
        self._remember(headers, body, job, reply)
        return reply

    def _known(self, headers: Mapping[str, str], body: dict[str, Any]) -> Reply | None:
        """Return the answer to a key that was seen before."""
        return None

    def _remember(self, headers: Mapping[str, str], body: dict[str, Any], job: Job, reply: Reply) -> None:
        """Remember a key."""

    def settle(self) -> None:
        """Give back what is given back for jobs that have ended by now."""
        for job in self.jobs.values():
            if not job.refunded and job.ends_at <= self.now() and job.end in self.refunds:
                job.refunded, self.balance = True, self.balance + job.price

    def status_of(self, job: Job) -> str:
        return job.end if job.ends_at <= self.now() else "processing"

    def find(self, job_id: str) -> Job | None:
        job = self.jobs.get(job_id)
        return job if job is not None and job.hidden_until <= self.now() and not job.deleted else None

    def _time(self, moment: float) -> str:
        return datetime.fromtimestamp(moment, UTC).isoformat()

    def link(self, job: Job) -> str:
        return f"https://files.{self.name}.example/{job.id}.png?sig=1"

    # --- the vendor's own --------------------------------------------------------------------------------------------

    def kind_of(self, path: str) -> str:
        raise NotImplementedError

    def job_id(self, number: int) -> str:
        raise NotImplementedError

    def accepted(self, job: Job) -> Reply:
        raise NotImplementedError

    def _show(self, path: str, query: Mapping[str, str]) -> Reply:
        raise NotImplementedError


class Adsumo(Shop):
    """Pages Overview, Images and Resources: keys count for 24 hours, a refund is not mentioned."""

    name = "adsumo"
    host = "www.adsumo.ai"
    prices: ClassVar[dict[str, int]] = {"text-to-image": 1}

    def __init__(self, rng: random.Random, now: Callable[[], float]) -> None:
        super().__init__(rng, now)
        self._keys: dict[str, tuple[float, Reply]] = {}

    def kind_of(self, path: str) -> str:
        return path.rpartition("/")[2]

    def job_id(self, number: int) -> str:
        return f"a1b2c3d4-e5f6-7890-abcd-{number:012d}"

    def _known(self, headers: Mapping[str, str], body: dict[str, Any]) -> Reply | None:
        at, reply = self._keys.get(headers.get("Idempotency-Key", ""), (0.0, None))
        return reply if self.now() < at + DAY else None

    def _remember(self, headers: Mapping[str, str], body: dict[str, Any], job: Job, reply: Reply) -> None:
        if key := headers.get("Idempotency-Key"):
            self._keys[key] = (self.now(), reply)

    def accepted(self, job: Job) -> Reply:
        return 200, {}, {"generation_id": job.id, "type": "image", "status": "processing"}

    def _show(self, path: str, query: Mapping[str, str]) -> Reply:
        if path.endswith("/account/credits"):
            return 200, {}, {"credits_used": 0, "credits_limit": self.balance, "credits_remaining": self.balance}
        if path.endswith("/generations"):
            limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
            rows = [self._row(job) for job in self.jobs.values() if job.hidden_until <= self.now()]
            page = {"total": len(rows), "limit": limit, "offset": offset}
            return 200, {}, {"data": rows[offset : offset + limit], "pagination": page}
        job = self.find(path.rpartition("/")[2])
        return (200, {}, self._row(job)) if job is not None else self._wrong(404, "not_found")

    def _row(self, job: Job) -> dict[str, Any]:
        status = self.status_of(job)
        link = self.link(job) if status == "completed" else None
        made = self._time(job.at)
        return {"id": job.id, "type": "image", "status": status, "created_at": made, "result_url": link}


class Sume(Shop):
    """The reference and the pages Quick start, and Jobs and results: no keys, no prices, no word of refunds."""

    name = "sume"
    host = "www.sume.so"
    ends: ClassVar[dict[str, float]] = {"failed": 0.1, "canceled": 0.05, "expired": 0.04}
    prices: ClassVar[dict[str, int]] = {"image": 5}

    def kind_of(self, path: str) -> str:
        return "image"

    def job_id(self, number: int) -> str:
        return f"job_{number:06d}"

    def accepted(self, job: Job) -> Reply:
        return 200, {}, {"object": "image_generation", "job": {"id": job.id, "status": "queued"}}

    def _show(self, path: str, query: Mapping[str, str]) -> Reply:
        if path.endswith("/credits"):
            return 200, {}, {"plan": "pro", "remaining": self.balance}
        if path.endswith("/jobs"):
            rows = [self._row(job) for job in self.jobs.values() if job.hidden_until <= self.now()]
            return 200, {}, {"object": "list", "data": rows, "has_more": False, "next_cursor": None}
        result = path.endswith("/result")
        job = self.find(path.removesuffix("/result").rpartition("/")[2])
        if job is None:
            return self._wrong(404, "not_found")
        row = self._row(job)
        if result and row["status"] == "completed":
            row["result"] = {"image_url": self.link(job)}
        return 200, {}, row

    def _row(self, job: Job) -> dict[str, Any]:
        told = {"object": "job", "id": job.id, "type": "image_generation", "status": self.status_of(job)}
        return {**told, "created_at": self._time(job.at)}


class Cutx(Shop):
    """The pages AI Generation and Credits: a key counts while its job runs, and what failed is given back."""

    name = "cutx"
    host = "cutx.example"
    ends: ClassVar[dict[str, float]] = {"failed": 0.2, "canceled": 0.05, "expired": 0.02}
    refunds = frozenset({"failed"})
    prices: ClassVar[dict[str, int]] = {"static-ad": 3, "video": 40}

    def __init__(self, rng: random.Random, now: Callable[[], float]) -> None:
        super().__init__(rng, now)
        self._keys: dict[str, Job] = {}

    def kind_of(self, path: str) -> str:
        return path.rpartition("/")[2]

    def job_id(self, number: int) -> str:
        return f"c1b2c3d4-e5f6-4890-abcd-{number:012d}"

    def _trouble(self, code: str, message: str) -> dict[str, Any]:
        return {"error": code, "message": message}

    def _known(self, headers: Mapping[str, str], body: dict[str, Any]) -> Reply | None:
        job = self._keys.get(body.get("idempotencyKey", ""))
        if job is None or job.ends_at <= self.now():
            return None
        return 200, {}, {"jobId": job.id, "creditsUsed": 0, "status": "reused"}

    def _remember(self, headers: Mapping[str, str], body: dict[str, Any], job: Job, reply: Reply) -> None:
        if key := body.get("idempotencyKey"):
            self._keys[key] = job

    def accepted(self, job: Job) -> Reply:
        told = {"jobId": job.id, "status": "queued", "creditsUsed": job.price, "creditsRemaining": self.balance}
        return 200, {}, told

    def _show(self, path: str, query: Mapping[str, str]) -> Reply:
        if path.endswith("/balance"):
            return 200, {}, {"balance": self.balance, "lifetime_purchased": 0, "lifetime_used": 0}
        job = self.find(query.get("jobId", ""))
        if job is None:
            return self._wrong(404, "Not Found")
        status = self.status_of(job)
        what, word = ("video", "ugc_video") if job.kind == "video" else ("image", "static_ad")
        assets = [{"id": job.id, "type": what, "url": self.link(job)}] if status == "completed" else []
        told = {"id": job.id, "type": word, "status": status, "assets": assets, "createdAt": self._time(job.at)}
        return 200, {}, told


SHOPS: tuple[type[Shop], ...] = (Adsumo, Sume, Cutx)
