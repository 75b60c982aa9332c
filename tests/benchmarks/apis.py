# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What the vendors and the peers' services answer to being asked for jobs, as their own documentation says.

Nothing here is taken from the package: it must speak as the vendors do, not as the package reads.
"""

from __future__ import annotations

import abc
import base64
import binascii
import json
import math
import struct
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from tests.benchmarks.jobs import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.benchmarks.jobs import Counts, Job, Jobs


@dataclass(frozen=True)
class Request:
    """One request as it arrived; the path without the service's prefix."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    authorization: str


@dataclass(frozen=True)
class Answer:
    """
    One answer.

    :param stream: the job whose events follow, instead of a body.
    :param content: the bytes of a file, instead of JSON.
    """

    status: int
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Job | None = None
    content: bytes | None = None


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


PNG = b"\x89PNG\r\n\x1a\n" + b"".join(
    [
        _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress(b"\0\0")),
        _chunk(b"IEND", b""),
    ]
)
"""An image of one pixel: what stores it must find that it is one."""

FILES = "/files/"


def iso(moment: float) -> str:
    """Write a time as ISO 8601."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Service(abc.ABC):
    """
    One service with one account.

    :param jobs: the account's jobs.
    :param counts: where it notes whose status it told.
    :param oldest_first: lists show the oldest job first, where the documentation does not say.
    :param limit: a limit on reading, beside the documented ones.
    :param kind: what the jobs make.
    """

    prefix: ClassVar[str] = ""
    job_id: ClassVar[str]
    authorization: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    origin: str = "https://cdn.example"
    """Where files are, without the path; the server says its own when it has a port."""

    def __init__(
        self,
        jobs: Jobs,
        counts: Counts,
        *,
        oldest_first: bool = False,
        limit: Window | None = None,
        kind: str = "image",
    ) -> None:
        if kind not in self.kinds:
            raise ValueError(f"{type(self).__name__} is not written to answer about {kind}s.")
        self.kind = kind
        self.jobs = jobs
        self.counts = counts
        self.oldest_first = oldest_first
        self.limit = limit

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request."""
        if request.path.startswith(FILES):  # a signed link needs no key
            return Answer(200, content=PNG)
        if not request.authorization.startswith(self.authorization):
            return Answer(401, self.error(401, "unauthorized", "Invalid or missing API key"))
        wait = self.limit.refused(now) if self.limit is not None else None
        if wait is not None:
            self.counts.refused += 1
            return Answer(429, self.error(429, "rate_limited", "Too many requests"), self.when_again(wait))
        return self.route(request, now) or Answer(404, self.error(404, "not_found", "Not found"))

    def when_again(self, wait: float) -> dict[str, str]:
        """Return the headers of a 429."""
        return {"Retry-After": str(math.ceil(wait))}

    @abc.abstractmethod
    def route(self, request: Request, now: float) -> Answer | None:
        """Answer an authorised request that no limit stops; None for a path that there is not."""

    @abc.abstractmethod
    def error(self, status: int, code: str, message: str) -> Any:
        """Return the body of an error."""

    def one(self, name: str | None, now: float) -> Job | None:
        """Return the job of that id, whose status is told now."""
        job = self.jobs.by_id.get(name or "")
        if job is None:
            self.counts.unknown += 1
        else:
            self.counts.told(job.number, now)
        return job

    def page(self, start: int, length: int, now: float, status: str | None = None) -> tuple[list[Job], int]:
        """Return some jobs in the list's order, whose statuses are told now, and how many there are."""
        jobs = self.jobs.all if self.oldest_first else self.jobs.all[::-1]
        if status is not None:
            jobs = [job for job in jobs if self.word(job, now) == status]
        shown = jobs[start : start + length]
        for job in shown:
            self.counts.told(job.number, now)
        return shown, len(jobs)

    @abc.abstractmethod
    def word(self, job: Job, now: float) -> str:
        """Return a job's status."""


