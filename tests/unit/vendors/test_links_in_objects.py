# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A link that comes in an object of its own is the link: what was paid for is not lost for a pair of braces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_adgen.core.calls import Answer
from airflow_provider_adgen.core.reading import as_link, as_links
from airflow_provider_adgen.vendors import adsumo, cinematicads, cutx, sume
from airflow_provider_adgen.vendors.cinematicads import shapes
from tests.support.sequences import drive

URL = "https://cdn.example/a.mp4?sig=1"
DONE = {"id": "j1", "type": "ai-video", "status": "completed"}


@pytest.mark.parametrize("value", [URL, {"url": URL}, {"src": URL, "width": 7}, {"url": None, "href": URL}])
def test_a_link_bare_or_in_an_object(value: Any) -> None:
    assert as_link(value) == URL
    assert as_links([value, None, {}, 7]) == as_links(value) == [URL]


@pytest.mark.parametrize("value", [None, 7, "", {}, {"url": 7}, [URL]])
def test_what_is_no_link(value: Any) -> None:
    assert as_link(value) is None


@pytest.mark.parametrize("value", [{"url": URL}, [{"url": URL}], {"src": URL}])
def test_adsumo(value: Any) -> None:
    found = drive(adsumo.VENDOR.fetch(("j1",)), {"/generations/j1": {**DONE, "result_url": value}})
    assert [one.url for one in found.creatives] == [URL]


def test_an_adsumo_voiceover() -> None:
    request = adsumo.TextToSpeech(text="Hello", voice_id="v")
    told = {"id": "j1", "status": "completed", "audio_url": {"url": URL}}
    (creative,) = adsumo.VENDOR.submit(request, None).parse(Answer(200, {}, json.dumps(told).encode())).creatives
    assert creative.url == URL


@pytest.mark.parametrize("assets", [[{"url": {"url": URL}}], {"type": "video", "url": URL}])
def test_cutx(assets: Any) -> None:
    told = {"id": "j1", "type": "ugc_video", "status": "completed", "assets": assets}
    found = drive(cutx.VENDOR.fetch(("j1",)), {"/api/generate/status": told})
    assert [one.url for one in found.creatives] == [URL]


@pytest.mark.parametrize("result", [{"result_url": {"url": URL}}, {"video": {"src": URL}}, [{"url": {"url": URL}}]])
def test_sume(result: Any) -> None:
    answers = {"/jobs/j1": {"id": "j1", "status": "completed"}, "/jobs/j1/result": {"result": result}}
    found = drive(sume.VENDOR.fetch(("j1",), "video"), answers)
    assert [one.url for one in found.creatives] == [URL]


@pytest.mark.parametrize("data", [{"videoUrl": {"url": URL}}, {"url": {"url": URL}}, {"video": {"src": URL}}])
def test_cinematicads(data: Any) -> None:
    assert cinematicads.VENDOR.title == "CinematicAds"
    assert [one.url for one in shapes.links(data, "video", own_url=True)] == [URL]
