# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.vendors.cinematicads import VENDOR, Workflow

PRICES = {
    ("cinematic", "standard"): 1,
    ("cinematic", "premium"): 2,
    ("avatar", "standard"): 2,
    ("avatar", "premium"): 3,
    ("factory", "standard"): 3,
    ("factory", "premium"): 5,
    ("clone", "standard"): 3,
    ("clone", "premium"): 5,
    ("influencer", "standard"): 8,
    ("influencer", "premium"): 15,
    ("brand", "standard"): 15,
    ("brand", "premium"): 25,
    ("staticad", "standard"): 1,
    ("staticad", "premium"): 1,
    ("painpoint", "standard"): 1,
    ("painpoint", "premium"): 1,
    ("ad-optimizer", "standard"): 1,
    ("ad-optimizer", "premium"): 2,
}


def workflow(**fields: Any) -> Any:
    return VENDOR.parse_request({"kind": "workflow", **fields})


def sent(**fields: Any) -> Any:
    return VENDOR.submit(workflow(**fields), None).body


def test_documented_example_is_the_body() -> None:
    body = sent(
        workflow_type="cinematic",
        concept="Luxury perfume ad with golden tones",
        quality="premium",
        formats=["9:16", "1:1"],
    )
    assert json.loads(json.dumps(body)) == {
        "type": "cinematic",
        "concept": "Luxury perfume ad with golden tones",
        "quality": "premium",
        "formats": "9:16,1:1",
        "async": True,
    }


def test_every_field_goes_under_its_wire_name() -> None:
    body = sent(
        workflow_type="clone",
        url="https://shop.example/p/1",
        concept="c",
        quality="standard",
        models={"image": "i", "video": "v", "voice": "w"},
        formats=["16:9"],
        seasonal="eid",
        framework="aida",
        hitl=True,
        extra_fields={"voiceId": "v1"},
    )
    assert body == {
        "type": "clone",
        "url": "https://shop.example/p/1",
        "concept": "c",
        "quality": "standard",
        "models": {"image": "i", "video": "v", "voice": "w"},
        "formats": "16:9",
        "seasonal": "eid",
        "framework": "aida",
        "hitl": True,
        "async": True,
        "voiceId": "v1",
    }


def test_only_quality_and_async_are_sent_unasked() -> None:
    assert sent(workflow_type="avatar") == {"type": "avatar", "quality": "standard", "async": True}


def test_vendors_own_names_are_accepted() -> None:
    assert sent(**{"type": "avatar", "async": True}) == sent(workflow_type="avatar")
    assert Workflow(type="avatar").workflow_type == "avatar"  # type: ignore[call-arg]


@pytest.mark.parametrize(("asked", "price"), PRICES.items())
def test_price_is_the_table(asked: tuple[str, str], price: int) -> None:
    type_, quality = asked
    request = workflow(workflow_type=type_, quality=quality, url="https://a.example/x", formats=["9:16", "1:1", "16:9"])
    assert request.price() == price


@pytest.mark.parametrize(
    ("type_", "result_kind"),
    [("cinematic", "video"), ("staticad", "image"), ("painpoint", "analysis"), ("ad-optimizer", "analysis")],
)
def test_kind_of_result_follows_the_type(type_: str, result_kind: str) -> None:
    assert workflow(workflow_type=type_).result_kind == result_kind


@pytest.mark.parametrize("type_", ["clone", "factory"])
def test_url_is_required_where_documented(type_: str) -> None:
    with pytest.raises(InvalidRequest, match="needs url"):
        workflow(workflow_type=type_)
    assert workflow(workflow_type=type_, url="http://a.example").url == "http://a.example"


@pytest.mark.parametrize("type_", ["cinematic", "brand"])
def test_concept_is_not_required(type_: str) -> None:
    assert workflow(workflow_type=type_).concept is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "workflow_type"),
        ({"workflow_type": "local-audit"}, "workflow_type"),
        ({"workflow_type": "avatar", "quality": "best"}, "quality"),
        ({"workflow_type": "avatar", "url": "shop.example"}, "url"),
        ({"workflow_type": "avatar", "concept": "  "}, "concept"),
        ({"workflow_type": "avatar", "formats": []}, "formats"),
        ({"workflow_type": "avatar", "formats": ["4:5"]}, "formats"),
        ({"workflow_type": "avatar", "formats": "9:16,4:5"}, "formats"),
        ({"workflow_type": "avatar", "formats": {"9:16": 1}}, "formats"),
        ({"workflow_type": "avatar", "models": {}}, "models"),
        ({"workflow_type": "avatar", "models": {"music": "m"}}, "models"),
        ({"workflow_type": "avatar", "models": {"image": ""}}, "models"),
        ({"workflow_type": "avatar", "seasonal": "easter"}, "seasonal"),
        ({"workflow_type": "avatar", "framework": "smart"}, "framework"),
        ({"workflow_type": "avatar", "hitl": "perhaps"}, "hitl"),
        ({"workflow_type": "avatar", "async": False}, "async"),
        ({"workflow_type": "avatar", "asynchronous": False}, "async"),
        ({"workflow_type": "avatar", "type": "brand"}, "type"),
        ({"workflow_type": "avatar", "consept": "c"}, "consept"),
        ({"workflow_type": "local-audit"}, "goes into extra_fields"),
        ({"workflow_type": "avatar", "extra_fields": {"async": False}}, "async"),
    ],
)
def test_wrong_requests_name_the_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest, match=named) as caught:
        workflow(**fields)
    assert "Nothing was sent" in caught.value.message


@pytest.mark.parametrize("value", ["9:16,1:1", "9:16, 1:1", ["9:16", "1:1"], ("9:16", "1:1", "9:16")])
def test_formats_are_joined_once_each(value: Any) -> None:
    assert sent(workflow_type="avatar", formats=value)["formats"] == "9:16,1:1"


def test_rendered_templates_are_read() -> None:
    assert sent(workflow_type="avatar", hitl="true")["hitl"] is True
    assert sent(workflow_type="avatar", hitl="False")["hitl"] is False


def test_there_are_no_keys() -> None:
    assert VENDOR.promises.idempotency is None
    call = VENDOR.submit(workflow(workflow_type="avatar"), None)
    assert call.paid and not call.may_repeat and not call.headers
