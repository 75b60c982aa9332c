# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import av
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from airflow_provider_adgen.sandbox import Sandbox

COPY = {"platform": "meta", "format": "short", "tone": "bold"}
SCRIPT = {"script": "You need to see this shoe."}


@pytest.fixture
def cutx(client_for: Callable[..., httpx.Client]) -> httpx.Client:
    return client_for("cutx")


@pytest.fixture
def subject(cutx: httpx.Client) -> dict[str, str]:
    """The project and the product that a new account has."""
    project = cutx.get("/api/products").json()["projects"][0]["id"]
    product = cutx.get("/api/products", params={"projectId": project}).json()["products"][0]["id"]
    return {"projectId": project, "productId": product}


def status(client: httpx.Client, job: str) -> dict[str, Any]:
    answer = client.get("/api/generate/status", params={"jobId": job})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refused(answer: httpx.Response, code: int, part: str = "") -> None:
    assert answer.status_code == code, answer.text
    assert set(answer.json()) == {"error", "message"}
    assert isinstance(answer.json()["error"], str)
    assert part in answer.json()["message"]


class TestSubmit:
    def test_copy_is_answered_at_once_with_five_variants(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]
    ) -> None:
        body = COPY | subject | {"customInstructions": "Summer sale"}
        answer = cutx.post("/api/generate/copy", json=body)
        assert answer.status_code == 200
        made = answer.json()
        assert set(made) == {"jobId", "status", "creditsUsed", "creditsRemaining", "variants"}
        assert (made["status"], made["creditsUsed"], made["creditsRemaining"]) == ("completed", 1, 999)
        assert len(made["variants"]) == 5
        for variant in made["variants"]:
            assert set(variant) == {"hook", "body", "cta", "hashtags"}
            assert all(tag.startswith("#") for tag in variant["hashtags"])
        assert len({variant["hook"] for variant in made["variants"]}) == 5
        assert status(cutx, made["jobId"])["type"] == "copy"
        assert [charge["credits"] for charge in sandbox.charges] == [1]

    @pytest.mark.parametrize(
        ("path", "body", "price"),
        [
            ("/api/generate/static-ad", {}, 3),
            ("/api/generate/static-ad", {"style": "modern", "aspectRatio": "4:5", "prompt": "Summer"}, 3),
            ("/api/generate/video", SCRIPT, 40),
            ("/api/generate/video", SCRIPT | {"avatarUrl": "https://example.com/a.jpg", "aspectRatio": "1:1"}, 40),
        ],
    )
    def test_the_others_are_queued(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str], path: str, body: dict[str, Any], price: int
    ) -> None:
        answer = cutx.post(path, json=subject | body)
        assert answer.status_code == 200
        made = answer.json()
        assert made == {
            "jobId": made["jobId"],
            "status": "queued",
            "creditsUsed": price,
            "creditsRemaining": 1000 - price,
        }
        assert uuid.UUID(made["jobId"])
        assert [(charge["credits"], charge["job_id"]) for charge in sandbox.charges] == [(price, made["jobId"])]

    @pytest.mark.parametrize(
        ("path", "body", "field"),
        [
            ("copy", COPY | {"projectId": "x"}, "projectId"),
            ("copy", COPY | {"productId": None}, "productId"),
            ("copy", COPY | {"platform": "radio"}, "platform"),
            ("copy", COPY | {"platform": None}, "platform"),
            ("copy", COPY | {"format": "novel"}, "format"),
            ("copy", COPY | {"tone": "sad"}, "tone"),
            ("copy", COPY | {"customInstructions": "x" * 501}, "customInstructions"),
            ("copy", COPY | {"idempotencyKey": "x" * 129}, "idempotencyKey"),
            ("static-ad", {"style": "ugly"}, "style"),
            ("static-ad", {"aspectRatio": "3:2"}, "aspectRatio"),
            ("static-ad", {"prompt": "four"}, "prompt"),
            ("static-ad", {"prompt": "x" * 1001}, "prompt"),
            ("video", {}, "script"),
            ("video", {"script": "too short"}, "script"),
            ("video", {"script": "x" * 2001}, "script"),
            ("video", SCRIPT | {"avatarUrl": "face.jpg"}, "avatarUrl"),
            ("video", SCRIPT | {"aspectRatio": "4:5"}, "aspectRatio"),
        ],
    )
    def test_what_breaks_a_rule_is_refused_and_costs_nothing(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str], path: str, body: dict[str, Any], field: str
    ) -> None:
        refused(cutx.post(f"/api/generate/{path}", json=subject | body), 400, field)
        assert sandbox.charges == []

    def test_lengths_at_their_limits_are_taken(self, cutx: httpx.Client, subject: dict[str, str]) -> None:
        for script in ("x" * 10, "x" * 2000):
            assert cutx.post("/api/generate/video", json=subject | {"script": script}).status_code == 200
        body = subject | {"prompt": "x" * 5, "idempotencyKey": "k" * 128}
        assert cutx.post("/api/generate/static-ad", json=body).status_code == 200

    def test_the_contradicted_style_can_be_refused(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]
    ) -> None:
        sandbox.settings(cutx={"strict_style": True})
        refused(cutx.post("/api/generate/static-ad", json=subject | {"style": "modern"}), 400, "style")

    def test_an_unknown_project_or_product_is_refused(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]
    ) -> None:
        for name in subject:
            body = COPY | subject | {name: str(uuid.uuid4())}
            refused(cutx.post("/api/generate/copy", json=body), 404, "not found")
        second = cutx.post("/api/products", json={"name": "Second"}).json()["project"]["id"]
        refused(cutx.post("/api/generate/copy", json=COPY | subject | {"projectId": second}), 404, "Product not found")
        assert sandbox.charges == []

    def test_too_few_credits_start_nothing(self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]) -> None:
        sandbox.set_credits("cutx", 39)
        refused(cutx.post("/api/generate/video", json=subject | SCRIPT), 402)
        assert (sandbox.jobs(), sandbox.balance("cutx")) == ([], 39)


