# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The world that a batch runs in, without one real second: clock, storage, network, threads, and what ends a process.

Each process is one thread of a :class:`Stage`, so one runs at a time, and another one may go on at each request. What a
batch gives to its threads runs in the same thread, in a random order, one after the other.
"""

from __future__ import annotations

import contextlib
import json
import math
import queue
import random
import threading
import traceback
import uuid
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import BaseOperator

from airflow_provider_adgen.core import blocking, wire
from airflow_provider_adgen.core.calls import Answer
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.polling import TIMEOUT
from airflow_provider_adgen.core.errors import DownloadError, WireError
from airflow_provider_adgen.delivery.places import resolve
from airflow_provider_adgen.hooks import base
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.ledger import batch as batch_store
from airflow_provider_adgen.ledger import objects, records, stored_files
from airflow_provider_adgen.lifecycle.batch import leg
from tests.support.histories.vendors import SHOPS, Lost, NotSent, Shop
from tests.support.library import OwnMemory, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    import pytest

BEGIN = 1_794_830_400.0
"""2026-11-16, 12:00 UTC: far from the month's ends, and from midnight."""

MOST_REQUESTS = 10_000
"""Requests of one try, beside one a second. More of them lead nowhere."""


class Killed(BaseException):
    """The process is dead; nothing that it does has an effect."""


class TimeIsOver(BaseException):
    """Airflow's ``execution_timeout``, as it is raised in the task's main thread."""


@dataclass
class Fate:
    """
    What happens to one process, by the number of its requests.

    :param dies: it is killed there.
    :param dies_writing: it is killed there, where only submissions and what is written count, each before and after.
    :param freezes: it stands still there.
    :param freezes_writing: it stands still there, counted in the same way.
    :param seconds: for so long.
    :param stops: it is told to stop there (SIGTERM).
    :param timed_out: from there on the main thread's next wait ends with the task's timeout.
    :param broken: from this one to that one, the storage fails with this share.
    :param deaf: with this share, it cannot read what people have said.
    """

    dies: int = 0
    dies_writing: int = 0
    freezes: int = 0
    freezes_writing: int = 0
    seconds: float = 0.0
    stops: int = 0
    timed_out: int = 0
    broken: tuple[int, int, float] = (0, 0, 0.0)
    deaf: float = 0.0


@dataclass(eq=False)
class Process:
    """
    One process of a task.

    :param number: of its try.
    :param versions: of the items' texts when that try began.
    """

    machine: Machine
    batch: Any
    fate: Fate
    began: float
    number: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    skew: float = 0.0
    fresh: bool = False
    dead: bool = False
    requests: int = 0
    writes: int = 0
    operator: Any = None
    pool: Any = None
    watched: list[tuple[Any, Callable[..., None]]] = field(default_factory=list)
    budgets: dict[Any, Any] = field(default_factory=dict)

    @property
    def forbidden(self) -> bool:
        """Whether nothing may be spent, since before it began."""
        since = self.machine.forbidden_since
        return since is not None and since <= self.began


class Memory(OwnMemory):
    """An object storage: its files are opened over requests, too."""

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return self._do("_open", path, mode, **options)


