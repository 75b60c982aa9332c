# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that share a library: what each does with one item, step by step, and what was paid for it."""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.identity import CreativeIdentity, TaskIdentity, creative_identity
from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.ledger.claims import Claim, ClaimedElsewhere, Claims, ClaimUnknown
from airflow_provider_adgen.ledger.item_records import LedgerRecords, RecordRef, record_store
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.library import Library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONN = "adgen_library"
POST_SECONDS = 60.0


def wanted(key: str = "LMP-014/hero/1x1", **body: Any) -> CreativeIdentity:
    return creative_identity(key, "text-to-image", {"prompt": "A lamp", **body}, "adsumo", "www.adsumo.ai")


def generation(job: str, *uris: str, size: int = 3) -> dict[str, Any]:
    """Return a finished generation as it goes through XCom."""
    files = [{"kind": "image", "url": None, "uri": uri, "size": size, "sha256": "0" * 64} for uri in uris]
    return {"schema": 1, "vendor": "adsumo", "id": job, "status": "completed", "creatives": files, "variants": []}


class OwnMemory(MemoryFileSystem):
    """A memory file system of its own, whose every request can be watched, delayed or refused."""

    cachable = False

    def __init__(self, on: Callable[[str, str], None] = lambda _operation, _path: None) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]
        self.on = on
        self.lock = threading.RLock()
        self.within = threading.local()

    def _do(self, name: str, path: str, *args: Any, **options: Any) -> Any:
        real = getattr(super(), name)
        if getattr(self.within, "request", False):
            return real(path, *args, **options)  # a part of another one
        self.on(name, path)
        self.within.request = True
        try:
            with self.lock:
                found = real(path, *args, **options)
        finally:
            self.within.request = False
        self.on(f"after {name}", path)
        return found

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        return self._do("ls", path, detail, **options)

    def find(self, path: str, *args: Any, **options: Any) -> Any:
        return self._do("find", path, *args, **options)

    def pipe_file(self, path: str, value: bytes, **options: Any) -> Any:
        return self._do("pipe_file", path, value, **options)

    def cat_file(self, path: str, *args: Any, **options: Any) -> Any:
        return self._do("cat_file", path, *args, **options)

    def rm_file(self, path: str) -> Any:
        return self._do("rm_file", path)

    def info(self, path: str, **options: Any) -> Any:
        return self._do("info", path, **options)


class Dead(BaseException):
    """The process died here."""


class Stage:
    """
    Threads that take turns, in virtual time: one runs until it comes to a request, and then any other may go on.

    :param rng: decides who goes on, who is frozen and who dies.
    :param freeze: the share of requests at which a process stands still for up to *longest* seconds.
    :param die: the share at which it dies.
    """

    def __init__(self, rng: random.Random, *, freeze: float = 0.0, die: float = 0.0, longest: float = 2000.0) -> None:
        self.rng, self.freeze, self.die, self.longest = rng, freeze, die, longest
        self.time = 1_800_000_000.0
        self._wakes: dict[str, float] = {}
        self._now: str | None = None
        self._turn = threading.Condition()
        self.steps = 0

    def run(self, actors: dict[str, Callable[[], None]]) -> None:
        """Let all of them come to their ends."""
        self._wakes = dict.fromkeys(actors, self.time)
        self._now = None

        def live(name: str, act: Callable[[], None]) -> None:
            self._await()
            try:
                act()
            finally:
                with self._turn:
                    del self._wakes[name]
                    self._choose()

        threads = [threading.Thread(target=live, args=item, name=item[0], daemon=True) for item in actors.items()]
        for thread in threads:
            thread.start()
        with self._turn:
            self._choose()
        for thread in threads:
            thread.join(300)
        assert not any(thread.is_alive() for thread in threads), "somebody is stuck"

    def request(self, *_: Any) -> None:
        """Somebody sends a request, or has its answer."""
        if self._me() is None:
            return
        self.steps += 1
        if self.rng.random() < self.die:
            raise Dead
        frozen = self.rng.random() < self.freeze
        self.sleep(self.rng.uniform(0, self.longest) if frozen else self.rng.choice((0.0, 0.05, 0.2)))

    def sleep(self, seconds: float) -> None:
        with self._turn:
            self._wakes[threading.current_thread().name] = self.time + seconds
            self._choose()
        self._await()

    def _me(self) -> str | None:
        name = threading.current_thread().name
        return name if name in self._wakes else None

    def _choose(self) -> None:
        if not self._wakes:
            return
        self.time = max(self.time, min(self._wakes.values()))
        ready = sorted(name for name, at in self._wakes.items() if at <= self.time)
        self._now = self.rng.choice(ready)
        self._turn.notify_all()

    def _await(self) -> None:
        with self._turn:
            while self._now != threading.current_thread().name:
                self._turn.wait()


class StageClock(Clock):
    """One worker's clock, which may be ahead of the others or behind."""

    def __init__(self, stage: Stage, skew: float = 0.0) -> None:
        self._stage, self._skew = stage, skew

    def now(self) -> float:
        return self._stage.time + self._skew

    def sleep_blocking(self, seconds: float) -> None:
        self._stage.sleep(seconds)


