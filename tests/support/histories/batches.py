# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The tries of a batch, as Airflow runs them: a process for each leg, triggers between them, retries and clears."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.compat import TRIGGER_FAILED, AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.operators.batch import GenerateBatchOperator
from tests.support.histories.machine import Fate, Killed, Machine, Process, TimeIsOver
from tests.support.tasks import FakeTaskInstance

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LEGS = 150
RETRIES = 3
PROJECT = "11111111-2222-4333-8444-555555555555"
MAKERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "adsumo": lambda text: {"kind": "text-to-image", "prompt": text, "model": "fast", "aspect_ratio": "1:1"},
    "sume": lambda text: {"kind": "image", "prompt": text},
    "cutx": lambda text: {"kind": "static-ad", "project_id": PROJECT, "product_id": PROJECT, "prompt": text},
    "cutx video": lambda text: {"kind": "video", "project_id": PROJECT, "product_id": PROJECT, "script": text},
}


@dataclass
class Wanted:
    """One item as its author wants it just now, and since when."""

    choices: list[str]
    version: int = 1
    edited: float = 0.0


@dataclass
class Try:
    """
    How one try ended.

    :param end: ``succeeded``, ``failed``, ``failed for good``, ``died`` or ``given up``.
    :param error: what it said.
    :param told: what it returned.
    :param keys: of the items that stood in its list when it began.
    :param began: Unix time.
    :param calm: the vendors at which nothing went wrong; none where something went wrong elsewhere.
    """

    number: int
    end: str
    error: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    began: float = 0.0
    seconds: float = 0.0
    calm: frozenset[str] = frozenset()