class Machine(Stage):
    """
    All processes of a history, and what they share.

    :param rng: decides everything.
    :param fs: the storage.
    """

    def __init__(self, rng: random.Random, fs: OwnMemory) -> None:
        super().__init__(rng)
        self.time = BEGIN
        self.fs = fs
        fs.on = self.reached
        self.shops = {cls.name: cls(random.Random(rng.random()), lambda: self.time) for cls in SHOPS}
        self.variables: dict[str, str] = {}
        self.processes: dict[str, Process] = {}
        self.told: list[str] = []
        self.wrong: list[str] = []
        self.loud = False
        self.forbidden_since: float | None = None

    def act(self, actors: dict[str, Callable[[], None]]) -> None:
        """Let all actors come to their ends; an error that nobody expects is something wrong."""

        def guarded(act: Callable[[], None]) -> Callable[[], None]:
            def live() -> None:
                try:
                    act()
                except BaseException:  # it is told, and the others come to their ends
                    self.wrong.append(traceback.format_exc())

            return live

        self.run({name: guarded(act) for name, act in actors.items()})

    def say(self, text: str) -> None:
        """Write a line into the history."""
        name = threading.current_thread().name
        self.told.append(f"{self.time - BEGIN:10.1f} {name}: {text}")

    @property
    def process(self) -> Process | None:
        """The process that runs just now; None between two."""
        return self.processes.get(threading.current_thread().name)

    def now(self) -> float:
        """What the clock of the worker says."""
        process = self.process
        return self.time + (process.skew if process is not None else 0.0)

    def pause(self, seconds: float) -> None:
        """Let time pass for the running process."""
        process = self.process
        if process is not None and process.dead:
            raise Killed
        if threading.current_thread().name in self._wakes:
            self.sleep(max(0.0, seconds))
        else:
            self.time += max(0.0, seconds)

    # --- requests -----------------------------------------------------------------------------------------------------

    def reached(self, what: str, path: str) -> None:
        """Something is asked of the storage or a vendor, or has been answered."""
        process = self.process
        if process is None:
            return
        if process.dead:
            raise Killed
        self.steps += 1
        process.requests += 1
        process.batch.requests += 1
        if process.batch.requests > MOST_REQUESTS + self.time - process.batch.began:
            self.wrong.append(f"{process.batch.name} sends one request after the other: {self.told[-1]}")
            process.dead = True
            raise Killed
        number, written, fate = process.requests, -1, process.fate
        if what.endswith("pipe_file") or path.startswith("POST"):
            process.writes = written = process.writes + 1
        if number == fate.dies or written == fate.dies_writing:
            process.dead = True
            self.say(f"dies at request {number}: {what} {path[-60:]}")
            raise Killed
        if number == fate.freezes or written == fate.freezes_writing:
            self.say(f"freezes for {fate.seconds:.0f} s at request {number}: {what} {path[-60:]}")
            self.pause(fate.seconds)
        else:
            self.pause(self.rng.choice((0.0, 0.02, 0.1)))
        if number == fate.stops:
            self.say("is told to stop")
            process.operator.on_kill()
        first, last, share = fate.broken
        reads_or_wrote = not what.startswith("after") or what == "after pipe_file"
        if first <= number < last and "http" not in what and reads_or_wrote and self.rng.random() < share:
            raise OSError("the storage does not answer")

    def exchange(self, request: Any, seconds: float) -> Answer:
        """Send a request to its vendor."""
        self.reached("http", request.endpoint)
        shop = self.shop_of(request.url)
        try:
            status, headers, value = shop.answer(request, self.process)
        except NotSent:
            self.pause(1.0)
            raise WireError(f"{request.endpoint} was not sent.", sent=False) from None
        except Lost:
            self.pause(seconds)
            raise WireError(f"No answer to {request.endpoint} within {seconds:g} s.", sent=True) from None
        if self.rng.random() < 0.05:
            self.pause(seconds * self.rng.random() * 0.95)
        self.reached("after http", request.endpoint)
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        return Answer(status, {"content-type": "application/json", **headers}, content)

    def said(self, name: str, default: str | None = None) -> str | None:
        """Return what a person has said, as an Airflow Variable."""
        process = self.process
        if process is not None and process.fate.deaf and self.rng.random() < process.fate.deaf:
            raise OSError("the API server does not answer")
        return self.variables.get(name, default)

    def shop_of(self, url: str) -> Shop:
        return next(one for one in self.shops.values() if url.startswith(f"https://{one.host}/"))

    def download(self, hook: Any, generation: Any, destination: str, *, names: Any) -> Any:
        """Store the files of a generation."""
        self.reached("http file", generation.id)
        if self.shops[generation.vendor].breaks_file():
            raise DownloadError(f"{generation.id} could not be fetched. A retry costs nothing.")
        place, stored = resolve(destination), []
        for number, one in enumerate(generation.creatives):
            name = names.name(generation, number, "png", one.kind)
            data = generation.id.encode()
            try:
                sink = place.sink(name, "image/png")
                sink.write(data)
                sink.commit(len(data), "")
            except OSError:
                raise DownloadError(f"{generation.id} could not be stored. A retry costs nothing.") from None
            told = {"url": None, "expires_at": None, "uri": place.uri_of(name), "size": len(data), "sha256": "0" * 64}
            stored.append(one.model_copy(update=told))
        return generation.model_copy(update={"creatives": stored})

    # --- waiting ------------------------------------------------------------------------------------------------------

    def noticed(self, vendor: str, ids: str, until: float, interval: float) -> tuple[float, str]:
        """Return the true time at which somebody who polls a job sees its end, and the status then."""
        shop = self.shops[vendor]
        job = shop.jobs.get(ids)
        if job is None:
            return until, TIMEOUT
        seen = max(self.time, job.ends_at, job.hidden_until) + interval * self.rng.random()
        return (until, TIMEOUT) if seen > until else (seen, job.end)

    def wait(self, trigger: Any) -> list[list[str]]:
        """Wait as :class:`BatchTrigger` documents it; return the jobs that are over."""
        skew = self.now() - self.time
        jobs = []
        for conn_id, vendor, _kind, ids, _since, until in trigger.jobs:
            at, status = self.noticed(vendor, ids, until - skew, trigger.poll_interval)
            jobs.append((at, [conn_id, ids, status, ""]))
        jobs.sort(key=lambda one: one[0])
        resumes = [self._resumes(one, trigger.until - skew, skew) for one in trigger.resume]
        fire = min([trigger.until - skew, *resumes])
        if jobs:
            fire = min(fire, jobs[0][0] + trigger.collect_seconds, jobs[-1][0])
        if 0 < trigger.collect_at <= len(jobs):
            fire = min(fire, jobs[trigger.collect_at - 1][0])
        self.pause(fire - self.time)
        return [told for at, told in jobs if at <= self.time]

    def _resumes(self, one: Iterable[Any], until: float, skew: float) -> float:
        conn_id, moment, needed = one
        if needed is None or self.shops[conn_id.partition("_")[0]].balance >= needed:
            return float(moment) - skew
        return until