class Adsumo(Service):
    """Adsumo, API v1: GET /generations, GET /generations/{id}."""

    prefix = "/adsumo/api/v1"
    job_id = "6e0c1a52-6d3f-4b52-9a51-%012x"
    authorization = "Bearer adsumo_sk_"

    def error(self, status: int, code: str, message: str) -> Any:
        return {"error": {"code": code, "message": message}}

    def word(self, job: Job, now: float) -> str:
        return "completed" if job.over(now) else "processing"

    def _shown(self, job: Job, now: float) -> dict[str, Any]:
        return {
            "id": job.id,
            "type": "image",
            "status": self.word(job, now),
            "created_at": iso(job.created),
            "result_url": f"{self.origin}{FILES}{job.id}.png?expires=3600" if job.over(now) else None,
        }

    def route(self, request: Request, now: float) -> Answer | None:
        path = request.path
        if request.method == "POST" and path == "/images/text-to-image":
            job = self.jobs.add(now)
            return Answer(200, {"generation_id": job.id, "type": "image", "status": "processing"})
        if request.method != "GET":
            return None
        if path == "/account/credits":
            return Answer(200, {"credits_used": 0, "credits_limit": 10**6, "credits_remaining": 10**6})
        if path == "/generations":
            limit, offset = int(request.query.get("limit", "20")), int(request.query.get("offset", "0"))
            if not 1 <= limit <= 100 or offset < 0:
                return Answer(400, self.error(400, "validation_error", "limit must be between 1 and 100"))
            shown, total = self.page(offset, limit, now, request.query.get("status"))
            return Answer(
                200,
                {
                    "data": [self._shown(job, now) for job in shown],
                    "pagination": {"total": total, "limit": limit, "offset": offset},
                },
            )
        if path.startswith("/generations/"):
            found = self.one(path.removeprefix("/generations/"), now)
            if found is not None:
                details = {"prompt": "bench", "model": "fast", "aspect_ratio": "1:1", "resolution": "1k", "quantity": 1}
                return Answer(200, {**self._shown(found, now), "details": details})
        return None


class Sume(Service):
    """Sume, public API v1: GET /jobs by cursor, GET /jobs/{id}, GET /jobs/{id}/result."""

    prefix = "/sume/api/v1"
    job_id = "job_%024x"
    authorization = "Bearer sume_live_"

    def error(self, status: int, code: str, message: str) -> Any:
        return {"error": {"code": code, "message": message, "details": {}}, "request_id": "req_bench"}

    def when_again(self, wait: float) -> dict[str, str]:
        # Neither Retry-After nor a rate header is documented.
        return {}

    def word(self, job: Job, now: float) -> str:
        if job.over(now):
            return "completed"
        return "queued" if job.progress(now) < 0.1 else "processing"

    def _shown(self, job: Job, now: float) -> dict[str, Any]:
        over = job.over(now)
        return {
            "id": job.id,
            "object": "job",
            "type": "image_generation",
            "status": self.word(job, now),
            "created_at": iso(job.created),
            "completed_at": iso(job.ends) if over else None,
            "error": None,
            "result_url": f"https://media.example/{job.id}.png" if over else None,
        }

    def route(self, request: Request, now: float) -> Answer | None:
        if request.method != "GET":
            return None
        path = request.path
        if path == "/jobs":
            return self._list(request, now)
        name, _, rest = path.removeprefix("/jobs/").partition("/")
        job = self.one(name, now) if path.startswith("/jobs/") and rest in {"", "result"} else None
        if job is None:
            return None
        shown = self._shown(job, now)
        if rest:
            shown["result"] = {"images": [{"url": shown["result_url"]}]} if job.over(now) else None
        return Answer(200, shown)

    def _list(self, request: Request, now: float) -> Answer:
        try:
            start = int(base64.urlsafe_b64decode(request.query["cursor"])) if "cursor" in request.query else 0
            limit = min(100, int(request.query.get("limit", "20")))
        except (ValueError, binascii.Error):
            return Answer(400, self.error(400, "invalid_request", "cursor or limit is invalid"))
        shown, total = self.page(start, limit, now, request.query.get("status"))
        more = start + limit < total
        cursor = base64.urlsafe_b64encode(str(start + limit).encode()).decode() if more else None
        data = [self._shown(job, now) for job in shown]
        return Answer(200, {"object": "list", "data": data, "has_more": more, "next_cursor": cursor})


