# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What every vendor must do, whichever it is: one list of behaviours over all registered vendors of this package.

A fifth vendor joins by one entry in ``SAMPLES``.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core import errors
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.vocabulary import FINISHED, GenerationStatus
from airflow_provider_adgen.hooks import base as hooks_base
from airflow_provider_adgen.hooks.base import AdGenHook, typed_hook
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.sandbox import Sandbox
from tests.support.tasks import FakeStore, run_task, task_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def _cutx(hook: Any) -> dict[str, Any]:
    project = hook.create_project(name="Shoes")
    product = hook.ingest_product(url="https://shop.example.com/sneaker", project_id=project.id)
    return {"kind": "static-ad", "project_id": project.id, "product_id": product.id, "prompt": "a red sneaker"}


SAMPLES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "adsumo": lambda _hook: {"kind": "text-to-image", "prompt": "a sneaker", "model": "pro", "aspect_ratio": "1:1"},
    "cutx": _cutx,
    "sume": lambda _hook: {"kind": "image", "prompt": "a sneaker", "aspect_ratio": "1:1", "image_count": 1},
    "cinematicads": lambda _hook: {"kind": "workflow", "workflow_type": "cinematic", "concept": "a sneaker"},
}

ERRORS = {
    400: errors.ApiError,
    401: errors.AuthenticationError,
    402: errors.InsufficientCredits,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.PayloadTooLarge,
    429: errors.RateLimited,
    500: errors.ServerError,
    502: errors.ServerError,
    503: errors.ServerError,
}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(speed=60) as sandbox:
        yield sandbox