class Batch:
    """
    One batch in one DAG run.

    :param machine: the world.
    :param name: its DAG.
    :param base: the storage.
    :param wanted: its items.
    :param fields: further arguments of the operator.
    """

    def __init__(
        self, machine: Machine, name: str, base: str, wanted: dict[str, Wanted], fields: dict[str, Any]
    ) -> None:
        self.machine, self.name, self.base = machine, name, base
        self.wanted, self.fields = wanted, fields
        self.listed = list(wanted)
        self.number, self.max_tries = 0, RETRIES
        self.clears: list[float] = []
        self.tries: list[Try] = []
        self.results: str | None = None
        self.answers: list[tuple[float, str, str]] = []
        self.attached: dict[str, float] = {}
        self.dismissed: set[str] = set()
        self.risks: dict[int, set[str]] = {}
        self.requests, self.began = 0, 0.0
        self.froze = self.hit = False
        self.has_twin = False
        self.wrong: list[str] = []

    @property
    def on(self) -> dict[str, Any]:
        """What the author chose, with the defaults."""
        usual = {"on_clear": "missing", "on_failed": None, "on_changed_input": "fail", "on_unknown_submission": "fail"}
        return {**usual, **self.fields}

    def clear(self) -> None:
        """A person clears the task."""
        self.max_tries = max(self.max_tries + 1, self.number + RETRIES)
        self.clears.append(self.machine.time)
        self.machine.say("is cleared")

    def items(self) -> list[dict[str, Any]]:
        made = []
        for key in self.listed:
            one = self.wanted[key]
            text = f"A lamp for {key} in version {one.version}"
            requests = [(which.split()[0], MAKERS[which](text)) for which in one.choices]
            choices = [{"conn_id": f"{vendor}_default", "request": request} for vendor, request in requests]
            made.append({"key": key, "choices": choices})
        return made

    # --- one try ------------------------------------------------------------------------------------------------------

    def run(
        self,
        fates: Callable[[], Fate],
        *,
        edits: Callable[[], None] = lambda: None,
        leaves: float = 0.0,
        dead_triggers: float = 0.0,
        skew: float = 0.0,
    ) -> Try:
        """
        Run one try to its end.

        :param fates: returns what happens to its next process.
        :param edits: is called between its legs: a DAG file may change, and templates render differently by the minute.
        :param leaves: the share of deferrals after which the task is given up (it is cleared, or marked as failed).
        :param dead_triggers: the share of triggers that end without an event.
        :param skew: seconds by which a worker's clock is off, at most; each leg may run on another one.
        """
        self.number, self.requests = self.number + 1, 0
        number, keys, self.hit = self.number, tuple(self.listed), False
        ti = FakeTaskInstance(dag_id=self.name, run_id="r", try_number=number, max_tries=self.max_tries)
        self.machine.say(f"try {number} of {', '.join(keys)}")
        began = self.began = self.machine.time
        before = self._troubles()
        ended = self._legs(ti, fates, edits, leaves, dead_triggers, skew)
        same = {name for name, said in self._troubles().items() if said == before[name]}
        calm = frozenset() if self.hit or self.machine.forbidden_since is not None else frozenset(same)
        done = Try(number, *ended, keys, began, self.machine.time - began, calm)
        self.results = ti.xcoms.get("results", self.results)
        said = done.error.partition("\n")[0] or done.told.get("counts")
        self.machine.say(f"try {number} {done.end}: {said}")
        self.tries.append(done)
        return done

    def _troubles(self) -> dict[str, Any]:
        return {name: (shop.disturbed, shop.key) for name, shop in self.machine.shops.items()}

    def _legs(
        self, ti: Any, fates: Callable[[], Fate], edits: Callable[[], None], leaves: float, dead: float, skew: float
    ) -> tuple[str, str, dict[str, Any]]:
        chance = random.Random(self.machine.rng.random())
        method: str | None = None
        kwargs: dict[str, Any] = {}
        versions = {key: self.wanted[key].version for key in self.listed}
        for _ in range(MOST_LEGS):
            fate = fates()
            self.hit |= fate != Fate()
            operator = GenerateBatchOperator(
                task_id="make",
                retries=RETRIES,
                items=self.items(),
                destination=f"{self.base}/ads-{self.name}",
                poll_interval=chance.choice([5.0, 15.0]),
                **self.fields,
            )
            fresh = self.on["on_clear"] == "fresh" and ti.max_tries > RETRIES
            off = chance.uniform(-skew, skew)
            process = Process(
                self.machine,
                self,
                fate,
                self.machine.time,
                number=ti.try_number,
                versions=versions,
                skew=off,
                fresh=fresh,
                operator=operator,
            )
            name = threading.current_thread().name
            self.froze |= fate.seconds > 0
            self.machine.processes[name] = process
            try:
                if method is None:
                    return "succeeded", "", operator.execute({"ti": ti})
                return "succeeded", "", operator.resume_execution(method, kwargs, {"ti": ti})
            except TaskDeferred as deferral:
                trigger = deferral.trigger
            except Killed:
                return "died", "", {}
            except TimeIsOver:
                return "failed", "execution_timeout", {}
            except AirflowFailException as error:
                return "failed for good", str(error), {}
            except (AdGenError, OSError) as error:
                return "failed", f"{type(error).__name__}: {error}", {}
            finally:
                process.dead = True
                del self.machine.processes[name]
            if chance.random() < leaves:
                return "given up", "", {}
            over = self.machine.wait(trigger)
            edits()
            if chance.random() < dead:
                self.hit = True
                method, kwargs = TRIGGER_FAILED, {"error": "the trigger died"}
            else:
                method, kwargs = "execute_complete", {"event": {"id": "", "status": "collect", "over": over}}
        self.wrong.append(f"try {ti.try_number} had {MOST_LEGS} legs and did not end")
        return "given up", "", {}

    # --- what came of it ----------------------------------------------------------------------------------------------

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the results."""
        if self.results is None:
            return []
        text = self.machine.fs.store[self.results.partition("@")[2]].getvalue()
        return [json.loads(line) for line in text.splitlines()]
