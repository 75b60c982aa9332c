# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_adgen.core.errors import (
    ApiError,
    InvalidRequest,
    PayloadTooLarge,
    UnexpectedResponse,
    WireError,
)
from airflow_provider_adgen.hooks.sume import SumeHook
from tests.support.tiny import Reply, Tiny
from tests.support.wires import WIRES, Both, caller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sume_live_secret123"
ERROR = {"error": {"code": "nope", "message": "No.", "details": {}}, "request_id": "req_1"}
FILM = b"film" * 100_000


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    with Tiny() as server:
        yield server


@pytest.fixture
def storage() -> Iterator[Tiny]:
    with Tiny() as server:
        yield server


@pytest.fixture
def hook(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> SumeHook:
    extra = {"timeout": 10, "headers": {"X-Team": "ads"}}
    value = {"conn_type": "sume", "host": f"{tiny.url}/api/v1", "password": KEY, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SUME_DEFAULT", json.dumps(value))
    return SumeHook()


@pytest.fixture(params=WIRES)
def both(request: pytest.FixtureRequest, hook: SumeHook) -> Both:
    return caller(hook, request.param)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "my film.mp4"
    path.write_bytes(FILM)
    return path


@pytest.fixture
def ready(tiny: Tiny, storage: Tiny) -> Tiny:
    """Let uploads succeed."""
    tiny.routes = {
        "POST /api/v1/uploads/presign": Reply(
            {
                "object": "upload",
                "upload_url": f"{storage.url}/bucket/k?X-Amz-Signature=s",
                "object_key": "uploads/k",
                "media_url": "https://media.sume.so/k.mp4",
                "required_headers": {
                    "Content-Type": "video/mp4",
                    "x-amz-acl": "private",
                    "content-length": "7",
                    "Host": "elsewhere.example",
                },
            }
        ),
        "POST /api/v1/assets": Reply({"object": "asset_upload", "asset_id": "as_1", "status": "processing"}, 202),
    }
    storage.routes["PUT /bucket/k"] = Reply(b"")
    return tiny


@pytest.mark.parametrize("as_what", ["str", "path", "uri", "object"])
def test_a_video_for_the_library(ready: Tiny, storage: Tiny, both: Both, film: Path, as_what: str) -> None:
    source: Any = {
        "str": str(film),
        "path": film,
        "uri": f"file://{film}",
        "object": ObjectStoragePath(f"file://{film}"),
    }[as_what]
    done = both("upload", source, "asset_library_video", asset_fields={"title": "Launch"})
    assert (done.asset_id, done.size, done.file_name) == ("as_1", len(FILM), "my film.mp4")
    assert [one.json() for one in ready.asked] == [
        {
            "file_name": "my film.mp4",
            "content_type": "video/mp4",
            "size": len(FILM),
            "purpose": "asset_library_video",
        },
        {"title": "Launch", "object_key": "uploads/k"},
    ]
    (put,) = storage.asked
    assert (put.method, put.body == FILM, put.query) == ("PUT", True, {"X-Amz-Signature": "s"})


def test_storage_gets_the_required_headers_and_never_the_key(
    ready: Tiny, storage: Tiny, both: Both, film: Path
) -> None:
    done = both("upload", film, "face_swap_source_video")
    assert (done.media_url, done.asset, done.asset_id) == ("https://media.sume.so/k.mp4", None, None)
    assert ready.paths() == ["POST /api/v1/uploads/presign"]
    headers = storage.asked[0].headers
    assert (headers["content-type"], headers["x-amz-acl"]) == ("video/mp4", "private")
    # A presigned S3 upload takes no chunked body.
    assert (headers["content-length"], "transfer-encoding" in headers) == (str(len(FILM)), False)
    assert headers["host"] == storage.url.removeprefix("http://")
    assert not {"authorization", "x-api-key", "x-team", "cookie"} & set(headers)
    assert KEY not in json.dumps(headers)
    for secret in ("uploads/k", "media.sume.so"):
        assert secret not in repr(done)


def test_the_body_is_opened_anew_for_each_attempt(ready: Tiny, storage: Tiny, both: Both, film: Path) -> None:
    storage.routes["PUT /bucket/k"] = [Reply(b"", 503), Reply(b"")]
    both("upload", film, "face_swap_source_video")
    assert [one.body == FILM for one in storage.asked] == [True, True]


def test_a_storage_that_refuses_is_told_without_its_address(ready: Tiny, storage: Tiny, both: Both, film: Path) -> None:
    storage.routes["PUT /bucket/k"] = Reply(b"<Error>SignatureDoesNotMatch</Error>", 403)
    with pytest.raises(ApiError) as found:
        both("upload", film, "asset_library_video")
    assert found.value.status == 403
    assert storage.url not in str(found.value) and "Signature=" not in str(found.value)
    assert ready.paths() == ["POST /api/v1/uploads/presign"]
    assert len(storage.asked) == 1


def test_too_large_a_video_is_told_before_it_is_sent(ready: Tiny, storage: Tiny, both: Both, film: Path) -> None:
    ready.routes["POST /api/v1/uploads/presign"] = Reply(ERROR, 413)
    with pytest.raises(PayloadTooLarge):
        both("upload", film, "asset_library_video")
    assert storage.asked == []


@pytest.mark.parametrize(
    ("purpose", "missing"), [("asset_library_video", "object_key"), ("face_swap_source_video", "media_url")]
)
def test_what_will_be_needed_is_missed_before_the_bytes_are_sent(
    ready: Tiny, storage: Tiny, both: Both, film: Path, purpose: str, missing: str
) -> None:
    ready.routes["POST /api/v1/uploads/presign"].value[missing] = None
    with pytest.raises(UnexpectedResponse, match=missing):
        both("upload", film, purpose)
    assert storage.asked == []


def test_wrong_uploads_are_refused_before_anything_is_sent(ready: Tiny, both: Both, tmp_path: Path) -> None:
    empty, odd, film = tmp_path / "empty.mp4", tmp_path / "film.unheard", tmp_path / "film.mp4"
    empty.touch()
    odd.write_bytes(b"x")
    film.write_bytes(b"x")
    cases: list[tuple[Any, str, dict[str, Any], str]] = [
        (tmp_path / "none.mp4", "asset_library_video", {}, "cannot be read"),
        (f"file://{tmp_path}/none.mp4", "asset_library_video", {}, "cannot be read"),
        ("nowhere://bucket/a.mp4", "asset_library_video", {}, "cannot be read"),
        (tmp_path, "asset_library_video", {}, "cannot be read"),
        (empty, "asset_library_video", {}, "is empty"),
        (odd, "asset_library_video", {}, "content_type"),
        (film, "fun", {}, "purpose"),
        (film, "face_swap_source_video", {"asset_fields": {"title": "x"}}, "asset_fields"),
        (film, "asset_library_video", {"asset_fields": {"user_id": "x"}}, "user_id"),
        (film, "asset_library_video", {"asset_fields": {"object_key": "x"}}, "object_key"),
        (film, "asset_library_video", {"field_names": {"size": "purpose"}}, "field_names"),
        (film, "asset_library_video", {"content_type": "video"}, "content_type"),
    ]
    for source, purpose, more, said in cases:
        with pytest.raises(InvalidRequest, match="Nothing was sent") as found:
            both("upload", source, purpose, **more)
        assert said in found.value.message, source
    assert ready.asked == []
    both("upload", odd, "face_swap_source_video", content_type="video/x-unheard")
    assert ready.asked[0].json()["content_type"] == "video/x-unheard"


def test_a_storage_that_is_not_there(ready: Tiny, both: Both, film: Path, hook: SumeHook) -> None:
    ready.routes["POST /api/v1/uploads/presign"].value["upload_url"] = "http://127.0.0.1:9/k?sig=secret"
    with pytest.raises(WireError) as found:
        both("upload", film, "asset_library_video")
    assert "secret" not in str(found.value)


def test_another_vendors_connection_is_refused(monkeypatch: pytest.MonkeyPatch, film: Path) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "adsumo", "password": "k"}))
    with pytest.raises(InvalidRequest, match="needs one of type 'sume'"):
        SumeHook("other").upload(film, "asset_library_video")
