# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""An answer with what is needed is read whatever else it holds, at every vendor; what is not known is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_adgen.vendors import adsumo, cinematicads, cutx, sume
from airflow_provider_adgen.vendors.adsumo import api as adsumo_api
from airflow_provider_adgen.vendors.cinematicads import api as cinematicads_api
from airflow_provider_adgen.vendors.cutx import api as cutx_api
from airflow_provider_adgen.vendors.sume import api as sume_api
from airflow_provider_adgen.vendors.sume import uploads
from tests.support.sequences import answer, drive

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.calls import Call

ID = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
SUBJECT = {"project_id": ID, "product_id": ID}

# What can be stored; what cannot is made safe where it is read (tests/unit/core/test_safe_answers.py).
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8).filter(
    lambda text: not text.startswith("__")
)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)
# Names that no vendor has: each begins with what none begins with.
rests = st.dictionaries(st.from_regex(r"zz[a-z]{1,6}", fullmatch=True), values, max_size=5)
# What nobody needs may come as anything.
anything = st.sampled_from([None, True, 3, 4.5, "x", [], {}, ["x"], {"x": 1}])

MODELS: dict[str, tuple[Callable[[], Call[Any]], dict[str, Any], tuple[str, ...]]] = {
    "adsumo product": (lambda: adsumo_api.get_product("p"), {"id": "p"}, ("name", "price", "image_url", "created_at")),
    "adsumo created product": (
        lambda: adsumo_api.create_product(name="n", description="d", category="c", image_url="https://i.example/"),
        {"id": 7},
        ("price", "image_path", "link"),
    ),
    "adsumo avatar": (
        lambda: adsumo_api.create_custom_avatar(name="n", image_url="https://i.example/"),
        {"id": "a"},
        ("gender", "thumbnail_url", "created_at"),
    ),
    "cutx project": (lambda: cutx_api.create_project(name="n"), {"id": "p"}, ("product_count", "createdAt", "name")),
    "cutx product": (
        lambda: cutx_api.ingest_product(url="https://s.example/"),
        {"id": "p"},
        ("price", "images", "features", "image_url"),
    ),
    "cutx user": (cutx_api.get_me, {"id": "u"}, ("email", "email_verified", "role")),
    "sume account": (sume_api.get_me, {}, ("user", "workspace", "api_key")),
    "sume brand": (sume_api.get_current_brand, {}, ("images", "name")),
    "sume avatar": (lambda: sume_api.get_avatar("a"), {"id": "a"}, ("slug", "capabilities")),
    "sume asset": (
        lambda: sume_api.get_asset("a"),
        {"id": "a"},
        ("title", "media_url", "clip_url", "metadata", "search", "start_time_seconds"),
    ),
    "sume upload": (
        lambda: uploads.presign_upload("a.mp4", "video/mp4", 1, uploads.FACE_SWAP),
        {"upload_url": "https://s.example/"},
        ("object_key", "media_url", "required_headers"),
    ),
    "sume finalised": (lambda: uploads.finalize_asset("k"), {"asset_id": "a"}, ("status",)),
    "sume job": (lambda: sume_api.get_job("j"), {"id": "j", "status": "queued"}, ("type", "created_at", "error")),
    "cinematicads stats": (cinematicads_api.get_stats, {}, ()),
    "cinematicads models": (cinematicads_api.get_models_status, {}, ("text", "image", "video")),
    "cinematicads health": (cinematicads_api.get_health, {}, ("status", "version")),
    "cinematicads batch": (
        lambda: cinematicads_api.get_batch_status("b"),
        {"total": 1, "completed": 1, "failed": 0},
        (),
    ),
    "cinematicads knowledge": (
        lambda: cinematicads_api.add_knowledge_url("https://s.example/"),
        {},
        ("id",),
    ),
}


@settings(max_examples=40)
@given(st.data())
@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_is_answered_is_read_and_the_rest_kept(name: str, data: st.DataObject) -> None:
    make, needed, optional = MODELS[name]
    further = data.draw(rests)
    odd = data.draw(st.dictionaries(st.sampled_from(optional), anything)) if optional else {}

    read = make().parse(answer({**odd, **further, **needed}))

    kept = read.model_extra or {}
    for key, item in further.items():
        if item is not None:
            assert kept[key] == item
    for key, item in needed.items():
        assert str(getattr(read, key)) == str(item)


GENERATIONS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "adsumo": (
        lambda value: drive(adsumo.VENDOR.fetch((ID,)), {f"/generations/{ID}": value}),
        {"id": ID, "status": "completed"},
    ),
    "cutx": (
        lambda value: drive(cutx.VENDOR.fetch((ID,), "image"), {"/api/generate/status": value}),
        {"status": "completed"},
    ),
    "sume": (
        lambda value: drive(sume.VENDOR.fetch((ID,), "video"), {f"/jobs/{ID}": value}),
        {"id": ID, "status": "failed"},
    ),
    "cinematicads": (
        lambda value: drive(cinematicads.VENDOR.list_jobs(), {"/api/user/projects": [value]})[0].read(),
        {"jobId": ID, "status": "failed"},
    ),
    "adsumo submission": (
        lambda value: adsumo.VENDOR.submit(adsumo.TemplateVideo(template="t", product_id="p"), None).parse(
            answer(value)
        ),
        {"generation_id": ID},
    ),
    "adsumo voiceover": (
        lambda value: adsumo.VENDOR.submit(adsumo.TextToSpeech(text="t", voice_id="v"), None).parse(answer(value)),
        {"id": ID, "audio_url": "https://c.example/a.mp3"},
    ),
    "cutx submission": (
        lambda value: cutx.VENDOR.submit(cutx.StaticAd(**SUBJECT), None).parse(answer(value)),
        {"jobId": ID},
    ),
    "sume submission": (
        lambda value: sume.VENDOR.submit(sume.Image(prompt="p"), None).parse(answer(value)),
        {"job_id": ID},
    ),
}


@settings(max_examples=60)
@given(rests)
@pytest.mark.parametrize("name", sorted(GENERATIONS))
def test_a_generation_keeps_in_its_details_what_else_was_said(name: str, further: dict[str, Any]) -> None:
    read, needed = GENERATIONS[name]
    found = read({**further, **needed})
    assert found.id == ID
    for key, item in further.items():
        if item is not None:
            assert found.details[key] == item


BALANCES = {
    "adsumo": (adsumo.VENDOR.credits, "credits_remaining"),
    "cutx": (cutx.VENDOR.credits, "balance"),
    "sume": (sume.VENDOR.credits, "remaining"),
    "cinematicads": (cinematicads.VENDOR.credits, "credits"),
}


@settings(max_examples=40)
@given(rests, st.integers(0, 10**9))
@pytest.mark.parametrize("name", sorted(BALANCES))
def test_a_balance_is_read_whatever_else_is_said(name: str, further: dict[str, Any], credits_left: int) -> None:
    make, field = BALANCES[name]
    for told in (credits_left, str(credits_left), credits_left + 0.5):
        assert make().parse(answer({**further, field: told})).remaining == credits_left