# --- what takes the place of threads, sockets and seconds -----------------------------------------------------------


class Inline:
    """An executor whose work is done at once, in the caller's thread."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, act: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
        # In any order, but always the same: the things may come from a set.
        some = list(things)
        done = {number: act(some[number]) for number in sorted(range(len(some)), key=lambda one: str(some[one]))}
        return [done[number] for number in range(len(some))]

    def submit(self, act: Callable[..., Any], *args: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(act(*args))
        return done

    def shutdown(self, **_: Any) -> None:
        pass


class Pool:
    """The executor of a leg: its work waits until the main thread waits for it, or ends."""

    def __init__(self, machine: Machine) -> None:
        self.waiting: list[Callable[[], None]] = []
        self._rng = machine.rng
        if (process := machine.process) is not None:
            process.pool = self

    def submit(self, act: Callable[[], None]) -> None:
        self.waiting.append(act)

    def run_one(self) -> None:
        self.waiting.pop(self._rng.randrange(min(8, len(self.waiting))))()

    def shutdown(self, **_: Any) -> None:
        while self.waiting:
            self.run_one()


class Inbox:
    """The queue of a leg: who waits at it lets the others work, and time pass."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._items: deque[Any] = deque()

    def put(self, one: Any) -> None:
        self._items.append(one)

    def get_nowait(self) -> Any:
        if not self._items:
            raise queue.Empty
        return self._items.popleft()

    def get(self, timeout: float) -> Any:
        machine, process = self._machine, self._machine.process
        assert process is not None
        watched = process.watched
        if process.dead:
            raise Killed
        if 0 < process.fate.timed_out <= process.requests:
            process.fate.timed_out = 0
            machine.say("its time is over")
            raise TimeIsOver
        if self._items:
            return self._items.popleft()
        if process.pool.waiting:
            process.pool.run_one()
            return self._items.popleft()
        ends = [
            (*machine.noticed(job.vendor, ",".join(job.job_ids), job.until, 1.0), job, over) for job, over in watched
        ]
        at, status, job, over = min(ends, key=lambda one: one[0], default=(math.inf, "", None, None))
        if at <= machine.time + timeout:
            watched.remove((job, over))
            machine.pause(at - machine.time)
            over(status, "")
            return self._items.popleft()
        machine.pause(timeout)
        raise queue.Empty


