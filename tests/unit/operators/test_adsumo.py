# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo's operators to their end over real HTTP, and what a DAG's author does with any operator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import ApiError, ServerError
from airflow_provider_adgen.operators.adsumo import (
    AdsumoCreateAvatarOperator,
    AdsumoCreateProductOperator,
    AdsumoDeleteAvatarOperator,
    AdsumoDeleteProductOperator,
    AdsumoProductShotOperator,
    AdsumoTalkingAvatarOperator,
    AdsumoTemplateVideoOperator,
    AdsumoTextToImageOperator,
    AdsumoTextToSpeechOperator,
    AdsumoVideoOperator,
)
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.sandbox.adsumo.catalogue import AVATARS

if TYPE_CHECKING:
    from tests.support.rig import Rig

VOICE = "EXAVITQu4vr4xnSDxMaL"
AVATAR = next(iter(AVATARS))
PRODUCT = {
    "name": "Bottle",
    "description": "It holds water.",
    "category": "Home",
    "image_url": "https://cdn.example/bottle.png",
}
# What each needs, numbers as templates leave them; what it costs at the sandbox; what it makes.
GENERATIONS: dict[str, tuple[Any, dict[str, Any], int, str, str]] = {
    "talking avatar": (
        AdsumoTalkingAvatarOperator,
        {"avatar_id": AVATAR, "avatar_type": "platform", "script": "Hello", "voice_id": VOICE},
        20,
        "video",
        "video/mp4",
    ),
    "ai video": (
        AdsumoVideoOperator,
        {"model": "veo-3.1-fast", "prompt": "A bottle", "aspect_ratio": "9:16", "duration": "4"},
        20,
        "video",
        "video/mp4",
    ),
    "text to image": (
        AdsumoTextToImageOperator,
        {"prompt": "A bottle", "model": "pro", "aspect_ratio": "1:1", "quantity": "2", "resolution": "2k"},
        4,
        "image",
        "image/png",
    ),
    "product shots": (
        AdsumoProductShotOperator,
        {"product_id": "", "style_id": "lifestyle-outdoor", "model": "fast", "aspect_ratio": "1:1", "quantity": "1"},
        1,
        "image",
        "image/png",
    ),
    "template video": (
        AdsumoTemplateVideoOperator,
        {"template": "ugc", "product_id": "prod_1"},
        30,
        "video",
        "video/mp4",
    ),
    "voice": (AdsumoTextToSpeechOperator, {"text": "Hello", "voice_id": VOICE}, 1, "voice", "audio/mpeg"),
}
COMMON = {
    "conn_id",
    "wait_for_completion",
    "deferrable",
    "poll_interval",
    "timeout",
    "submit_timeout",
    "max_credits",
    "assume_credits",
    "destination",
    "on_clear",
    "on_unknown_submission",
    "on_failed",
    "on_changed_input",
    "on_insufficient",
    "on_suspended",
    "idempotency_key",
}


@pytest.fixture(params=GENERATIONS)
def generation(request: pytest.FixtureRequest, make_rig: Callable[..., Rig]) -> tuple[Rig, Any, dict[str, Any], str]:
    rig = make_rig()
    cls, fields, *_ = GENERATIONS[request.param]
    if fields.get("product_id") == "":
        product = rig.run(_product_operator())
        fields = {**fields, "product_id": product["id"]}
    return rig, cls, fields, request.param


def _product_operator() -> AdsumoCreateProductOperator:
    return AdsumoCreateProductOperator(task_id="product", **PRODUCT)


def comparable(result: dict[str, Any]) -> Any:
    """What must be the same whichever way it was waited for."""
    creatives = [
        {name: one[name] for name in ("kind", "media_type", "url", "expires_at")} for one in result["creatives"]
    ]
    same = ("schema", "vendor", "kind", "status", "credits", "variants", "error", "progress")
    return {name: result[name] for name in same} | {"creatives": creatives, "keys": list(result)}


def test_it_makes_one_and_stores_it_whichever_way_it_waits(generation: Any) -> None:
    rig, cls, fields, name = generation
    _, _, price, kind, media_type = GENERATIONS[name]
    found = []
    for number, deferrable in enumerate((False, True)):
        folder = f"{rig.destination}/{number}"
        found.append(rig.run(rig.operator(cls, **fields, deferrable=deferrable, destination=folder)))
        rig.clear()
    assert comparable(found[0]) == comparable(found[1])
    for result in found:
        assert (result["kind"], result["status"]) == (kind, "completed")
        creative = result["creatives"][0]
        assert creative["media_type"] == media_type
        assert Path(creative["uri"].removeprefix("file://")).stat().st_size == creative["size"]
        assert "http" not in json.dumps(result)
    assert [charge["credits"] for charge in rig.charges] == [price, price]
    assert found[0]["id"] != found[1]["id"]