class Run:
    """
    One DAG run that wants some items, doing what a batch does.

    :param base: where library, ledger and files are.
    :param name: the run's id.
    :param pay: submits at the vendor, and returns the job's id; None where the vendor refuses for now.
    :param clock: this worker's time.
    :param rng: jitter, and how long jobs take.
    :param sleep: waits.
    :param fails: the share of jobs that end without a result.
    """

    def __init__(
        self,
        base: str,
        name: str,
        pay: Callable[[str, str], str | None],
        *,
        clock: Clock,
        rng: random.Random,
        sleep: Callable[[float], None],
        fails: float = 0.0,
    ) -> None:
        self.base, self.name, self.pay, self.clock, self.rng = base, name, pay, clock, rng
        self.sleep, self.fails = sleep, fails
        self.library = Library(f"{base}/library", clock=clock)
        self.claims = Claims(self.library, LedgerRecords(f"{base}/ledger"), rng=rng)

    def make(self, one: CreativeIdentity, *, timeout: float = 86400.0) -> str:
        """Return what became of an item: made, reused, unknown, or waiting when the time was over."""
        ref = RecordRef(TaskIdentity("spring", self.name, "generate"), one.key)
        until = self.clock.now() + timeout
        while self.clock.now() < until:
            ledger = Ledger([record_store(f"{self.base}/ledger", ref)], clock=self.clock)
            record = ledger.record()
            last = record.counting if record is not None else None
            if last is not None and last.phase == "intent":
                if self.clock.now() < last.began_at + POST_SECONDS:
                    self.sleep(POST_SECONDS)  # an earlier try of this very run may still be posting it
                    continue
                return "unknown"
            if last is None or last.phase == "withdrawn" or last.ended:
                if self.library.lookup([one])[one].usable:
                    return "reused"
                try:
                    answer = self.claims.claim(one, ref)
                except ClaimUnknown:
                    return "unknown"
                if isinstance(answer, ClaimedElsewhere):
                    self.sleep(answer.seconds)
                    continue
                if not isinstance(answer, Claim):
                    return "reused"
                last = self._submit(one, answer, ledger)
                if last is None:
                    self.sleep(self.rng.uniform(1, 10))
                    continue
            if last.phase == "submitted" and not self._wait(last, ledger):
                self.claims.release(one, ref)
                continue
            self._deliver(one, last, ledger, ref)
            return "made"
        return "waiting"

    def _submit(self, one: CreativeIdentity, claim: Claim, ledger: Ledger) -> Attempt | None:
        attempt = Attempt(
            phase="intent",
            epoch=1,
            fingerprint="f",
            request_kind="text-to-image",
            conn_id="adsumo_default",
            intended_at=self.clock.now(),
            post_seconds=POST_SECONDS,
            claim=claim.uid,
            posters=[ledger.process],
        )
        attempt = ledger.write(attempt)
        if ledger.newcomers() or not self.claims.stands(claim):
            return self._withdraw(attempt, claim, ledger)
        job = self.pay(one.digest, self.name)
        if job is None:
            return self._withdraw(attempt, claim, ledger)
        return ledger.write(
            attempt.model_copy(
                update={"phase": "submitted", "job_ids": [job], "submitted_at": self.clock.now(), "answered": True}
            )
        )

    def _withdraw(self, attempt: Attempt, claim: Claim, ledger: Ledger) -> None:
        ledger.write(attempt.model_copy(update={"phase": "withdrawn", "withdrawn_by": [ledger.process]}))
        self.claims.withdraw(claim)

    def _wait(self, attempt: Attempt, ledger: Ledger) -> bool:
        self.sleep(self.rng.uniform(5, 400))
        if random.Random(attempt.job_ids[0]).random() >= self.fails:
            return True
        ledger.write(attempt.model_copy(update={"ended": "failed"}))
        return False

    def _deliver(self, one: CreativeIdentity, attempt: Attempt, ledger: Ledger, ref: RecordRef) -> None:
        (job,) = attempt.job_ids
        uri = f"{self.base}/files/{self.name}-{job}.png"
        write(uri, b"png")
        made_at = attempt.submitted_at or 0.0
        entry = self.library.add(one, generation(job, uri), conn_id=attempt.conn_id, made_at=made_at, paid_by=ref)
        ledger.write(attempt.model_copy(update={"phase": "done", "result": entry.generation}))
        self.claims.release(one, ref)


def write(uri: str, data: bytes) -> None:
    """Store a file."""
    from airflow.sdk import ObjectStoragePath

    path = ObjectStoragePath(uri)
    path.fs.makedirs(str(path.path).rpartition("/")[0], exist_ok=True)
    path.fs.pipe_file(str(path.path), data)


def without_locks(monkeypatch: Any) -> None:
    """Where threads take turns, one that holds a lock must not wait for its turn."""
    from airflow_provider_adgen.ledger import objects

    monkeypatch.setattr(objects, "_LOCKS", (nullcontext(),))


@contextmanager
def memory_stores(kind: type[OwnMemory] = OwnMemory) -> Iterator[Callable[[], tuple[OwnMemory, str]]]:
    """Attach new, empty memory file systems to Airflow; each call returns one, and the path of a folder in it."""
    from airflow.sdk.io import attach, store

    def make() -> tuple[OwnMemory, str]:
        store._STORE_CACHE.pop(f"memory-{CONN}", None)
        fs = kind()
        attach("memory", CONN, fs=fs)
        return fs, f"memory://{CONN}@/shop"

    yield make
    store._STORE_CACHE.pop(f"memory-{CONN}", None)