@pytest.fixture(params=sorted(SAMPLES))
def vendor(request: pytest.FixtureRequest, running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    running.reset()
    connection = running.connection(name, timeout=2)
    monkeypatch.setenv("AIRFLOW_CONN_HERE", json.dumps({**connection, "extra": json.dumps(connection["extra"])}))
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    return name


def _operator(vendor: str, **arguments: Any) -> GenerateOperator:
    request = SAMPLES[vendor](typed_hook(vendor, "here"))
    return GenerateOperator(task_id="make", conn_id="here", request=request, poll_interval=0.2, **arguments)


@pytest.mark.parametrize("deferrable", [True, False])
def test_submit_wait_store(vendor: str, running: Sandbox, tmp_path: Path, deferrable: bool) -> None:
    operator = _operator(vendor, deferrable=deferrable, destination=f"file://{tmp_path}", timeout=60)

    result = run_task(operator, task_context(FakeStore()))

    assert result["vendor"] == vendor
    assert result["status"] == "completed"
    assert result["creatives"]
    for creative in result["creatives"]:
        assert creative["uri"].startswith("file://")
        assert creative["url"] is None
        assert len(creative["sha256"]) == 64
    assert [charge["job_id"] for charge in running.charges] == [result["id"]]
    quoted = result["credits"]["quoted"]
    assert quoted is None or quoted == running.charges[0]["credits"]


def test_both_wires_agree(vendor: str, running: Sandbox) -> None:
    hook = typed_hook(vendor, "here")
    request = hook.vendor.parse_request(SAMPLES[vendor](hook))
    job = hook.submit(request)
    running.advance(3600)

    def comparable(generation: Any) -> dict[str, Any]:
        value: dict[str, Any] = generation.to_xcom(urls=False)
        return value

    async def both() -> tuple[dict[str, Any], Any]:
        return comparable(await hook.aget_generation(job.id, kind=job.kind)), await hook.aget_credits()

    seen, balance = asyncio.run(both())
    assert seen == comparable(hook.get_generation(job.id, kind=job.kind))
    assert seen["status"] == "completed"
    assert balance == hook.get_credits()


@pytest.mark.parametrize("status", sorted(ERRORS))
def test_every_error_status(vendor: str, running: Sandbox, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_adgen.core.retrying._backoff", lambda _state: 0.0)
    monkeypatch.setattr(SYSTEM, "sleep", _no_sleep)
    hooks_base._budgets.clear()
    running.fault("status", vendor, status=status, times=-1, message="no luck today")
    hook = AdGenHook("here")

    with pytest.raises(ERRORS[status]) as blocking:
        hook.get_credits()
    # What one wire was told of a rate limit is not what the other one is tried with.
    hooks_base._budgets.clear()
    with pytest.raises(ERRORS[status]) as waiting:
        asyncio.run(hook.aget_credits())

    assert type(blocking.value) is type(waiting.value)
    # Each request has an id of its own, where a vendor has such ids.
    assert _without_id(blocking.value) == _without_id(waiting.value)
    assert blocking.value.status == status
    assert running.key_for(vendor) not in str(blocking.value)


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def _without_id(error: errors.ApiError) -> str:
    return str(error).replace(error.request_id or "-", "")


@pytest.mark.parametrize("status", sorted(ERRORS))
def test_every_error_status_of_a_submission(vendor: str, running: Sandbox, status: int) -> None:
    hook = typed_hook(vendor, "here")
    request = hook.vendor.parse_request(SAMPLES[vendor](hook))
    running.fault("status", vendor, method="POST", status=status, times=-1, message="no luck today")
    before = len(running.requests(vendor, method="POST"))

    hooks_base._budgets.clear()
    with pytest.raises(ERRORS[status]) as blocking:
        hook.submit(request)
    # What the first was told of a rate limit would keep the second from being sent.
    hooks_base._budgets.clear()
    with pytest.raises(ERRORS[status]) as waiting:
        asyncio.run(hook.asubmit(request))

    assert type(blocking.value) is type(waiting.value) is ERRORS[status]
    assert _without_id(blocking.value) == _without_id(waiting.value)
    assert len(running.requests(vendor, method="POST")) == before + 2  # each is sent exactly once
    assert running.charges == []


SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("adsumo", {"submit_status": 201}),
    ("adsumo", {"submit_status": 202, "generations_order": "random"}),
    ("adsumo", {"multiple_results": "zip"}),
    ("adsumo", {"multiple_results": "list"}),
    ("cutx", {"error_field": "error"}),
    *(("sume", {"submit_status": status}) for status in (200, 201)),
    *(("sume", {"create_shape": shape}) for shape in ("job", "job_id")),
    *(("sume", {"job_urls": shape}) for shape in ("list", "none")),
    *(("sume", {"result_shape": shape, "early_result": "empty"}) for shape in ("urls", "outputs")),
    ("cinematicads", {"submit_status": 202}),
    ("cinematicads", {"workflow_shape": "data", "response_shape": "top"}),
    ("cinematicads", {"projects_shape": "named", "response_shape": "top"}),
    ("cinematicads", {"project_job_id": False}),
    ("cinematicads", {"sse_names": "workflow", "project_job_id": False}),
]


@pytest.mark.parametrize(("name", "shape"), SHAPES, ids=str)
def test_every_shape_is_understood(
    running: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, shape: dict[str, Any]
) -> None:
    running.reset()
    connection = running.connection(name, timeout=2)
    monkeypatch.setenv("AIRFLOW_CONN_HERE", json.dumps({**connection, "extra": json.dumps(connection["extra"])}))
    running.settings({name: shape})

    operator = _operator(name, deferrable=False, destination=f"file://{tmp_path}", timeout=60)
    result = run_task(operator, task_context(FakeStore()))

    assert (result["status"], bool(result["creatives"])) == ("completed", True)
    assert [charge["job_id"] for charge in running.charges] == [result["id"]]


def test_every_status_word(vendor: str) -> None:
    definition = get_vendor(vendor)
    assert set(definition.statuses.values()) >= {GenerationStatus.COMPLETED, GenerationStatus.FAILED}
    for word, status in definition.statuses.items():
        assert definition.status(word) == status
    assert definition.status("brand_new_word") == "brand_new_word"
    assert definition.status("brand_new_word") not in FINISHED


def test_a_failed_job_is_said_and_refunded_as_documented(vendor: str, running: Sandbox) -> None:
    running.fail_next(vendor, message="the script broke the content policy")
    store = FakeStore()

    with pytest.raises(errors.GenerationFailed):
        run_task(_operator(vendor, deferrable=False, timeout=60), task_context(store))

    charged = sum(charge["credits"] for charge in running.charges)
    refunded = sum(refund["credits"] for refund in running.refunds)
    documented = GenerationStatus.FAILED in get_vendor(vendor).promises.refunded
    assert refunded == (charged if documented else 0)


def test_a_lost_answer_never_buys_twice(vendor: str, running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = _operator(vendor, deferrable=False, timeout=60)
    monkeypatch.setattr("airflow_provider_adgen.core.decisions.submission._FIRST_PAUSE", 0.1)
    running.fault("drop", vendor, method="POST", when="after")
    store = FakeStore()
    for try_number in (1, 2):
        try:
            result = run_task(operator, task_context(store, try_number=try_number))
        except AirflowFailException as error:
            assert "Nothing more is sent until a person decides" in str(error)
        else:
            assert result["status"] == "completed"
        assert len(running.charges) == 1


def test_too_few_credits_charge_nothing(vendor: str, running: Sandbox) -> None:
    operator = _operator(vendor, deferrable=False, timeout=60)
    running.set_credits(vendor, 0)
    with pytest.raises(AirflowFailException):
        run_task(operator, task_context(FakeStore()))
    assert running.charges == []


def test_what_a_repeat_did_not_charge_is_not_what_the_job_cost(
    running: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.reset()
    connection = running.connection("cutx", timeout=2)
    monkeypatch.setenv("AIRFLOW_CONN_HERE", json.dumps({**connection, "extra": json.dumps(connection["extra"])}))
    about = _cutx(typed_hook("cutx", "here"))
    request = {name: about[name] for name in ("project_id", "product_id")} | {
        "kind": "video",
        "script": "Look at this!",
    }
    running.fault("drop", "cutx", method="POST", when="after")
    store = FakeStore()

    run_task(
        GenerateOperator(task_id="make", conn_id="here", request=request, poll_interval=0.2, deferrable=False),
        task_context(store),
    )

    assert [charge["credits"] for charge in running.charges] == [40]
    assert "charged" not in store.writes[-1]["attempts"][-1]
    assert store.writes[-1]["attempts"][-1]["price"] == 40