def test_what_is_sent_is_what_was_given(generation: Any) -> None:
    rig, cls, fields, _ = generation
    rig.run(rig.operator(cls, **fields, wait_for_completion=False))
    (post,) = [post for post in rig.posts() if not post["path"].endswith("/products")]
    sent = json.loads(post["body"]) if isinstance(post["body"], str) else post["body"]
    for name, value in fields.items():
        assert str(sent[name]) == str(value)
        assert isinstance(sent[name], int) == (name in {"quantity", "duration"})


@pytest.mark.parametrize("cls", [one[0] for one in GENERATIONS.values()])
def test_every_argument_is_named_templated_and_mappable(cls: Any) -> None:
    fields = next(one[1] for one in GENERATIONS.values() if one[0] is cls)
    assert set(fields) | {"extra_fields", *GenerateOperator.template_fields} <= {*cls.template_fields, "request"}
    assert set(cls.request_fields) <= set(cls.template_fields)
    with DAG("d", schedule=None):
        name, value = next(iter(fields.items()))
        rest = {field: item for field, item in fields.items() if field != name}
        mapped = cls.partial(task_id="m", **rest, **dict.fromkeys(COMMON - {"conn_id"})).expand(**{name: [value]})
        assert getattr(mapped.unmap({name: value}), name) == value
        everything = cls.partial(task_id="e").expand_kwargs([{**fields, "conn_id": "c", "max_credits": 3}])
        one = everything.unmap({**fields, "conn_id": "c", "max_credits": 3})
        assert (one.conn_id, one.max_credits) == ("c", 3)


@pytest.mark.parametrize("cls", [*(one[0] for one in GENERATIONS.values()), GenerateOperator])
def test_default_args_reach_every_argument(cls: Any) -> None:
    values: dict[str, Any] = {name: f"<{name}>" for name in COMMON}
    fields = next((one[1] for one in GENERATIONS.values() if one[0] is cls), {"request": {"kind": "x"}})
    with DAG("d", schedule=None, default_args=values):
        task = cls(task_id="t", **fields)
        own = cls(task_id="u", **fields, conn_id="mine", on_clear="reattach")
    assert {name: getattr(task, name) for name in COMMON} == values
    assert (own.conn_id, own.on_clear, own.on_failed) == ("mine", "reattach", "<on_failed>")


def test_templates_are_rendered_before_anything_is_checked(rig: Rig) -> None:
    operator = AdsumoTextToImageOperator(
        task_id="make",
        prompt="{{ params.product }} on a beach",
        model="{{ params.model }}",
        aspect_ratio="{{ params.ratio }}",
        quantity="{{ params.quantity }}",
        max_credits="{{ params.quantity * 2 }}",
        destination=f"{rig.destination}/{{{{ ds }}}}",
        extra_fields={"seed": "{{ params.quantity }}"},
        conn_id="{{ params.conn }}",
    )
    params = {"product": "A bottle", "model": "pro", "ratio": "1:1", "quantity": 2, "conn": "adsumo_default"}
    context = rig.context()
    operator.render_template_fields({**context, "params": params, "ds": "2026-01-02"})
    result = operator.execute(context)
    assert result["creatives"][0]["uri"].startswith(f"{rig.destination}/2026-01-02/")
    sent = rig.sandbox.jobs()[0]["request"]
    assert (sent["prompt"], sent["quantity"]) == ("A bottle on a beach", 2)
    assert rig.charges[0]["credits"] == 4


def test_an_operator_checks_nothing_before_it_runs() -> None:
    # A DAG must parse with wrong values, as templates are not rendered yet.
    operator = AdsumoTextToImageOperator(task_id="t", prompt="", model="?", aspect_ratio="{{ x }}", quantity="{{ y }}")
    assert operator.quantity == "{{ y }}"
    GenerateOperator(task_id="g", conn_id="{{ conn }}", request={}, timeout="soon", on_clear="?")  # type: ignore[arg-type]


def test_any_vendors_operator_makes_the_same(rig: Rig) -> None:
    fields = {"prompt": "A bottle", "model": "fast", "aspect_ratio": "1:1"}
    typed = rig.run(rig.operator(AdsumoTextToImageOperator, **fields, destination=f"{rig.destination}/1"))
    rig.clear()
    request = {"kind": "text-to-image", **fields}
    made = rig.run(
        rig.operator(GenerateOperator, conn_id="adsumo_default", request=request, destination=f"{rig.destination}/2")
    )
    assert comparable(typed) == comparable(made)
    assert len(rig.charges) == 2


# --- products and avatars -----------------------------------------------------------------------------------------


