# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.errors import (
    ApiError,
    NotFound,
    UnexpectedResponse,
)
from airflow_provider_adgen.vendors.sume import uploads
from airflow_provider_adgen.vendors.sume.models import Asset, Upload
from tests.support.sequences import answer, drive

FILE = "https://media.sume.so/out/a.mp4"


def refusal(cls: type[ApiError]) -> ApiError:
    return cls("no", vendor="sume", status=404)


# --- uploads ----------------------------------------------------------------------------------------------------------


def presigned(value: Any) -> Upload:
    return uploads.presign_upload("a.mp4", "video/mp4", 5, "asset_library_video").parse(answer(value))


def test_leave_to_upload() -> None:
    value = {
        "upload_url": "https://storage.example/put?sig=1",
        "object_key": "uploads/a.mp4",
        "media_url": "https://media.sume.so/a.mp4",
        "required_headers": {"Content-Type": "video/mp4", "x-amz-acl": "private"},
    }
    for found in (presigned(value), presigned({"object": "upload", "upload": value}), presigned({"data": value})):
        assert found.upload_url == value["upload_url"]
        assert (found.object_key, found.media_url) == ("uploads/a.mp4", "https://media.sume.so/a.mp4")
        assert found.required_headers == value["required_headers"]
        for secret in ("storage.example", "uploads/a.mp4", "media.sume.so"):
            assert secret not in repr(found)
    pairs = [{"name": "A", "value": "1"}, {"key": "B", "value": 2}, "?"]
    assert presigned({**value, "required_headers": pairs}).required_headers == {"A": "1", "B": "2"}
    assert presigned({**value, "required_headers": None}).required_headers == {}


@pytest.mark.parametrize("value", [{}, {"upload_url": ""}, {"upload_url": "file:///etc/passwd"}, {"upload_url": 5}, []])
def test_leave_to_upload_that_cannot_be_used(value: Any) -> None:
    with pytest.raises(UnexpectedResponse, match="POST /uploads/presign"):
        presigned(value)


@pytest.mark.parametrize(
    ("value", "asset", "jobs"),
    [
        ({"object": "asset_upload", "id": "asset_1", "status": "processing"}, "asset_1", []),
        ({"asset_id": "asset_1", "id": "up_1"}, "asset_1", []),
        ({"asset": {"id": "asset_1"}}, "asset_1", []),
        ({"asset": "asset_1"}, "asset_1", []),
        ({"assets": [{"id": "asset_1"}, {"id": "asset_2"}]}, "asset_1", []),
        ({"data": {"asset_id": "asset_1"}}, "asset_1", []),
        ({"job_id": "job_1"}, None, ["job_1"]),
        ({"id": "asset_1", "job": {"id": "job_1"}}, "asset_1", ["job_1"]),
        ({"id": "job_1", "job_id": "job_1"}, None, ["job_1"]),
    ],
)
def test_what_a_finalised_upload_became(value: Any, asset: str | None, jobs: list[str]) -> None:
    found = uploads.finalize_asset("key").parse(answer(value))
    assert (found.asset_id, found.job_ids) == (asset, jobs)


@pytest.mark.parametrize("value", [{}, {"object": "asset_upload"}, {"assets": []}, [], None])
def test_a_finalised_upload_without_an_id(value: Any) -> None:
    with pytest.raises(UnexpectedResponse, match="POST /assets"):
        uploads.finalize_asset("key").parse(answer(value))


@pytest.mark.parametrize(
    ("asset", "state", "word"),
    [
        ({"media_url": FILE}, "ready", "ready"),
        ({"clip_url": FILE}, "ready", "ready"),
        ({}, "waiting", "without media"),
        ({"status": "processing"}, "waiting", "processing"),
        ({"status": "processing", "media_url": FILE}, "waiting", "processing"),
        ({"status": "Ready"}, "ready", "ready"),
        ({"ingest_status": "indexed"}, "ready", "indexed"),
        ({"status": None, "state": "completed"}, "ready", "completed"),
        ({"status": "failed"}, "failed", "failed"),
        ({"status": "polished"}, "waiting", "polished"),
    ],
)
def test_how_far_the_library_is(asset: dict[str, Any], state: str, word: str) -> None:
    found = drive(uploads.ingestion("asset_1"), {"/assets/asset_1": {"id": "asset_1", **asset}})
    assert (found.state, found.word) == (state, word)
    assert isinstance(found.asset, Asset)


def test_further_words_can_mean_ready() -> None:
    answers = {"/assets/asset_1": {"id": "asset_1", "status": "Polished"}}
    assert drive(uploads.ingestion("asset_1", ready=frozenset({"polished"})), answers).state == "ready"


def test_an_unknown_asset_is_waited_for() -> None:
    found = drive(uploads.ingestion("asset_1"), {"/assets/asset_1": refusal(NotFound)})
    assert (found.state, found.word, found.asset) == ("waiting", "unknown", None)