class Cutx(Service):
    """CutX: GET /api/generate/status?jobId=; there is no list of jobs."""

    prefix = "/cutx"
    job_id = "0b9c7a10-4f0e-4c55-8d1e-%012x"
    authorization = "Bearer ey"
    kinds = ("image", "video")
    _TYPES: ClassVar[dict[str, tuple[str, str]]] = {"image": ("static_ad", "png"), "video": ("ugc_video", "mp4")}

    def error(self, status: int, code: str, message: str) -> Any:
        return {"error": code, "message": message}

    def when_again(self, wait: float) -> dict[str, str]:
        # Nothing is documented.
        return {}

    def word(self, job: Job, now: float) -> str:
        if job.over(now):
            return "completed"
        return "queued" if job.progress(now) < 0.1 else "processing"

    def route(self, request: Request, now: float) -> Answer | None:
        if request.method != "GET" or request.path != "/api/generate/status":
            return None
        job = self.one(request.query.get("jobId"), now)
        if job is None:
            return None
        over = job.over(now)
        job_type, ending = self._TYPES[self.kind]
        asset = {"id": job.id, "type": self.kind, "url": f"https://cutx-media.example/{job.id}.{ending}"}
        return Answer(
            200,
            {
                "id": job.id,
                "type": job_type,
                "status": self.word(job, now),
                "assets": [asset] if over else [],
                "createdAt": iso(job.created),
                "completedAt": iso(job.ends) if over else None,
            },
        )


class CinematicAds(Service):
    """CinematicAds: the stream of a job, rationed, and the list of all projects; there is no endpoint for one job."""

    prefix = "/cinematicads"
    job_id = "wf_%012x"
    authorization = "Bearer "

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._general = self.limit if self.limit is not None else Window(100, 60.0)
        self._streams = Window(10, 3600.0)
        self.limit = None

    def error(self, status: int, code: str, message: str) -> Any:
        return {"success": False, "error": message}

    def word(self, job: Job, now: float) -> str:
        return "completed" if job.over(now) else "processing"

    def route(self, request: Request, now: float) -> Answer | None:
        if request.method != "GET" or request.path not in {"/api/workflow/stream", "/api/user/projects"}:
            return None
        streams = request.path == "/api/workflow/stream"
        window = self._streams if streams else self._general
        wait = window.refused(now)
        rate = {
            "X-RateLimit-Limit": str(window.requests),
            "X-RateLimit-Remaining": str(window.left),
            "X-RateLimit-Reset": str(math.ceil(window.ends)),
        }
        if wait is not None:
            self.counts.refused += 1
            return Answer(429, self.error(429, "", "Too many requests"), rate)
        if streams:
            job = self.one(request.query.get("jobId"), now)
            return None if job is None else Answer(200, None, rate, stream=job)
        shown, _ = self.page(0, len(self.jobs.all), now)
        return Answer(200, {"success": True, "data": [self._shown(job, now) for job in shown]}, rate)

    def _shown(self, job: Job, now: float) -> dict[str, Any]:
        over = job.over(now)
        return {
            "id": f"proj_{job.number:012x}",
            "jobId": job.id,
            "type": "staticad",
            "quality": "standard",
            "status": self.word(job, now),
            "createdAt": iso(job.created),
            "completedAt": iso(job.ends) if over else None,
            "imageUrl": f"https://cinematicads.example/{job.id}.png" if over else None,
        }