class TestStatus:
    def test_a_static_ad_is_queued_processed_and_completed(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str], media: httpx.Client
    ) -> None:
        job = cutx.post("/api/generate/static-ad", json=subject | {"aspectRatio": "4:5"}).json()["jobId"]
        first = status(cutx, job)
        assert set(first) == {"id", "type", "status", "assets", "createdAt", "completedAt"}
        assert first["id"] == job
        assert (first["type"], first["status"], first["assets"], first["completedAt"]) == (
            "static_ad",
            "queued",
            [],
            None,
        )
        sandbox.advance(10)
        assert status(cutx, job)["status"] == "processing"
        sandbox.advance(16)
        done = status(cutx, job)
        assert (done["status"], len(done["assets"])) == ("completed", 1)
        (asset,) = done["assets"]
        assert set(asset) == {"id", "type", "url"}
        assert asset["type"] == "image"
        assert status(cutx, job)["assets"][0]["id"] == asset["id"]
        image = Image.open(io.BytesIO(media.get(asset["url"]).content))
        assert image.size == (512, 640)

    def test_a_video_is_a_film(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str], media: httpx.Client
    ) -> None:
        job = cutx.post("/api/generate/video", json=subject | SCRIPT).json()["jobId"]
        sandbox.advance(121)
        done = status(cutx, job)
        assert (done["type"], done["assets"][0]["type"]) == ("ugc_video", "video")
        with av.open(io.BytesIO(media.get(done["assets"][0]["url"]).content)) as film:
            assert (film.streams.video[0].width, film.streams.video[0].height) == (360, 640)

    @pytest.mark.parametrize(("word", "refunds"), [("failed", 1), ("canceled", 0), ("expired", 0)])
    def test_only_a_failed_job_is_refunded(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str], word: str, refunds: int
    ) -> None:
        sandbox.fail_next("cutx", status=word, message="Provider broke")
        job = cutx.post("/api/generate/video", json=subject | SCRIPT).json()["jobId"]
        sandbox.advance(121)
        ended = status(cutx, job)
        assert (ended["status"], ended["assets"]) == (word, [])
        assert ended["completedAt"] is not None
        assert "error" not in ended
        assert len(sandbox.refunds) == refunds
        assert sandbox.balance("cutx") == (1000 if refunds else 960)

    def test_a_reason_can_be_shown(self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]) -> None:
        sandbox.settings(cutx={"error_field": "error"})
        sandbox.fail_next("cutx", message="Provider broke", seconds=0)
        job = cutx.post("/api/generate/video", json=subject | SCRIPT).json()["jobId"]
        assert status(cutx, job)["error"] == "Provider broke"

    def test_a_failed_job_can_be_retried_by_an_admin(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]
    ) -> None:
        sandbox.fail_next("cutx", seconds=0)
        job = cutx.post("/api/generate/static-ad", json=subject).json()["jobId"]
        assert status(cutx, job)["status"] == "failed"
        sandbox.set_job(job, "completed", after=10)
        assert status(cutx, job)["status"] in ("queued", "processing")
        sandbox.advance(11)
        assert status(cutx, job)["status"] == "completed"

    def test_an_unknown_job_is_refused(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str], client_for: Callable[..., httpx.Client]
    ) -> None:
        refused(cutx.get("/api/generate/status"), 400, "jobId")
        refused(cutx.get("/api/generate/status", params={"jobId": "x"}), 400, "jobId")
        refused(cutx.get("/api/generate/status", params={"jobId": str(uuid.uuid4())}), 404)
        job = cutx.post("/api/generate/static-ad", json=subject).json()["jobId"]
        other = client_for("cutx", sandbox.add_account("cutx", "other"))
        refused(other.get("/api/generate/status", params={"jobId": job}), 404)


