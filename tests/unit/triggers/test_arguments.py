# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What triggers carry: JSON values that an earlier version wrote, ids of any shape, and no time of their own."""

from __future__ import annotations

import ast
import graphlib
import json
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_adgen
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.triggers.base import WaitTrigger
from airflow_provider_adgen.triggers.generation import GenerationTrigger
from tests.support.tiny import Reply, Tiny

PACKAGE = airflow_provider_adgen.__name__
TRIGGERS = Path(airflow_provider_adgen.__file__).parent / "triggers"

WAITING = {"conn_id": "vendor", "poll_interval": 0.05, "since": 5.0, "until": 9e9, "first_fire_delay": 0.0}
QUEUED = {
    "conn_id": "vendor",
    "name": "t",
    "moment": 5.0,
    "since": 5.0,
    "until": 9e9,
    "first_fire_delay": 0.0,
}
# As they stand in the database of an Airflow whose tasks were deferred before triggers were dataclasses.
STORED: list[tuple[str, dict[str, Any]]] = [
    (
        "generation.GenerationTrigger",
        {**WAITING, "vendor": "adsumo", "job_ids": ["a", "b"], "kind": None, "stop_suspended": False},
    ),
    ("credits.CreditTrigger", {**WAITING, "required": 5, "claims": True}),
    ("cinematicads.BatchTrigger", {**WAITING, "batch_id": "batch", "max_failed": None}),
    ("sume.AssetTrigger", {**WAITING, "asset_id": "asset", "ready_words": ["ready"]}),
    ("base.WaitTrigger", {"moment": 5.0}),
    ("submit_queue.SubmitQueueTrigger", QUEUED),
    ("turns.TurnTrigger", QUEUED),
]