def test_a_product_is_made_and_deleted(rig: Rig) -> None:
    made = rig.run(_product_operator())
    assert made["name"] == "Bottle" and made["image_url"] == PRODUCT["image_url"]
    json.dumps(made)
    delete = AdsumoDeleteProductOperator(task_id="d", product_id=made["id"])
    assert rig.run(delete) is None
    assert rig.run(delete) is None, "gone is gone"
    assert rig.charges == []


def test_a_products_answer_that_was_lost_makes_no_second_one(rig: Rig) -> None:
    from airflow_provider_adgen.hooks.adsumo import AdsumoHook

    rig.sandbox.fault("drop", "adsumo", method="POST", times=2)
    rig.run(_product_operator())
    assert len(list(AdsumoHook().list_products())) == 1


@pytest.mark.parametrize("what", ["product", "avatar"])
def test_a_retry_makes_no_second_one(rig: Rig, what: str) -> None:
    from airflow_provider_adgen.hooks.adsumo import AdsumoHook

    def create() -> Any:
        face = {"name": "Ada", "image_url": "https://cdn.example/face.png"}
        return _product_operator() if what == "product" else AdsumoCreateAvatarOperator(task_id="a", **face)

    def made() -> int:
        return len(list(AdsumoHook().list_products() if what == "product" else AdsumoHook().list_custom_avatars()))

    first = rig.run(create())
    rig.retry()
    assert rig.run(create()) == first
    assert made() == 1
    rig.clear()
    assert rig.run(create())["id"] != first["id"]
    assert made() == 2
    other = create()
    other.name = "Another"
    rig.run(other)
    assert made() == 3


def test_a_product_in_use_is_said_to_be(rig: Rig) -> None:
    made = rig.run(_product_operator())
    shots = {"product_id": made["id"], "style_id": "s", "model": "fast", "aspect_ratio": "1:1"}
    rig.run(rig.operator(AdsumoProductShotOperator, **shots, wait_for_completion=False))
    with pytest.raises(AirflowFailException, match="409"):
        rig.run(AdsumoDeleteProductOperator(task_id="d", product_id=made["id"]))


def test_an_avatar_is_made_and_deleted(rig: Rig) -> None:
    create = AdsumoCreateAvatarOperator(task_id="a", name="Ada", image_url="https://cdn.example/face.png")
    made = rig.run(create)
    assert made["avatar_type"] == "custom"
    fields = {"avatar_id": made["id"], "avatar_type": "custom", "script": "Hello", "voice_id": VOICE}
    assert rig.run(rig.operator(AdsumoTalkingAvatarOperator, **fields))["status"] == "completed"
    with pytest.raises(AirflowFailException):
        rig.run(AdsumoDeleteAvatarOperator(task_id="d", avatar_id=made["id"]))
    rig.clear()
    other = rig.run(create)
    assert rig.run(AdsumoDeleteAvatarOperator(task_id="d", avatar_id=other["id"])) is None


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        (lambda: AdsumoCreateProductOperator(task_id="t", **{**PRODUCT, "image_url": "x"}), "image_url"),
        (lambda: AdsumoCreateProductOperator(task_id="t", **PRODUCT, price="cheap"), "price"),
        (lambda: AdsumoCreateAvatarOperator(task_id="t", name="x" * 51, image_url="https://h/i.png"), "name"),
        (lambda: AdsumoDeleteProductOperator(task_id="t", product_id=""), "id"),
        (lambda: AdsumoDeleteAvatarOperator(task_id="t", avatar_id=None), "id"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_sent(rig: Rig, operator: Any, said: str) -> None:
    with pytest.raises(AirflowFailException, match="Nothing was sent") as caught:
        rig.run(operator())
    assert said in str(caught.value)
    assert rig.sandbox.requests("adsumo") == []


@pytest.mark.parametrize(("status", "again"), [(400, False), (409, False), (413, False), (422, False), (429, True)])
def test_what_the_vendor_would_refuse_again_is_not_tried_again(rig: Rig, status: int, again: bool) -> None:
    rig.sandbox.fault("status", "adsumo", method="DELETE", status=status)
    with pytest.raises(ApiError if again else AirflowFailException, match=str(status)):
        rig.run(AdsumoDeleteProductOperator(task_id="d", product_id="p"))


def test_a_vendor_that_fails_is_tried_again_by_airflow(rig: Rig) -> None:
    rig.sandbox.fault("status", "adsumo", method="DELETE", status=500)
    with pytest.raises(ServerError):
        rig.run(AdsumoDeleteProductOperator(task_id="d", product_id="p"))


def test_a_key_that_was_changed_meanwhile(rig: Rig) -> None:
    rig.connect(password="adsumo_sk_old")
    with pytest.raises(AirflowFailException, match="401"):
        rig.run(_product_operator())