class TestIdempotency:
    def test_a_key_gives_the_job_that_still_runs(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]
    ) -> None:
        body = subject | SCRIPT | {"idempotencyKey": "one"}
        job = cutx.post("/api/generate/video", json=body).json()["jobId"]
        again = cutx.post("/api/generate/video", json=body)
        assert (again.status_code, again.json()) == (200, {"jobId": job, "creditsUsed": 0, "status": "reused"})
        assert len(sandbox.charges) == 1

    def test_a_key_whose_job_has_ended_makes_a_new_one(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]
    ) -> None:
        body = subject | SCRIPT | {"idempotencyKey": "one"}
        first = cutx.post("/api/generate/video", json=body).json()
        sandbox.advance(121)
        second = cutx.post("/api/generate/video", json=body).json()
        assert second["jobId"] != first["jobId"]
        assert [charge["credits"] for charge in sandbox.charges] == [40, 40]

    def test_or_is_refused(self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]) -> None:
        sandbox.settings(cutx={"key_after_end": "conflict"})
        body = subject | SCRIPT | {"idempotencyKey": "one"}
        cutx.post("/api/generate/video", json=body)
        sandbox.advance(121)
        refused(cutx.post("/api/generate/video", json=body), 409)

    def test_a_key_of_copy_protects_while_it_is_written(
        self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]
    ) -> None:
        sandbox.settings(cutx={"copy_seconds": 0.5})
        body = subject | COPY | {"idempotencyKey": "one"}
        with ThreadPoolExecutor(1) as pool:
            begun = time.monotonic()
            first = pool.submit(cutx.post, "/api/generate/copy", json=body)
            while not sandbox.jobs():
                time.sleep(0.01)
            assert cutx.post("/api/generate/copy", json=body).json()["status"] == "reused"
            assert first.result().json()["status"] == "completed"
            assert time.monotonic() - begun >= 0.45
        assert len(cutx.post("/api/generate/copy", json=body).json()["variants"]) == 5
        assert len(sandbox.charges) == 2

    def test_a_copy_that_fails_is_refunded(self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]) -> None:
        sandbox.fail_next("cutx", seconds=0)
        assert cutx.post("/api/generate/copy", json=subject | COPY).status_code == 500
        assert (len(sandbox.charges), len(sandbox.refunds)) == (1, 1)


