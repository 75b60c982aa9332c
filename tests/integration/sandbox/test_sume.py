# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import av
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from airflow_provider_adgen.sandbox import Sandbox

IMAGE = {"prompt": "A shoe on a trail"}
AD = {"script": "You need this shoe.", "avatar_id": "avatar_nora"}
PRESIGN = {"file_name": "a.mp4", "content_type": "video/mp4", "size": 6, "purpose": "asset_library_video"}
REEL = {"url": "https://www.instagram.com/reel/abc/"}


@pytest.fixture
def sume(client_for: Callable[..., httpx.Client]) -> httpx.Client:
    return client_for("sume")


def created(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def refused(answer: httpx.Response, status: int, code: str, part: str = "") -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error", "request_id"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["request_id"].startswith("req_")
    assert body["error"]["code"] == code
    assert part in body["error"]["message"]
    return dict(body["error"])


def upload(sume: httpx.Client, media: httpx.Client, purpose: str, content: bytes = b"a film") -> dict[str, Any]:
    body = {"file_name": "my film.mp4", "content_type": "video/mp4", "size": len(content), "purpose": purpose}
    answer = sume.post("/uploads/presign", json=body)
    assert answer.status_code == 200, answer.text
    made = dict(answer.json())
    assert media.put(made["upload_url"], content=content, headers=made["required_headers"]).status_code == 200
    return made


class TestCreate:
    @pytest.mark.parametrize(
        ("path", "body", "kind", "price"),
        [
            ("/images/generations", IMAGE, "image_generation", 4),
            ("/images/generations", IMAGE | {"image_count": 3, "n": 3, "aspect_ratio": "4:5"}, "image_generation", 12),
            ("/videos/generations", IMAGE, "video_generation", 15),
            ("/videos/generations", IMAGE | {"duration": 4, "generate_audio": False}, "video_generation", 12),
            ("/ads/videos", AD, "ad_video_generation", 60),
            (
                "/ads/videos",
                {"script": "Hey", "avatar_slug": "nora", "ad_format": "ugc_ads"},
                "ad_video_generation",
                60,
            ),
            ("/ads/videos", {"script": "Hey", "ad_format": "video", "locale": "ko"}, "ad_video_generation", 60),
            ("/reference-analysis", REEL, "reference_analysis", 5),
            ("/reference-analysis", {"video_url": "https://www.tiktok.com/@a/video/1"}, "reference_analysis", 5),
        ],
    )
    def test_is_accepted_and_charged(
        self, sandbox: Sandbox, sume: httpx.Client, path: str, body: dict[str, Any], kind: str, price: int
    ) -> None:
        made = created(sume, path, body)
        assert made["object"] == kind
        job = made["job"]["id"] if kind == "image_generation" else made["job_id"]
        assert [(charge["credits"], charge["job_id"]) for charge in sandbox.charges] == [(price, job)]
        assert job.startswith("job_")
        found = sume.get(f"/jobs/{job}").json()
        assert (found["id"], found["type"], found["status"]) == (job, kind, "queued")
        assert ("required_credits" in made) == (kind == "reference_analysis")

    @pytest.mark.parametrize("shape", ["job", "job_id"])
    def test_its_shape_can_be_chosen(self, sandbox: Sandbox, sume: httpx.Client, shape: str) -> None:
        sandbox.settings(sume={"create_shape": shape, "submit_status": 201})
        for path, body in (("/images/generations", IMAGE), ("/videos/generations", IMAGE), ("/ads/videos", AD)):
            answer = sume.post(path, json=body)
            assert answer.status_code == 201
            assert set(answer.json()) == ({"object", "job"} if shape == "job" else {"object", "job_id", "status"})

    @pytest.mark.parametrize(
        ("path", "body", "field"),
        [
            ("/images/generations", {}, "prompt"),
            ("/images/generations", IMAGE | {"image_count": 0}, "image_count"),
            ("/images/generations", IMAGE | {"n": 1.5}, "n"),
            ("/images/generations", IMAGE | {"n": 1, "image_count": 2}, "n"),
            ("/images/generations", IMAGE | {"aspect_ratio": 1.5}, "aspect_ratio"),
            (
                "/images/generations",
                IMAGE | {"reference_image_urls": ["http://example.com/a.png"]},
                "reference_image_urls",
            ),
            (
                "/images/generations",
                IMAGE | {"reference_image_urls": "https://example.com/a.png"},
                "reference_image_urls",
            ),
            ("/images/generations", IMAGE | {"workspace_id": "w"}, "workspace_id"),
            ("/images/generations", IMAGE | {"user_id": "u"}, "user_id"),
            ("/videos/generations", {}, "prompt"),
            ("/videos/generations", IMAGE | {"duration": "5"}, "duration"),
            ("/videos/generations", IMAGE | {"generate_audio": "no"}, "generate_audio"),
            ("/ads/videos", {"avatar_id": "avatar_nora"}, "script"),
            ("/ads/videos", AD | {"script": "Hi"}, "script"),
            ("/ads/videos", AD | {"script": "x" * 1801}, "script"),
            ("/ads/videos", AD | {"ad_format": "podcast"}, "ad_format"),
            ("/ads/videos", {"script": "Hey"}, "avatar_id"),
            ("/ads/videos", {"script": "Hey", "ad_format": "ugc_ads"}, "avatar_id"),
            ("/ads/videos", AD | {"locale": "de"}, "locale"),
            ("/ads/videos", AD | {"reference_image_urls": ["https://example.com/a.png"] * 10}, "reference_image_urls"),
            ("/ads/videos", AD | {"reference_video_urls": ["https://example.com/a.mp4"]}, "reference_video_urls"),
            ("/face-swap", {"avatar_ids": ["avatar_nora"]}, "source_video_url"),
            ("/face-swap", {"source_video_url": "https://example.com/a.mp4"}, "avatar_ids"),
            ("/face-swap", {"source_video_url": "https://example.com/a.mp4", "avatar_ids": []}, "avatar_ids"),
            ("/face-swap", {"source_video_url": "https://example.com/a.mp4", "avatar_ids": ["a"] * 6}, "avatar_ids"),
            ("/face-swap", {"source_video_url": "https://example.com/a.mp4", "avatar_ids": ["a"]}, "source_video_url"),
            (
                "/face-swap",
                {"source_video_url": "https://example.com/a.mp4", "avatar_ids": ["a"], "duration_seconds": 16},
                "duration_seconds",
            ),
            (
                "/face-swap",
                {"source_video_url": "https://example.com/a.mp4", "avatar_ids": ["a"], "aspect_ratio": "4:5"},
                "aspect_ratio",
            ),
            ("/reference-analysis", {}, "url"),
            ("/reference-analysis", {"url": "https://www.youtube.com/shorts/1"}, "url"),
            ("/reference-analysis", {"url": "https://www.instagram.com/somebody/"}, "url"),
        ],
    )
    def test_what_breaks_a_rule_is_refused_and_costs_nothing(
        self, sandbox: Sandbox, sume: httpx.Client, path: str, body: dict[str, Any], field: str
    ) -> None:
        error = refused(sume.post(path, json=body), 400, "validation_error", field)
        assert error["details"] == {"field": field}
        assert sandbox.charges == []

    def test_an_avatar_must_exist_and_be_able(self, sume: httpx.Client) -> None:
        refused(sume.post("/ads/videos", json=AD | {"avatar_id": "avatar_nobody"}), 404, "not_found")
        avatars = sume.get("/avatars", params={"limit": 100}).json()["data"]
        unable = next(avatar["id"] for avatar in avatars if not avatar["capabilities"]["ugc_ad_video"])
        body = AD | {"avatar_id": unable, "ad_format": "ugc_ads"}
        refused(sume.post("/ads/videos", json=body), 409, "conflict")

    def test_durations_are_clamped(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        created(sume, "/ads/videos", AD | {"duration_seconds": 900})
        assert sandbox.jobs()[0]["request"]["duration_seconds"] == 60

    def test_too_few_credits_start_nothing(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        sandbox.set_credits("sume", 3)
        error = refused(sume.post("/images/generations", json=IMAGE), 402, "insufficient_credits")
        assert error["message"] == "Not enough credits for this request."
        assert error["details"] == {"required": 4, "available": 3}
        assert sandbox.jobs() == []

    def test_too_many_at_once_are_refused(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        sandbox.settings(sume={"active_limit": 2})
        for _ in range(2):
            created(sume, "/images/generations", IMAGE)
        refused(sume.post("/images/generations", json=IMAGE), 429, "active_generation_limit")
        sandbox.advance(31)
        created(sume, "/images/generations", IMAGE)
        assert len(sandbox.charges) == 3

    def test_no_idempotency_is_documented(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        jobs = {
            sume.post("/images/generations", json=IMAGE, headers={"Idempotency-Key": "k"}).json()["job"]["id"]
            for _ in range(2)
        }
        assert len(jobs) == len(sandbox.charges) == 2


class TestFaceSwap:
    @pytest.fixture
    def source(self, sume: httpx.Client, media: httpx.Client) -> str:
        return str(upload(sume, media, "face_swap_source_video")["media_url"])

    @pytest.mark.parametrize("shape", ["jobs", "job_ids", "primary"])
    def test_it_makes_a_job_for_each_avatar(
        self, sandbox: Sandbox, sume: httpx.Client, source: str, shape: str
    ) -> None:
        sandbox.settings(sume={"face_swap_shape": shape})
        body = {"source_video_url": source, "avatar_ids": ["avatar_nora", "avatar_idris"], "trim_end_seconds": None}
        made = created(sume, "/face-swap", body | {"trim_start_seconds": 1, "aspect_ratio": "21:9"})
        assert made["object"] == "face_swap"
        names = [charge["job_id"] for charge in sandbox.charges]
        assert len(names) == 2
        if shape == "job_ids":
            assert (made["job_ids"], made["job_id"]) == (names, names[0])
        else:
            assert [job["id"] for job in made["jobs"]] == names
            assert ("job" in made) == (shape == "primary")

    def test_it_is_all_or_nothing(self, sandbox: Sandbox, sume: httpx.Client, source: str) -> None:
        sandbox.set_credits("sume", 49)
        body = {"source_video_url": source, "avatar_ids": ["avatar_nora", "avatar_idris"]}
        refused(sume.post("/face-swap", json=body), 402, "insufficient_credits")
        refused(sume.post("/face-swap", json=body | {"avatar_ids": ["avatar_nora", "x"]}), 404, "not_found")
        assert (sandbox.jobs(), sandbox.balance("sume")) == ([], 49)

    def test_its_source_must_be_a_finished_upload_for_it(
        self, sume: httpx.Client, media: httpx.Client, source: str
    ) -> None:
        body = {"avatar_ids": ["avatar_nora"]}
        library = upload(sume, media, "asset_library_video")["media_url"]
        refused(sume.post("/face-swap", json=body | {"source_video_url": library}), 400, "validation_error")
        presign = {"file_name": "a.mp4", "content_type": "video/mp4", "size": 3, "purpose": "face_swap_source_video"}
        unfinished = sume.post("/uploads/presign", json=presign).json()["media_url"]
        refused(sume.post("/face-swap", json=body | {"source_video_url": unfinished}), 409, "conflict")
        refused(
            sume.post(
                "/face-swap", json=body | {"source_video_url": source, "trim_start_seconds": 5, "trim_end_seconds": 4}
            ),
            400,
            "validation_error",
            "trim_end_seconds",
        )
        unable = {"avatar_ids": ["avatar_paula"], "source_video_url": source}
        refused(sume.post("/face-swap", json=unable), 409, "conflict")


class TestJobs:
    def test_a_job_goes_through_its_statuses(self, sandbox: Sandbox, sume: httpx.Client, media: httpx.Client) -> None:
        job = created(sume, "/images/generations", IMAGE | {"image_count": 2})["job"]["id"]
        seen = []
        for _ in range(7):
            found = sume.get(f"/jobs/{job}").json()
            seen.append(found["status"])
            sandbox.advance(5)
        assert seen == ["queued", "running", "running", "processing", "processing", "processing", "completed"]
        done = sume.get(f"/jobs/{job}").json()
        assert set(done) == {"id", "object", "type", "status", "created_at", "completed_at", "error", "result_url"}
        assert Image.open(io.BytesIO(media.get(done["result_url"]).content)).size == (512, 512)
        result = sume.get(f"/jobs/{job}/result").json()
        assert len(result["result"]["images"]) == 2

    @pytest.mark.parametrize("word", ["failed", "canceled", "expired"])
    def test_it_may_end_badly_without_a_refund(self, sandbox: Sandbox, sume: httpx.Client, word: str) -> None:
        sandbox.fail_next("sume", status=word, message="No", seconds=0)
        job = created(sume, "/videos/generations", IMAGE)["job_id"]
        found = sume.get(f"/jobs/{job}").json()
        assert (found["status"], found["result_url"], found["error"]["message"]) == (word, None, "No")
        assert sandbox.refunds == []

    def test_the_result_before_completion(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        job = created(sume, "/videos/generations", IMAGE)["job_id"]
        refused(sume.get(f"/jobs/{job}/result"), 409, "job_not_completed")
        sandbox.settings(sume={"early_result": "empty"})
        assert sume.get(f"/jobs/{job}/result").json()["result"] is None

    @pytest.mark.parametrize(("shape", "key"), [("typed", "videos"), ("urls", "urls"), ("outputs", "outputs")])
    def test_the_shape_of_results_can_be_chosen(
        self, sandbox: Sandbox, sume: httpx.Client, media: httpx.Client, shape: str, key: str
    ) -> None:
        sandbox.settings(sume={"result_shape": shape, "job_seconds": 0})
        job = created(sume, "/videos/generations", IMAGE | {"aspect_ratio": "16:9"})["job_id"]
        (item,) = sume.get(f"/jobs/{job}/result").json()["result"][key]
        content = media.get(item if shape == "urls" else item["url"]).content
        with av.open(io.BytesIO(content)) as film:
            assert (film.streams.video[0].width, film.streams.video[0].height) == (640, 360)

    def test_the_urls_of_a_job_can_be_chosen(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        sandbox.settings(sume={"job_urls": "none", "job_seconds": 0})
        job = created(sume, "/images/generations", IMAGE | {"n": 2})["job"]["id"]
        assert sume.get(f"/jobs/{job}").json()["result_url"] is None
        sandbox.settings(sume={"job_urls": "list"})
        assert len(sume.get(f"/jobs/{job}").json()["result_urls"]) == 2

    def test_an_analysis_has_no_file(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        sandbox.settings(sume={"job_seconds": 0})
        job = created(sume, "/reference-analysis", REEL)["job_id"]
        found = sume.get(f"/jobs/{job}/result").json()
        assert (found["result_url"], found["result"]["analysis"]["source_url"]) == (None, REEL["url"])

    def test_the_list_is_paged_by_cursor(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        made = [created(sume, "/images/generations", IMAGE)["job"]["id"] for _ in range(7)]
        found, cursor, pages = list[str](), None, 0
        while True:
            page = sume.get("/jobs", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
            assert set(page) == {"object", "data", "has_more", "next_cursor"}
            found += [job["id"] for job in page["data"]]
            pages += 1
            cursor = page["next_cursor"]
            assert page["has_more"] == (cursor is not None)
            if cursor is None:
                break
            # A job made meanwhile does not move the pages that follow.
            created(sume, "/images/generations", IMAGE)
        assert (found, pages) == (made[::-1], 3)

    def test_the_list_is_filtered(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        old = created(sume, "/images/generations", IMAGE)["job"]["id"]
        sandbox.advance(31)
        video = created(sume, "/videos/generations", IMAGE)["job_id"]
        sandbox.advance(24)
        new = created(sume, "/images/generations", IMAGE)["job"]["id"]

        def names(**query: str) -> list[str]:
            return [job["id"] for job in sume.get("/jobs", params=query).json()["data"]]

        assert names(status="completed") == [old]
        assert names(status="queued") == [new]
        assert names(status="running") == [video]
        assert names(status="processing") == []
        assert names(type="image_generation") == [new, old]
        assert names(type="image_generation", status="queued") == [new]
        for query in ({"status": "done"}, {"type": "image"}, {"cursor": "x"}, {"limit": "0"}, {"limit": "101"}):
            refused(sume.get("/jobs", params=query), 400, "validation_error", next(iter(query)))

    def test_an_unknown_job_is_refused(
        self, sandbox: Sandbox, sume: httpx.Client, client_for: Callable[..., httpx.Client]
    ) -> None:
        refused(sume.get("/jobs/job_none"), 404, "not_found")
        job = created(sume, "/videos/generations", IMAGE)["job_id"]
        other = client_for("sume", sandbox.add_account("sume", "other"))
        refused(other.get(f"/jobs/{job}/result"), 404, "not_found")


class TestUploads:
    def test_presign(self, sume: httpx.Client) -> None:
        made = sume.post("/uploads/presign", json=PRESIGN).json()
        assert set(made) == {"object", "upload_url", "object_key", "media_url", "required_headers"}
        assert made["upload_url"].startswith("http://localhost:")
        assert made["required_headers"]["Content-Type"] == "video/mp4"

    @pytest.mark.parametrize(
        "change",
        [
            {"file_name": None},
            {"content_type": "text/plain"},
            {"content_type": None},
            {"size": 0},
            {"size": None},
            {"purpose": "fun"},
            {"purpose": None},
        ],
    )
    def test_what_breaks_a_rule_is_refused(self, sume: httpx.Client, change: dict[str, Any]) -> None:
        refused(sume.post("/uploads/presign", json=PRESIGN | change), 400, "validation_error", next(iter(change)))

    def test_too_large_a_file_is_refused(self, sandbox: Sandbox, sume: httpx.Client) -> None:
        sandbox.settings(sume={"upload_max_bytes": 5})
        refused(sume.post("/uploads/presign", json=PRESIGN), 413, "payload_too_large")

    def test_the_upload_wants_exactly_what_was_signed(
        self, sandbox: Sandbox, sume: httpx.Client, media: httpx.Client
    ) -> None:
        made = sume.post("/uploads/presign", json=PRESIGN).json()
        url, headers = made["upload_url"], made["required_headers"]
        assert media.put(url, content=b"a film", headers={"Content-Type": "video/mp4"}).status_code == 403
        assert media.put(url, content=b"a film", headers=headers | {"Content-Type": "video/webm"}).status_code == 403
        key = {"Authorization": "Bearer sume_live_sandbox"}
        assert media.put(url, content=b"a film", headers=headers | key).status_code == 400
        assert media.put(url, content=b"a fil", headers=headers).status_code == 400
        assert media.put(url[:-2] + "00", content=b"a film", headers=headers).status_code == 403
        assert media.post(url, content=b"a film", headers=headers).status_code == 403
        assert media.put(url, content=b"a film", headers=headers).status_code == 200
        assert media.get(made["media_url"]).content == b"a film"
        sandbox.advance(901)
        assert media.put(url, content=b"a film", headers=headers).status_code == 403

    def test_a_streamed_upload_is_taken(self, sume: httpx.Client, media: httpx.Client) -> None:
        made = sume.post("/uploads/presign", json=PRESIGN | {"size": 1_000_000}).json()
        pieces = (b"x" * 100_000 for _ in range(10))
        assert media.put(made["upload_url"], content=pieces, headers=made["required_headers"]).status_code == 200


class TestAssets:
    @pytest.fixture
    def asset(self, sume: httpx.Client, media: httpx.Client) -> str:
        key = upload(sume, media, "asset_library_video")["object_key"]
        answer = sume.post("/assets", json={"object_key": key, "title": "Launch"})
        assert answer.status_code == 202
        assert set(answer.json()) == {"object", "id", "asset_id", "status"}
        assert answer.json()["object"] == "asset_upload"
        return str(answer.json()["asset_id"])

    def test_scenes_appear_when_the_video_was_taken_in(
        self, sandbox: Sandbox, sume: httpx.Client, media: httpx.Client, asset: str
    ) -> None:
        early = sume.get(f"/assets/{asset}").json()
        assert (early["status"], early["media_url"]) == ("processing", None)
        assert sume.get("/assets").json()["data"] == []
        sandbox.settings(sume={"early_asset": "not_found"})
        refused(sume.get(f"/assets/{asset}"), 404, "not_found")
        sandbox.advance(31)
        assert sume.get(f"/assets/{asset}").json()["status"] == "ready"
        scenes = sume.get("/assets").json()["data"]
        assert len(scenes) == 3
        assert media.get(scenes[0]["media_url"]).content == b"a film"
        sandbox.settings(sume={"scene_url": "clip_url"})
        scene = sume.get(f"/assets/{asset}").json()
        assert {"clip_url", "source_media_url"} <= set(scene)
        assert "media_url" not in scene

    def test_scenes_are_searched(self, sandbox: Sandbox, sume: httpx.Client, asset: str) -> None:
        sandbox.advance(31)

        def titles(**query: str) -> list[str]:
            return [scene["title"][-1] for scene in sume.get("/assets", params=query).json()["data"]]

        assert titles() == ["3", "2", "1"]
        assert titles(sort="created_at_asc") == ["1", "2", "3"]
        assert titles(q="demonstration") == ["2"]
        assert titles(q="nonsense") == []
        assert titles(cta_present="true") == ["3"]
        assert titles(segment_type="hook", source_type="upload", tag="outdoor", keyword="trail") == ["1"]
        assert titles(brand="Other") == []
        assert titles(min_duration_seconds="5") == []
        assert titles(max_duration_seconds="5", limit="1") == ["3"]
        now = datetime.now(UTC).isoformat()
        assert len(titles(created_before=now)) == 3
        assert titles(created_after=now) == []
        found = sume.get("/assets", params={"q": "hook product", "search_mode": "auto"}).json()["data"]
        assert found[0]["search"] == {"mode": "auto", "score": 1.0, "query": "hook product"}
        for query in (
            {"sort": "x"},
            {"search_mode": "x"},
            {"cta_present": "x"},
            {"created_after": "x"},
            {"min_duration_seconds": "x"},
        ):
            refused(sume.get("/assets", params=query), 400, "validation_error", next(iter(query)))

    def test_finalizing_is_refused(self, sume: httpx.Client, media: httpx.Client, asset: str, sandbox: Sandbox) -> None:
        key = sandbox.requests(method="POST", path="/assets")[0]["body"]
        again = sume.post("/assets", content=key, headers={"Content-Type": "application/json"})
        refused(again, 409, "duplicate")
        refused(sume.post("/assets", json={}), 400, "validation_error", "object_key")
        refused(sume.post("/assets", json={"object_key": "upload_x/y"}), 404, "not_found")
        other = upload(sume, media, "face_swap_source_video")["object_key"]
        refused(sume.post("/assets", json={"object_key": other}), 400, "validation_error")
        unfinished = sume.post("/uploads/presign", json=PRESIGN).json()["object_key"]
        refused(sume.post("/assets", json={"object_key": unfinished}), 409, "conflict")


class TestAccount:
    def test_me(self, sume: httpx.Client) -> None:
        me = sume.get("/me").json()
        assert {"user", "workspace", "api_key"} <= set(me)
        assert me["api_key"]["prefix"] == "sume_live_"

    @pytest.mark.parametrize("shape", ["flat", "short", "nested"])
    def test_credits(self, sandbox: Sandbox, sume: httpx.Client, shape: str) -> None:
        sandbox.settings(sume={"credits_shape": shape})
        sandbox.set_account("sume", data={"plan": "scale", "bonus": 50})
        created(sume, "/images/generations", IMAGE)
        found = sume.get("/credits").json()
        if shape == "nested":
            assert found["credits"] == {"monthly": 1000, "bonus": 50, "remaining": 996}
            assert found["plan"] == {"name": "scale"}
            assert found["capacity"] == {"active": 1, "limit": 100}
        else:
            assert found["remaining_credits" if shape == "flat" else "remaining"] == 996
            assert (found["plan"], found["monthly_credits"], found["bonus_credits"]) == ("scale", 1000, 50)
            assert (found["active_generations"], found["active_generation_limit"]) == (1, 100)

    def test_brands(self, sume: httpx.Client, media: httpx.Client) -> None:
        current = sume.get("/brand/current").json()
        assert sume.get("/brand").json()["data"] == [current]
        assert sume.get("/brand", params={"domain": current["domain"]}).json()["data"] == [current]
        assert sume.get("/brand", params={"domain": "other.example"}).json()["data"] == []
        references = [image["reference_url"] for image in current["images"]]
        assert media.get(references[0]).status_code == 200
        created(sume, "/images/generations", IMAGE | {"reference_image_urls": references})

    def test_avatars(self, sume: httpx.Client) -> None:
        first = sume.get("/avatars", params={"limit": 5}).json()
        rest = sume.get("/avatars", params={"limit": 100, "cursor": first["next_cursor"]}).json()
        avatars = first["data"] + rest["data"]
        assert rest["next_cursor"] is None
        assert len({avatar["id"] for avatar in avatars}) == len(avatars) == 12
        assert sume.get(f"/avatars/{avatars[0]['id']}").json() == avatars[0]
        assert set(avatars[0]["capabilities"]) == {"talking_head", "ugc_ad_video", "face_swap"}
        refused(sume.get("/avatars/nobody"), 404, "not_found")

    def test_keys(self, sandbox: Sandbox, client_for: Callable[..., httpx.Client]) -> None:
        bare = client_for("sume", None)
        refused(bare.get("/me"), 401, "unauthorized")
        assert bare.get("/me", headers={"X-Api-Key": sandbox.key_for("sume")}).status_code == 200
        refused(bare.get("/me", headers={"X-Api-Key": "other"}), 401, "unauthorized")
        sandbox.set_account("sume", status="forbidden")
        refused(client_for("sume").get("/me"), 403, "forbidden")
