# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What stands in extra_fields under the name of a field replaces it: unvalidated, and at a price that nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.operators.cinematicads import CinematicAdsWorkflowOperator
from airflow_provider_adgen.vendors.cinematicads import Workflow

if TYPE_CHECKING:
    from airflow_provider_adgen.core.requests import GenerationRequest

UUID = "00000000-0000-4000-8000-000000000001"
COPY = {"kind": "copy", "project_id": UUID, "product_id": UUID, "platform": "meta", "format": "short", "tone": "bold"}
IMAGE = {"kind": "text-to-image", "prompt": "p", "model": "fast", "aspect_ratio": "1:1"}
AUDIT = {"kind": "workflow", "url": "https://shop.example"}
SWAP = {"kind": "face-swap", "source_video_url": "https://media.sume.so/a.mp4", "avatar_ids": ["a"]}
ANALYSIS = {"kind": "reference-analysis", "url": "https://www.tiktok.com/@a/video/1"}


def parsed(vendor: str, value: dict[str, Any], extra: dict[str, Any]) -> GenerationRequest:
    return get_vendor(vendor).parse_request({**value, "extra_fields": extra})


@pytest.mark.parametrize(
    ("vendor", "value", "extra", "replaced", "sent"),
    [
        # A word that is newer than this package; the field itself may be missing, or be another one.
        ("cinematicads", AUDIT, {"type": "local-audit"}, ("workflow_type",), {"type": "local-audit"}),
        ("cinematicads", AUDIT, {"workflow_type": "local-audit"}, ("workflow_type",), {"type": "local-audit"}),
        (
            "cinematicads",
            {**AUDIT, "workflow_type": "avatar"},
            {"type": "local-audit", "quality": "ultra"},
            ("quality", "workflow_type"),
            {"type": "local-audit", "quality": "ultra"},
        ),
        ("adsumo", IMAGE, {"model": "ultra"}, ("model",), {"model": "ultra"}),
        ("adsumo", {**IMAGE, "model": None}, {"model": "ultra"}, ("model",), {"model": "ultra"}),
        ("adsumo", IMAGE, {"quantity": 12}, ("quantity",), {"quantity": 12}),
        ("adsumo", IMAGE, {"resolution": None}, ("resolution",), {"resolution": None}),
        ("cutx", COPY, {"projectId": "7"}, ("project_id",), {"projectId": "7"}),
        ("cutx", COPY, {"project_id": "7"}, ("project_id",), {"projectId": "7"}),
        ("cutx", COPY, {"project_id": "7", "projectId": "8"}, ("project_id",), {"projectId": "8"}),
        ("cutx", COPY, {"projectId": "8", "project_id": "7"}, ("project_id",), {"projectId": "8"}),
        # Rules about several fields cannot be checked where one of them may be anything.
        ("sume", {**SWAP, "trim_start_seconds": 2}, {"trim_end_seconds": "end"}, ("trim_end_seconds",), {}),
        ("sume", {"kind": "ad-video", "script": "Hello"}, {"ad_format": "hologram"}, ("ad_format",), {}),
        ("sume", ANALYSIS, {"url": "https://youtu.be/1"}, ("url",), {"url": "https://youtu.be/1"}),
        (
            "sume",
            {**ANALYSIS, "url_field": "link"},
            {"link": "https://youtu.be/1"},
            ("url",),
            {"link": "https://youtu.be/1"},
        ),
        (
            "sume",
            {"kind": "reference-analysis", "url_field": "link"},
            {"url": "https://youtu.be/1"},
            ("url",),
            {"link": "https://youtu.be/1"},
        ),
    ],
)
def test_it_is_sent_as_it_is_and_has_no_price(
    vendor: str, value: dict[str, Any], extra: dict[str, Any], replaced: tuple[str, ...], sent: dict[str, Any]
) -> None:
    request = parsed(vendor, value, extra)
    assert (request.overrides, request.price()) == (replaced, None)
    body = request.body()
    assert {**body, **(sent or extra)} == body
    names = type(request).model_fields
    assert all(name not in body for name in replaced if (names[name].serialization_alias or name) != name)
    call = get_vendor(vendor).submit(request, None)
    assert call.paid and call.body == body
    assert request.result_kind


def test_everything_else_is_checked_as_ever() -> None:
    with pytest.raises(InvalidRequest, match="formats"):
        parsed("cinematicads", {**AUDIT, "formats": ["4:5"]}, {"type": "local-audit"})
    with pytest.raises(InvalidRequest, match="prompt"):
        parsed("adsumo", {"kind": "text-to-image", "model": "fast", "aspect_ratio": "1:1"}, {"resolution": "8k"})


def test_what_replaces_nothing_leaves_the_price_alone() -> None:
    request = parsed("adsumo", IMAGE, {"seed": 7})
    assert (request.overrides, request.price(), request.body()["seed"]) == ((), 1, 7)


def test_a_model_made_in_python_says_it_too() -> None:
    request = Workflow(workflow_type="avatar", extra_fields={"type": "local-audit"})
    assert (request.overrides, request.price(), request.body()["type"]) == (("workflow_type",), None, "local-audit")


@pytest.mark.parametrize(
    ("vendor", "value", "name"),
    [
        ("cutx", COPY, "idempotencyKey"),
        ("cutx", COPY, "idempotency_key"),
        ("sume", SWAP, "workspace_id"),
        ("cinematicads", {**AUDIT, "workflow_type": "avatar"}, "async"),
        ("cinematicads", {**AUDIT, "workflow_type": "avatar"}, "asynchronous"),
    ],
)
def test_some_names_are_never_replaced(vendor: str, value: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"must not hold {name}"):
        parsed(vendor, value, {name: "x"})
    with pytest.raises(InvalidRequest, match=f"must not hold {name}"):
        first = next(iter(set(value) - {"kind"}))
        parsed(vendor, value, {first: "x", name: "x"})


def test_a_word_that_is_not_known_says_where_a_newer_one_goes() -> None:
    with pytest.raises(InvalidRequest, match="newer than this package goes into extra_fields"):
        parsed("adsumo", {**IMAGE, "model": "ultra"}, {})


def test_an_operator_leaves_a_replaced_argument_out() -> None:
    one = CinematicAdsWorkflowOperator(task_id="t", workflow_type=None, extra_fields={"type": "local-audit"})
    request = get_vendor("cinematicads").parse_request(one.request_value())
    assert request.body() == {"type": "local-audit", "quality": "standard", "async": True}