class TestProducts:
    def test_projects(self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]) -> None:
        made = cutx.post("/api/products", json={"name": "Summer", "description": "Sale"})
        assert made.status_code == 201
        project = made.json()["project"]
        assert set(project) == {"id", "name", "description", "user_id", "status", "created_at"}
        cutx.post("/api/generate/static-ad", json=subject)
        sandbox.advance(60)
        listed = cutx.get("/api/products").json()["projects"]
        names = {"id", "name", "description", "product_count", "asset_count", "created_at", "updated_at"}
        assert [set(found) for found in listed] == [names, names]
        assert (listed[0]["product_count"], listed[0]["asset_count"]) == ("1", "1")
        assert (listed[1]["product_count"], listed[1]["asset_count"]) == ("0", "0")
        assert len(cutx.get("/api/products", params={"limit": 1}).json()["projects"]) == 1
        refused(cutx.post("/api/products", json={"name": "x" * 201}), 400, "name")
        refused(cutx.post("/api/products", json={"name": "x", "description": "x" * 1001}), 400, "description")
        refused(cutx.get("/api/products", params={"limit": 0}), 400, "limit")

    def test_products(self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]) -> None:
        project = subject["projectId"]
        body = {"url": "https://shop.example/blue-shoe", "projectId": project}
        made = cutx.post("/api/products/ingest", json=body)
        assert made.status_code == 201
        product = made.json()["product"]
        common = {"id", "name", "description", "price", "currency", "brand", "category", "source_url"}
        assert set(product) == common | {"features", "images"}
        assert set(product["images"][0]) == {"id", "url", "is_primary"}
        listed = cutx.get("/api/products", params={"projectId": project}).json()["products"]
        assert [set(found) for found in listed] == [common | {"image_url", "created_at"}] * 2
        assert (listed[1]["id"], listed[1]["price"]) == (product["id"], product["price"])
        assert isinstance(product["price"], str)
        assert sandbox.charges == []
        refused(cutx.post("/api/products/ingest", json={"projectId": project}), 400, "url")
        refused(cutx.post("/api/products/ingest", json=body | {"projectId": str(uuid.uuid4())}), 404)
        refused(cutx.get("/api/products", params={"projectId": str(uuid.uuid4())}), 404)

    def test_assets(self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]) -> None:
        cutx.post("/api/generate/static-ad", json=subject)
        cutx.post("/api/generate/video", json=subject | SCRIPT)
        sandbox.advance(200)
        assert {asset["type"] for asset in cutx.get("/api/assets").json()["assets"]} == {"image", "video"}
        images = cutx.get("/api/assets", params={"type": "image", "projectId": subject["projectId"]}).json()["assets"]
        assert [asset["type"] for asset in images] == ["image"]
        pages = [cutx.get("/api/assets", params={"limit": 1, "offset": offset}).json()["assets"] for offset in range(3)]
        assert [[asset["type"] for asset in page] for page in pages] == [["video"], ["image"], []]
        refused(cutx.get("/api/assets", params={"type": "sound"}), 400, "type")


class TestAccount:
    def test_credits(self, sandbox: Sandbox, cutx: httpx.Client, subject: dict[str, str]) -> None:
        cutx.post("/api/generate/static-ad", json=subject)
        assert cutx.get("/api/credits/balance").json() == {
            "balance": 997,
            "lifetime_purchased": 1000,
            "lifetime_used": 3,
        }

    def test_me(self, cutx: httpx.Client) -> None:
        user = cutx.get("/api/auth/me").json()["user"]
        assert set(user) == {"id", "email", "name", "role", "email_verified", "created_at"}

    def test_the_token_is_a_jwt_and_may_be_a_cookie(
        self, sandbox: Sandbox, client_for: Callable[..., httpx.Client]
    ) -> None:
        token = sandbox.key_for("cutx")
        assert token.count(".") == 2
        bare = client_for("cutx", None)
        refused(bare.get("/api/auth/me"), 401)
        assert bare.get("/api/auth/me", headers={"Cookie": f"cutx_token={token}"}).status_code == 200
        refused(client_for("cutx", token[:-2]).get("/api/auth/me"), 401)

    def test_a_suspended_account_is_refused(self, sandbox: Sandbox, cutx: httpx.Client) -> None:
        sandbox.set_account("cutx", status="forbidden")
        refused(cutx.get("/api/auth/me"), 403)

    @pytest.mark.parametrize("shape", ["bare", "nested"])
    def test_the_shape_of_errors_can_be_chosen(self, sandbox: Sandbox, cutx: httpx.Client, shape: str) -> None:
        sandbox.settings(cutx={"error_shape": shape})
        error = cutx.get("/api/generate/status").json()
        assert error == (
            {"error": "jobId: must be a UUID"} if shape == "bare" else {"error": {"message": "jobId: must be a UUID"}}
        )