class Watch:
    """Watches jobs for a leg."""

    def __init__(self, machine: Machine) -> None:
        self._process = machine.process

    def start(self, job: Any, over: Callable[..., None]) -> None:
        assert self._process is not None
        self._process.watched.append((job, over))

    def close(self) -> None:
        if self._process is not None:
            self._process.watched.clear()


class Diary:
    """What a batch logs; kept only where somebody wants to read it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def _say(self, message: str, *args: Any) -> None:
        if self._machine.loud:
            self._machine.say(message % args)

    debug = info = warning = error = log = _say


class OwnBudgets(dict[Any, Any]):
    """What each process has learned about rates."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def setdefault(self, key: Any, default: Any = None) -> Any:
        process = self._machine.process
        return default if process is None else process.budgets.setdefault(key, default)


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing real."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("it waits for something real")


def build(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """Put the machine in the place of everything real, until *patch* undoes it."""
    chance = random.Random(machine.rng.random())

    class Client:
        def __init__(self, **_: Any) -> None:
            pass

        async def send(self, request: Any, *, seconds: float) -> Answer:
            return machine.exchange(request, seconds)

        async def aclose(self) -> None:
            pass

    class Steady(random.Random):
        def __init__(self, seed: Any = None) -> None:
            super().__init__(chance.random() if seed is None else seed)

    async def sleep(seconds: float) -> None:
        machine.pause(seconds)

    async def waited(trigger: Any, _hooks: Any) -> list[list[str]]:
        return machine.wait(trigger)

    patch.setattr(BaseOperator, "log", Diary(machine))
    patch.setattr(SYSTEM, "now", machine.now)
    patch.setattr(SYSTEM, "monotonic", lambda: machine.time)
    patch.setattr(SYSTEM, "sleep", sleep)
    patch.setattr(SYSTEM, "sleep_blocking", machine.pause)
    patch.setattr(blocking, "run", at_once)
    patch.setattr(wire, "HttpClient", Client)
    patch.setattr(base, "_budgets", OwnBudgets(machine))
    patch.setattr(AdGenHook, "download", lambda *args, **options: machine.download(*args, **options))
    patch.setattr(leg, "ThreadPoolExecutor", lambda *_, **__: Pool(machine))
    patch.setattr(leg, "queue", SimpleNamespace(SimpleQueue=lambda: Inbox(machine), Empty=queue.Empty))
    for module in (batch_store, records, stored_files):
        patch.setattr(module, "ThreadPoolExecutor", Inline)
    patch.setattr(objects, "_LOCKS", (contextlib.nullcontext(),))
    patch.setattr("airflow_provider_adgen.operators.batch.WorkerWatch", lambda *_, **__: Watch(machine))
    patch.setattr("airflow_provider_adgen.triggers.batch.wait_on_worker", waited)
    patch.setattr("airflow.sdk.Variable.get", machine.said)
    patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=chance.getrandbits(128), version=4))
    patch.setattr(random, "Random", Steady)