def events(job: Job) -> list[tuple[float, bytes]]:
    """Return a CinematicAds stream's events and when they come."""
    length = job.ends - job.created
    steps = [
        (job.created + share * length, "step", {"step": step, "status": "completed", "progress": round(100 * share)})
        for step, share in (("art_direction", 0.2), ("video_generation", 0.6))
    ]
    result = {"success": True, "videoUrl": f"https://cinematicads.example/{job.id}.mp4", "duration": 15}
    return [
        (moment, f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        for moment, name, data in (*steps, (job.ends, "result", result))
    ]


class Databricks(Service):
    """Databricks, Jobs API 2.2: POST runs/submit, GET runs/get."""

    prefix = "/api/2.2/jobs/runs"
    job_id = "%d"
    authorization = "Bearer "

    def error(self, status: int, code: str, message: str) -> Any:
        return {"error_code": code.upper(), "message": message}

    def word(self, job: Job, now: float) -> str:
        return "TERMINATED" if job.over(now) else "RUNNING"

    def route(self, request: Request, now: float) -> Answer | None:
        if request.method == "POST" and request.path == "/submit":
            return Answer(200, {"run_id": int(self.jobs.add(now).id)})
        if request.method != "GET" or request.path != "/get":
            return None
        asked = json.loads(request.body) if request.body else request.query
        job = self.one(str(asked.get("run_id")), now)
        if job is None:
            return None
        word, over = self.word(job, now), job.over(now)
        state = {"life_cycle_state": word, "state_message": "", "user_cancelled_or_timedout": False}
        return Answer(
            200,
            {
                "job_id": 1,
                "run_id": int(job.id),
                "number_in_job": 1,
                "state": {**state, "result_state": "SUCCESS"} if over else state,
                "start_time": int(job.created * 1000),
                "end_time": int(job.ends * 1000) if over else 0,
                "run_page_url": f"https://databricks.example/#job/1/run/{job.id}",
                "run_type": "SUBMIT_RUN",
                "tasks": [{"run_id": int(job.id) + 10**6, "task_key": "bench", "state": state}],
            },
        )


class DbtCloud(Service):
    """dbt Cloud, administrative API v2: GET accounts/{id}/runs/{id}/."""

    prefix = "/api/v2/accounts/1/runs"
    job_id = "%d"
    authorization = "Token "

    def error(self, status: int, code: str, message: str) -> Any:
        return {"status": {"code": status, "is_success": False, "user_message": message}, "data": None}

    def word(self, job: Job, now: float) -> str:
        return "Success" if job.over(now) else "Running"

    def route(self, request: Request, now: float) -> Answer | None:
        job = self.one(request.path.strip("/"), now) if request.method == "GET" else None
        if job is None:
            return None
        over = job.over(now)
        return Answer(
            200,
            {
                "status": {"code": 200, "is_success": True, "user_message": "Success!", "developer_message": ""},
                "data": {
                    "id": int(job.id),
                    "account_id": 1,
                    "job_definition_id": 1,
                    "status": 10 if over else 3,
                    "status_humanized": self.word(job, now),
                    "created_at": iso(job.created),
                    "finished_at": iso(job.ends) if over else None,
                    "is_complete": over,
                    "is_success": over,
                    "is_error": False,
                    "is_cancelled": False,
                },
            },
        )


class Anthropic(Service):
    """Anthropic, Message Batches: GET /v1/messages/batches/{id}."""

    prefix = "/v1/messages/batches"
    job_id = "msgbatch_%024x"
    authorization = ""

    def error(self, status: int, code: str, message: str) -> Any:
        return {"type": "error", "error": {"type": code, "message": message}}

    def word(self, job: Job, now: float) -> str:
        return "ended" if job.over(now) else "in_progress"

    def route(self, request: Request, now: float) -> Answer | None:
        job = self.one(request.path.strip("/"), now) if request.method == "GET" else None
        if job is None:
            return None
        over = job.over(now)
        return Answer(
            200,
            {
                "id": job.id,
                "type": "message_batch",
                "processing_status": self.word(job, now),
                "request_counts": {
                    "processing": 0 if over else 1,
                    "succeeded": 1 if over else 0,
                    "errored": 0,
                    "canceled": 0,
                    "expired": 0,
                },
                "created_at": iso(job.created),
                "expires_at": iso(job.created + 86400),
                "ended_at": iso(job.ends) if over else None,
                "archived_at": None,
                "cancel_initiated_at": None,
                "results_url": f"https://anthropic.example/{job.id}" if over else None,
            },
        )


SERVICES: dict[str, type[Service]] = {
    "adsumo": Adsumo,
    "sume": Sume,
    "cutx": Cutx,
    "cinematicads": CinematicAds,
    "databricks": Databricks,
    "dbt-cloud": DbtCloud,
    "anthropic": Anthropic,
}