def revive(path: str, arguments: dict[str, Any]) -> Any:
    """Make a trigger as Airflow's triggerer does."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(f"{PACKAGE}.triggers.{module}"), name)(**json.loads(json.dumps(arguments)))


@pytest.mark.parametrize(("path", "arguments"), STORED, ids=[path for path, _ in STORED])
def test_a_trigger_that_is_stored_is_made_again_with_the_same_arguments(path: str, arguments: dict[str, Any]) -> None:
    found, carried = revive(path, arguments).serialize()
    assert carried == arguments
    again = import_module(found.rpartition(".")[0])
    assert getattr(again, found.rpartition(".")[2])(**carried).serialize() == (found, carried)


async def test_a_task_that_was_deferred_under_the_earlier_path_finishes() -> None:
    trigger = revive("turns.TurnTrigger", QUEUED)
    assert [event.payload async for event in trigger.run()] == [{"id": "", "status": "waited"}]


# What the versions before serialised, letter by letter: the whole path, each argument; then what the vendor says now,
# and the event to which the trigger must come.
_SHARED = {"conn_id": "vendor", "poll_interval": 0.05, "since": 1764000000.0, "until": 9e9, "first_fire_delay": 0.0}
_QUEUED = {"conn_id": "vendor", "name": "d.t", "moment": 1764000000.0, "since": 1764000000.0, "until": 9e9}
_JOB = {"vendor": "sume", "job_ids": ["a", "b"], "kind": "image", "stop_suspended": False}
_FAILED = {name: {"object": "job", "id": name, "status": "failed"} for name in "ab"}
_CREDITS = {"GET /account/credits": {"data": {"credits_remaining": 9}}}
_BATCH = {"GET /api/batch/status": {"data": {"total": 2, "completed": 1, "failed": 1}}}
_ASSET = {"GET /assets/asset": {"id": "asset", "status": "Searchable"}}
EARLIER: dict[str, tuple[str, dict[str, Any], str, dict[str, Any], dict[str, str]]] = {
    "a generation": (
        "generation.GenerationTrigger",
        {**_SHARED, **_JOB},
        "sume",
        {f"GET /jobs/{name}": job for name, job in _FAILED.items()},
        {"id": "a,b", "status": "failed"},
    ),
    "credits that are spent then": (
        "credits.CreditTrigger",
        {**_SHARED, "required": 5, "claims": True},
        "adsumo",
        _CREDITS,
        {"id": "", "status": "enough"},
    ),
    "credits, before there were claims": (
        "credits.CreditTrigger",
        {**_SHARED, "required": 5},
        "adsumo",
        _CREDITS,
        {"id": "", "status": "enough"},
    ),
    "a batch": (
        "cinematicads.BatchTrigger",
        {**_SHARED, "batch_id": "batch", "max_failed": 1},
        "cinematicads",
        _BATCH,
        {"id": "batch", "status": "2 of 2 ended"},
    ),
    "an asset": (
        "sume.AssetTrigger",
        {**_SHARED, "asset_id": "asset", "ready_words": ["searchable"]},
        "sume",
        _ASSET,
        {"id": "asset", "status": "searchable"},
    ),
    "a moment": ("base.WaitTrigger", {"moment": 1764000000.0}, "sume", {}, {"id": "", "status": "waited"}),
    "a place in the queue of submissions": (
        "turns.TurnTrigger",
        {**_QUEUED, "first_fire_delay": 0.0},
        "sume",
        {},
        {"id": "", "status": "waited"},
    ),
}


@pytest.mark.parametrize("name", EARLIER)
async def test_a_task_that_was_deferred_under_an_earlier_version_finishes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.trigger import Trigger  # noqa: TID251 - it stores triggers, and is not in a task

    path, arguments, vendor, answers, event = EARLIER[name]
    module, _, class_name = f"{PACKAGE}.triggers.{path}".rpartition(".")
    # As the triggerer does: what is stored is decrypted, the class imported by its path and called with it.
    stored = Trigger.encrypt_kwargs(arguments)
    trigger = getattr(import_module(module), class_name)(**Trigger._decrypt_kwargs(stored))
    with Tiny() as server:
        server.routes.update({route: Reply(value) for route, value in answers.items()})
        connection = {"conn_type": vendor, "host": server.url, "password": "key-one"}
        monkeypatch.setenv("AIRFLOW_CONN_VENDOR", json.dumps(connection))
        assert [one.payload async for one in trigger.run()] == [event]
        assert set(server.paths()) == set(answers)


@pytest.mark.parametrize("given", [["a", "b"], ("a", "b"), "a,b", "a, b"], ids=repr)
async def test_job_ids_of_any_shape_are_one_generation(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = {**WAITING, "since": time.time(), "vendor": "sume", "job_ids": given, "kind": "image"}
    trigger = GenerationTrigger(**arguments)
    assert trigger.job_ids == ["a", "b"] and trigger.target().key == ("generation", ("a", "b"), False)
    assert trigger.serialize()[1]["job_ids"] == ["a", "b"]
    with Tiny() as server:
        for job in "ab":
            server.routes[f"GET /jobs/{job}"] = Reply({"object": "job", "id": job, "status": "failed"})
        connection = {"conn_type": "sume", "host": server.url, "password": "key-one"}
        monkeypatch.setenv("AIRFLOW_CONN_VENDOR", json.dumps(connection))
        assert [event.payload async for event in trigger.run()] == [{"id": "a,b", "status": "failed"}]


async def test_time_can_be_handed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(SYSTEM, "now", lambda: 1000.0)
    monkeypatch.setattr(SYSTEM, "sleep", sleep)
    assert [event.payload["status"] async for event in WaitTrigger(moment=4600.0).run()] == ["waited"]
    assert slept == [3600.0]


def test_time_enters_by_the_clock_alone_and_modules_import_each_other_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in TRIGGERS.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert "time" not in imported | plain, path.name
        # Those under TYPE_CHECKING and inside functions, too.
        graph[path.stem] = {name.rpartition(".")[2] for name in imported if name.startswith(f"{PACKAGE}.triggers.")}
    assert list(graphlib.TopologicalSorter(graph).static_order())
