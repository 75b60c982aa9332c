# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from airflow_provider_adgen.sandbox import Sandbox

IMAGE = {"prompt": "White sneakers on marble", "model": "pro", "aspect_ratio": "1:1"}
VIDEO = {"prompt": "White sneakers", "model": "sora-2"}
ELEVEN = "EXAVITQu4vr4xnSDxMaL"


@pytest.fixture
def adsumo(client_for: Callable[..., httpx.Client]) -> httpx.Client:
    return client_for("adsumo")


def submit(client: httpx.Client, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = client.post(path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refused(answer: httpx.Response, status: int, code: str, part: str = "") -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert set(error) == {"code", "message"}
    assert error["code"] == code
    assert part in error["message"]
    return str(error["message"])


def an_avatar(client: httpx.Client) -> str:
    return str(client.get("/avatars").json()["data"][0]["id"])


def a_product(client: httpx.Client, **values: Any) -> str:
    body = {"name": "Shoe", "description": "A shoe", "category": "Shoes", "image_url": "https://example.com/a.png"}
    answer = client.post("/products", json={**body, **values})
    assert answer.status_code == 201
    return str(answer.json()["id"])


class TestSubmit:
    @pytest.mark.parametrize(
        ("path", "body", "kind", "price"),
        [
            ("/images/text-to-image", IMAGE, "image", 2),
            ("/images/text-to-image", IMAGE | {"quantity": 4, "resolution": "4k"}, "image", 16),
            ("/images/text-to-image", IMAGE | {"model": "fast", "quantity": 8}, "image", 8),
            ("/images/text-to-image", IMAGE | {"model": "fast", "resolution": "2k"}, "image", 2),
            ("/images/text-to-image", IMAGE | {"model": "fast", "resolution": "4k"}, "image", 2),
            ("/images/text-to-image", IMAGE | {"resolution": "2k"}, "image", 2),
            ("/videos/ai-video", VIDEO, "ai-video", 20),
            ("/videos/ai-video", VIDEO | {"aspect_ratio": "9:16", "duration": 8, "model": "veo-3.1"}, "ai-video", 40),
            ("/videos/generate", {"template": "ugc", "product_id": "prod_abc123"}, "talking-avatar", 30),
        ],
    )
    def test_is_answered_as_documented_and_charged_at_once(
        self, sandbox: Sandbox, adsumo: httpx.Client, path: str, body: dict[str, Any], kind: str, price: int
    ) -> None:
        answer = submit(adsumo, path, body)
        assert answer == {"generation_id": answer["generation_id"], "type": kind, "status": "processing"}
        assert uuid.UUID(answer["generation_id"])
        (charge,) = sandbox.charges
        assert (charge["credits"], charge["job_id"], charge["account"]) == (price, answer["generation_id"], "team")
        assert sandbox.balance("adsumo") == 1000 - price

    @pytest.mark.parametrize(
        ("length", "price"), [(1, 20), (250, 20), (251, 40), (1750, 140), (1751, 160), (2001, 160), (9000, 160)]
    )
    def test_a_talking_avatar_costs_20_for_each_250_characters(
        self, sandbox: Sandbox, adsumo: httpx.Client, length: int, price: int
    ) -> None:
        body = {"avatar_id": an_avatar(adsumo), "avatar_type": "platform", "script": "x" * length, "voice_id": ELEVEN}
        submit(adsumo, "/videos/talking-avatar", body)
        assert [charge["credits"] for charge in sandbox.charges] == [price]

    def test_a_talking_avatar_speaks_a_voiceover(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        spoken = submit(adsumo, "/voiceovers/text-to-speech", {"text": "y" * 300, "voice_id": ELEVEN})
        body = {"avatar_id": an_avatar(adsumo), "avatar_type": "platform", "voiceover_id": spoken["id"]}
        made = submit(adsumo, "/videos/talking-avatar", body | {"script": "ignored", "voice_id": ELEVEN})
        assert [charge["credits"] for charge in sandbox.charges] == [1, 40]
        assert adsumo.get(f"/generations/{made['generation_id']}").json()["details"]["script"] == "y" * 300

    def test_product_shots_show_a_product_of_the_account(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        body = {
            "product_id": a_product(adsumo),
            "style_id": "lifestyle-outdoor",
            "model": "pro",
            "aspect_ratio": "16:9",
        }
        made = submit(adsumo, "/images/product-shots", body | {"quantity": 4, "additional_prompt": "at dawn"})
        details = adsumo.get(f"/generations/{made['generation_id']}").json()["details"]
        assert details["prompt"] == "lifestyle-outdoor: at dawn"
        assert sandbox.charges[0]["credits"] == 8
        sandbox.add_account("adsumo", "other", key="adsumo_sk_other")
        answer = adsumo.post("/images/product-shots", json=body, headers={"Authorization": "Bearer adsumo_sk_other"})
        refused(answer, 404, "not_found")

    @pytest.mark.parametrize("status", [200, 201, 202])
    def test_its_status_can_be_chosen(self, sandbox: Sandbox, adsumo: httpx.Client, status: int) -> None:
        sandbox.settings(adsumo={"submit_status": status})
        assert adsumo.post("/videos/ai-video", json=VIDEO).status_code == status

    @pytest.mark.parametrize(
        ("path", "body", "field"),
        [
            ("/images/text-to-image", IMAGE | {"quantity": 0}, "quantity"),
            ("/images/text-to-image", IMAGE | {"quantity": 9}, "quantity"),
            ("/images/text-to-image", IMAGE | {"quantity": "2"}, "quantity"),
            ("/images/text-to-image", IMAGE | {"quantity": 1.5}, "quantity"),
            ("/images/text-to-image", IMAGE | {"quantity": True}, "quantity"),
            ("/images/text-to-image", IMAGE | {"model": "ultra"}, "model"),
            ("/images/text-to-image", IMAGE | {"resolution": "8k"}, "resolution"),
            ("/images/text-to-image", IMAGE | {"resolution": "2K"}, "resolution"),
            ("/images/text-to-image", IMAGE | {"prompt": " "}, "prompt"),
            ("/images/text-to-image", IMAGE | {"prompt": None}, "prompt"),
            ("/images/text-to-image", IMAGE | {"prompt": 3}, "prompt"),
            ("/images/text-to-image", IMAGE | {"aspect_ratio": None}, "aspect_ratio"),
            ("/images/text-to-image", IMAGE | {"aspect_ratio": "wide"}, "aspect_ratio"),
            ("/images/product-shots", {**IMAGE, "style_id": "s", "product_id": "no"}, "product_id"),
            ("/images/product-shots", {**IMAGE, "product_id": str(uuid.uuid4())}, "style_id"),
            ("/videos/ai-video", VIDEO | {"model": "sora-9"}, "model"),
            ("/videos/ai-video", VIDEO | {"prompt": None}, "prompt"),
            ("/videos/ai-video", VIDEO | {"duration": 0}, "duration"),
            ("/videos/generate", {"template": "ugc"}, "product_id"),
            ("/videos/generate", {"product_id": "prod_abc123"}, "template"),
            ("/voiceovers/text-to-speech", {"voice_id": ELEVEN}, "text"),
            ("/voiceovers/text-to-speech", {"text": "Hello"}, "voice_id"),
            (
                "/voiceovers/text-to-speech",
                {"text": "Hello", "voice_id": ELEVEN, "voice_settings": 1},
                "voice_settings",
            ),
            ("/videos/talking-avatar", {"avatar_id": "x", "avatar_type": "platform"}, "avatar_id"),
            ("/videos/talking-avatar", {"avatar_id": str(uuid.uuid4()), "avatar_type": "own"}, "avatar_type"),
            (
                "/videos/talking-avatar",
                {"avatar_id": str(uuid.uuid4()), "avatar_type": "custom", "script": "Hi"},
                "voice_id",
            ),
            (
                "/videos/talking-avatar",
                {"avatar_id": str(uuid.uuid4()), "avatar_type": "custom", "voice_id": "v"},
                "script",
            ),
            (
                "/videos/talking-avatar",
                {"avatar_id": str(uuid.uuid4()), "avatar_type": "custom", "voiceover_id": "v"},
                "voiceover_id",
            ),
            (
                "/videos/talking-avatar",
                {
                    "avatar_id": str(uuid.uuid4()),
                    "avatar_type": "custom",
                    "script": "a",
                    "voice_id": ELEVEN,
                    "lipsync_model": "best",
                },
                "lipsync_model",
            ),
        ],
    )
    def test_what_breaks_a_rule_is_refused_and_costs_nothing(
        self, sandbox: Sandbox, adsumo: httpx.Client, path: str, body: dict[str, Any], field: str
    ) -> None:
        refused(adsumo.post(path, json=body), 400, "validation_error", field)
        assert sandbox.charges == []
        assert sandbox.jobs() == []

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/videos/talking-avatar", {"avatar_id": str(uuid.uuid4()), "avatar_type": "platform"}),
            ("/videos/talking-avatar", {"avatar_id": str(uuid.uuid4()), "avatar_type": "custom"}),
            ("/videos/talking-avatar", {"avatar_id": str(uuid.uuid4()), "avatar_type": "product"}),
            ("/images/product-shots", {**IMAGE, "style_id": "s", "product_id": str(uuid.uuid4())}),
            ("/videos/generate", {"template": "ugc", "product_id": str(uuid.uuid4())}),
            ("/voiceovers/text-to-speech", {"text": "Hello", "voice_id": "nobody"}),
        ],
    )
    def test_what_names_a_thing_that_is_not_there_is_refused(
        self, sandbox: Sandbox, adsumo: httpx.Client, path: str, body: dict[str, Any]
    ) -> None:
        refused(
            adsumo.post(path, json={"script": "Hi", **body} | {"voice_id": body.get("voice_id", ELEVEN)}),
            404,
            "not_found",
        )
        assert sandbox.charges == []

    def test_a_body_must_be_a_json_object_and_say_so(self, adsumo: httpx.Client) -> None:
        path = "/videos/ai-video"
        json_type = {"Content-Type": "application/json"}
        refused(adsumo.post(path, content=b"{nope", headers=json_type), 400, "validation_error", "not valid JSON")
        refused(adsumo.post(path, json=[1]), 400, "validation_error", "object")
        refused(adsumo.post(path, data={"model": "sora-2"}), 400, "validation_error", "Content-Type")

    def test_an_unknown_field_is_refused_only_when_asked(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        assert adsumo.post("/videos/ai-video", json=VIDEO | {"extra": 1}).status_code == 200
        sandbox.settings(adsumo={"strict_fields": True})
        refused(adsumo.post("/videos/ai-video", json=VIDEO | {"extra": 1}), 400, "validation_error", "extra")
        assert adsumo.post("/videos/ai-video", json=VIDEO).status_code == 200
        assert len(sandbox.charges) == 2

    def test_too_few_credits_start_nothing(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.set_credits("adsumo", 5)
        message = refused(adsumo.post("/videos/ai-video", json=VIDEO), 402, "insufficient_credits")
        assert message == ("Your team does not have enough credits for this generation. Required: 20, available: 5.")
        assert sandbox.jobs() == []
        assert sandbox.balance("adsumo") == 5
        sandbox.set_credits("adsumo", 0)
        answer = adsumo.post("/voiceovers/text-to-speech", json={"text": "Hi", "voice_id": ELEVEN})
        refused(answer, 402, "insufficient_credits", "Required: 1, available: 0.")
        sandbox.set_credits("adsumo", 20)
        submit(adsumo, "/videos/ai-video", VIDEO)
        assert sandbox.balance("adsumo") == 0


class TestCredentials:
    def test_a_missing_or_unknown_key_is_refused(self, client_for: Callable[..., httpx.Client]) -> None:
        refused(client_for("adsumo", None).get("/account/credits"), 401, "unauthorized")
        refused(client_for("adsumo", "adsumo_sk_wrong").get("/account/credits"), 401, "unauthorized")
        basic = client_for("adsumo", None).get("/account/credits", headers={"Authorization": "Basic eDp5"})
        refused(basic, 401, "unauthorized")
        legacy = client_for("adsumo", None).get("/account/credits", headers={"X-Api-Key": "adsumo_sk_sandbox"})
        refused(legacy, 401, "unauthorized")

    def test_a_revoked_or_expired_key_is_refused(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.set_key("adsumo", status="revoked")
        refused(adsumo.get("/account/credits"), 401, "unauthorized")
        sandbox.set_key("adsumo", status="active", expires=4_000_000_000)
        assert adsumo.get("/account/credits").status_code == 200
        sandbox.advance(3_000_000_000)
        refused(adsumo.get("/account/credits"), 401, "unauthorized")

    def test_an_account_below_the_tier_is_forbidden(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.set_account("adsumo", status="forbidden")
        refused(adsumo.post("/videos/ai-video", json=VIDEO), 403, "forbidden")
        sandbox.set_account("adsumo", status="active")
        assert adsumo.get("/account/credits").status_code == 200

    def test_accounts_do_not_see_each_other(
        self, sandbox: Sandbox, adsumo: httpx.Client, client_for: Callable[..., httpx.Client]
    ) -> None:
        other = client_for("adsumo", sandbox.add_account("adsumo", "other", credits=30))
        made = submit(adsumo, "/videos/ai-video", VIDEO)
        refused(other.get(f"/generations/{made['generation_id']}"), 404, "not_found")
        assert other.get("/generations").json()["pagination"]["total"] == 0
        assert other.get("/account/credits").json()["credits_remaining"] == 30
        product = a_product(adsumo)
        refused(other.get(f"/products/{product}"), 404, "not_found")
        refused(other.delete(f"/products/{product}"), 404, "not_found")

    def test_two_keys_of_one_account_share_its_credits(
        self, sandbox: Sandbox, adsumo: httpx.Client, client_for: Callable[..., httpx.Client]
    ) -> None:
        second = client_for("adsumo", sandbox.add_account("adsumo", "team", key="adsumo_sk_second"))
        submit(second, "/videos/ai-video", VIDEO)
        assert adsumo.get("/account/credits").json()["credits_remaining"] == 980

    def test_what_is_not_there_is_said_in_the_vendors_words(self, adsumo: httpx.Client) -> None:
        refused(adsumo.get("/nothing"), 404, "not_found")
        refused(adsumo.get("/videos/ai-video"), 405, "validation_error")
        refused(adsumo.get("/generations/unknown"), 404, "not_found")


class TestStatus:
    def test_it_follows_the_clock(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        made = submit(adsumo, "/videos/ai-video", VIDEO)
        path = f"/generations/{made['generation_id']}"
        first = adsumo.get(path).json()
        assert set(first) == {"id", "type", "status", "created_at", "result_url", "details"}
        assert (first["status"], first["result_url"]) == ("processing", None)
        sandbox.advance(89)
        assert adsumo.get(path).json()["status"] == "processing"
        sandbox.advance(2)
        done = adsumo.get(path).json()
        assert done["status"] == "completed"
        assert done["result_url"].startswith("http://localhost:")
        assert done["details"] == {"prompt": "White sneakers", "model": "sora-2", "duration": 8, "aspect_ratio": "16:9"}
        assert done["created_at"] == first["created_at"]

    def test_details_are_those_of_the_type(self, adsumo: httpx.Client) -> None:
        image = submit(adsumo, "/images/text-to-image", IMAGE)
        details = adsumo.get(f"/generations/{image['generation_id']}").json()["details"]
        assert set(details) == {"prompt", "model", "aspect_ratio", "resolution", "quantity"}
        body = {"avatar_id": an_avatar(adsumo), "avatar_type": "platform", "script": "Hi", "voice_id": ELEVEN}
        avatar = submit(adsumo, "/videos/talking-avatar", body)
        details = adsumo.get(f"/generations/{avatar['generation_id']}").json()["details"]
        assert set(details) == {"avatar_id", "script", "voice_id", "template", "duration"}

    def test_the_setting_decides_how_long_jobs_take(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.settings(adsumo={"job_seconds": {"image": 0, "*": 1000}})
        image = submit(adsumo, "/images/text-to-image", IMAGE)
        video = submit(adsumo, "/videos/ai-video", VIDEO)
        sandbox.advance(999)
        assert adsumo.get(f"/generations/{image['generation_id']}").json()["status"] == "completed"
        assert adsumo.get(f"/generations/{video['generation_id']}").json()["status"] == "processing"

    def test_a_failed_one_has_no_result_and_no_refund(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fail_next("adsumo", message="Content policy", type="ai-video")
        image = submit(adsumo, "/images/text-to-image", IMAGE)
        video = submit(adsumo, "/videos/ai-video", VIDEO)
        sandbox.advance(200)
        found = adsumo.get(f"/generations/{video['generation_id']}").json()
        assert (found["status"], found["result_url"]) == ("failed", None)
        assert adsumo.get(f"/generations/{image['generation_id']}").json()["status"] == "completed"
        assert sandbox.refunds == []

    def test_a_failed_one_is_refunded_once_when_asked(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fail_next("adsumo", refund=True)
        video = submit(adsumo, "/videos/ai-video", VIDEO)
        assert sandbox.balance("adsumo") == 980
        sandbox.advance(200)
        for _ in range(3):
            adsumo.get("/generations")
        assert [(refund["credits"], refund["job_id"]) for refund in sandbox.refunds] == [(20, video["generation_id"])]
        assert sandbox.balance("adsumo") == 1000

    def test_a_test_can_hold_and_end_a_job(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        video = submit(adsumo, "/videos/ai-video", VIDEO)
        path = f"/generations/{video['generation_id']}"
        sandbox.set_job(video["generation_id"], "processing")
        sandbox.advance(10_000)
        assert adsumo.get(path).json()["status"] == "processing"
        sandbox.set_job(video["generation_id"], "completed")
        assert adsumo.get(path).json()["status"] == "completed"
        sandbox.set_job(video["generation_id"], "failed", refund=True)
        sandbox.set_job(video["generation_id"], "failed", refund=True)
        assert len(sandbox.refunds) == 1


class TestList:
    def test_it_is_filtered_and_paged(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.settings(adsumo={"job_seconds": {"image": 10, "*": 1000}})
        images = [submit(adsumo, "/images/text-to-image", IMAGE)["generation_id"] for _ in range(5)]
        videos = [submit(adsumo, "/videos/ai-video", VIDEO)["generation_id"] for _ in range(25)]
        sandbox.advance(11)
        first = adsumo.get("/generations").json()
        assert set(first) == {"data", "pagination"}
        assert first["pagination"] == {"total": 30, "limit": 20, "offset": 0}
        assert [item["id"] for item in first["data"]] == videos[:4:-1]
        assert set(first["data"][0]) == {"id", "type", "status", "created_at", "result_url"}
        rest = adsumo.get("/generations", params={"offset": 20, "limit": 100}).json()
        assert [item["id"] for item in rest["data"]] == videos[4::-1] + images[::-1]
        done = adsumo.get("/generations", params={"status": "completed"}).json()
        assert {item["id"] for item in done["data"]} == set(images)
        assert all(item["result_url"] for item in done["data"])
        running = adsumo.get("/generations", params={"status": "processing", "type": "ai-video", "limit": 1}).json()
        assert running["pagination"]["total"] == 25
        assert adsumo.get("/generations", params={"status": "failed"}).json()["data"] == []

    @pytest.mark.parametrize("order", ["newest", "oldest", "random"])
    def test_its_order_can_be_chosen_and_is_stable(self, sandbox: Sandbox, adsumo: httpx.Client, order: str) -> None:
        made = [submit(adsumo, "/images/text-to-image", IMAGE)["generation_id"] for _ in range(12)]
        sandbox.settings(adsumo={"generations_order": order})
        pages = [[item["id"] for offset in (0, 5, 10) for item in self.page(adsumo, offset)] for _ in range(2)]
        assert pages[0] == pages[1]
        assert sorted(pages[0]) == sorted(made)
        if order == "random":
            assert pages[0] not in (made, made[::-1])
        else:
            assert pages[0] == (made if order == "oldest" else made[::-1])

    @staticmethod
    def page(client: httpx.Client, offset: int) -> list[dict[str, Any]]:
        return list(client.get("/generations", params={"limit": 5, "offset": offset}).json()["data"])

    @pytest.mark.parametrize(
        "query",
        [
            {"limit": "0"},
            {"limit": "101"},
            {"limit": "ten"},
            {"limit": "-1"},
            {"limit": "1.5"},
            {"offset": "-1"},
            {"type": "video"},
            {"status": "queued"},
        ],
    )
    def test_a_query_that_breaks_a_rule_is_refused(self, adsumo: httpx.Client, query: dict[str, str]) -> None:
        refused(adsumo.get("/generations", params=query), 400, "validation_error", next(iter(query)))


class TestSeveralImages:
    @pytest.fixture
    def several(self, sandbox: Sandbox, adsumo: httpx.Client) -> str:
        made = submit(adsumo, "/images/text-to-image", IMAGE | {"quantity": 3})
        sandbox.advance(100)
        return f"/generations/{made['generation_id']}"

    def test_the_first_is_the_result(self, adsumo: httpx.Client, several: str) -> None:
        found = adsumo.get(several).json()
        assert "/result-1.png?" in found["result_url"]
        assert "result_urls" not in found

    def test_a_list_of_all_can_be_chosen(self, sandbox: Sandbox, adsumo: httpx.Client, several: str) -> None:
        sandbox.settings(adsumo={"multiple_results": "list"})
        assert len(adsumo.get(several).json()["result_urls"]) == 3

    def test_a_zip_of_all_can_be_chosen(
        self, sandbox: Sandbox, adsumo: httpx.Client, several: str, media: httpx.Client
    ) -> None:
        sandbox.settings(adsumo={"multiple_results": "zip"})
        answer = media.get(adsumo.get(several).json()["result_url"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")


class TestVoiceover:
    def test_it_is_answered_at_once(self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client) -> None:
        body = {"text": "A short text to be read aloud", "voice_id": ELEVEN, "voice_settings": {"speed": 1}}
        made = submit(adsumo, "/voiceovers/text-to-speech", body)
        assert set(made) == {"id", "status", "duration", "audio_url"}
        assert (made["status"], made["duration"]) == ("completed", 1.9)
        assert [charge["credits"] for charge in sandbox.charges] == [1]
        assert media.get(made["audio_url"]).headers["content-type"] == "audio/mpeg"
        assert adsumo.get("/generations").json()["pagination"]["total"] == 0

    def test_a_voice_of_the_catalogue_may_be_used(self, adsumo: httpx.Client) -> None:
        voice = adsumo.get("/voices").json()["data"][0]["id"]
        submit(adsumo, "/voiceovers/text-to-speech", {"text": "Hello", "voice_id": voice})


class TestIdempotency:
    def test_the_same_key_replays_the_first_answer_and_charges_once(
        self, sandbox: Sandbox, adsumo: httpx.Client
    ) -> None:
        first = adsumo.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "one"})
        sandbox.settings(adsumo={"submit_status": 202})
        sandbox.advance(500)
        second = adsumo.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "one"})
        assert (second.status_code, second.content) == (200, first.content)
        other = adsumo.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "two"})
        assert other.json()["generation_id"] != first.json()["generation_id"]
        assert [charge["idempotency_key"] for charge in sandbox.charges] == ["one", "two"]

    def test_the_key_is_forgotten_after_24_hours(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        submit(adsumo, "/videos/ai-video", VIDEO, **{"Idempotency-Key": "one"})
        sandbox.advance(24 * 3600 - 60)
        submit(adsumo, "/videos/ai-video", VIDEO, **{"Idempotency-Key": "one"})
        assert len(sandbox.charges) == 1
        sandbox.advance(120)
        submit(adsumo, "/videos/ai-video", VIDEO, **{"Idempotency-Key": "one"})
        assert len(sandbox.charges) == 2

    def test_a_voiceover_is_replayed_verbatim(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        body = {"text": "Hello", "voice_id": ELEVEN}
        first = submit(adsumo, "/voiceovers/text-to-speech", body, **{"Idempotency-Key": "v"})
        assert submit(adsumo, "/voiceovers/text-to-speech", body, **{"Idempotency-Key": "v"}) == first
        assert len(sandbox.charges) == 1

    def test_a_product_is_made_once(self, adsumo: httpx.Client) -> None:
        body = {"name": "S", "description": "D", "category": "C", "image_url": "https://example.com/a.png"}
        first = adsumo.post("/products", json=body, headers={"Idempotency-Key": "p"})
        second = adsumo.post("/products", json=body, headers={"Idempotency-Key": "p"})
        assert (second.status_code, second.content) == (201, first.content)
        assert adsumo.get("/products").json()["pagination"]["total"] == 1

    def test_a_refusal_is_not_kept(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.set_credits("adsumo", 0)
        answer = adsumo.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "one"})
        refused(answer, 402, "insufficient_credits")
        sandbox.set_credits("adsumo", 20)
        submit(adsumo, "/videos/ai-video", VIDEO, **{"Idempotency-Key": "one"})

    def test_keys_belong_to_an_account(
        self, sandbox: Sandbox, adsumo: httpx.Client, client_for: Callable[..., httpx.Client]
    ) -> None:
        other = client_for("adsumo", sandbox.add_account("adsumo", "other"))
        first = submit(adsumo, "/videos/ai-video", VIDEO, **{"Idempotency-Key": "one"})
        assert submit(other, "/videos/ai-video", VIDEO, **{"Idempotency-Key": "one"}) != first

    def test_another_request_with_the_key_is_replayed_or_refused(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        first = submit(adsumo, "/videos/ai-video", VIDEO, **{"Idempotency-Key": "one"})
        changed = VIDEO | {"prompt": "Another"}
        assert submit(adsumo, "/videos/ai-video", changed, **{"Idempotency-Key": "one"}) == first
        sandbox.settings(adsumo={"idempotency_mismatch": "conflict"})
        answer = adsumo.post("/videos/ai-video", json=changed, headers={"Idempotency-Key": "one"})
        refused(answer, 409, "conflict")
        assert submit(adsumo, "/videos/ai-video", VIDEO, **{"Idempotency-Key": "one"}) == first

    def test_a_second_request_waits_for_a_first_that_still_runs(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("slow", "adsumo", seconds=0.4)

        def send(_: int) -> str:
            return adsumo.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "one"}).text

        with ThreadPoolExecutor(6) as pool:
            answers = set(pool.map(send, range(6)))
        assert len(answers) == 1
        assert len(sandbox.charges) == 1
