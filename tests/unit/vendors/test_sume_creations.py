# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.errors import (
    UnexpectedResponse,
)
from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus
from airflow_provider_adgen.vendors.sume import VENDOR
from tests.support.sequences import answer

REQUEST = {"kind": "video", "prompt": "p"}
SWAP = {"kind": "face-swap", "source_video_url": "https://m.example/a.mp4", "avatar_ids": ["a", "b"]}
ANALYSIS = {"kind": "reference-analysis", "url": "https://www.tiktok.com/@a/video/1"}


def created(value: Any, request: dict[str, Any] = REQUEST) -> Generation:
    return VENDOR.submit(VENDOR.parse_request(request), None).parse(answer(value))


# --- creations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        # As two of the vendor's pages have it.
        ({"object": "image_generation", "job": {"id": "job_...", "status": "queued"}}, ["job_..."]),
        ({"object": "video_generation", "job_id": "job_1"}, ["job_1"]),
        # As it may be elsewhere.
        ({"job": "job_1"}, ["job_1"]),
        ({"job": {"job_id": "job_1"}}, ["job_1"]),
        ({"job_id": 17}, ["17"]),
        ({"data": {"job_id": "job_1"}}, ["job_1"]),
        ({"data": {"job": {"id": "job_1"}}}, ["job_1"]),
        ({"object": "job", "id": "abc"}, ["abc"]),
        ({"id": "job_9", "status": "queued"}, ["job_9"]),
        ({"jobs": [{"id": "job_1"}, {"id": "job_2"}]}, ["job_1", "job_2"]),
        ({"jobs": [{"job_id": "job_1", "id": "x"}, {"job": {"id": "job_2"}}]}, ["job_1", "job_2"]),
        ({"job_ids": ["job_1", "job_2"]}, ["job_1", "job_2"]),
        ({"data": [{"id": "job_1"}, "job_2"]}, ["job_1", "job_2"]),
        ({"job_id": "job_2", "job_ids": ["job_1", "job_2"]}, ["job_2", "job_1"]),
        ({"job": {"id": "job_1"}, "jobs": [{"id": "job_1"}, {"id": "job_2"}]}, ["job_1", "job_2"]),
        ({"id": "fs_1", "jobs": [{"id": "job_1"}]}, ["job_1"]),
    ],
)
def test_every_shape_of_a_creation_is_read(value: dict[str, Any], ids: list[str]) -> None:
    found = created(value)
    assert (found.id, found.job_ids) == (ids[0], ids)
    assert found.status == GenerationStatus.QUEUED
    assert found.kind == "video"
    assert found.creatives == []


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"object": "video_generation"},
        {"id": "fs_1"},
        {"job": {}},
        {"job": {"id": None}},
        {"job_id": ""},
        {"job_id": True},
        {"job_id": "a,b"},
        {"job_id": "a b"},
        {"job_id": ".."},
        {"job_id": "\ud800"},
        {"jobs": []},
        {"jobs": [{}]},
        {"job_id": {"id": "job_1"}},
        [],
        "job_1",
        None,
        b"<html>",
        b"",
    ],
)
def test_a_creation_without_a_job_id_is_not_taken_for_one(value: Any) -> None:
    with pytest.raises(UnexpectedResponse) as found:
        created(value)
    assert found.value.vendor == "sume"
    assert found.value.endpoint == "POST /videos/generations"


def test_a_list_with_an_unreadable_job_keeps_the_others_and_says_so() -> None:
    found = created({"jobs": [{"id": "job_1"}, {"name": "?"}]}, SWAP)
    assert found.job_ids == ["job_1"]
    assert found.details["jobs_without_id"] == 1


def test_what_an_analysis_required_counts_as_charged() -> None:
    found = created({"object": "reference_analysis", "job_id": "job_1", "required_credits": 5}, ANALYSIS)
    assert (found.kind, found.credits.charged, found.credits.quoted) == ("analysis", 5, None)
    assert created({"job_id": "job_1", "required_credits": "many"}, ANALYSIS).credits.charged is None


def test_the_status_of_a_creation_is_kept() -> None:
    assert created({"job": {"id": "job_1", "status": "running"}}).status == GenerationStatus.PROCESSING
    assert created({"job_id": "job_1", "status": "completed"}).status == GenerationStatus.COMPLETED
    assert created({"job_id": "job_1", "status": "warming"}).status == "warming"
    several = {"jobs": [{"id": "job_1", "status": "failed"}, {"id": "job_2"}]}
    assert created(several, SWAP).status == GenerationStatus.PROCESSING
