# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from airflow_provider_adgen.sandbox import Sandbox

PRODUCT = {"name": "Shoe", "description": "A shoe", "category": "Shoes", "image_url": "https://example.com/a.png"}
AVATAR = {"name": "Ann", "image_url": "https://example.com/face.png"}
SHOT = {"style_id": "studio", "model": "fast", "aspect_ratio": "1:1"}
TALK = {"avatar_type": "custom", "script": "Hi", "voice_id": "EXAVITQu4vr4xnSDxMaL"}


@pytest.fixture
def adsumo(client_for: Callable[..., httpx.Client]) -> httpx.Client:
    return client_for("adsumo")


class TestProducts:
    def test_one_is_made_read_listed_and_deleted(self, adsumo: httpx.Client) -> None:
        body = PRODUCT | {"price": 29.99, "currency": "EUR", "link": "https://example.com/shoe"}
        made = adsumo.post("/products", json=body)
        assert made.status_code == 201
        product = made.json()
        common = {"id", "name", "description", "category", "price", "currency", "link", "created_at"}
        assert set(product) == common | {"image_path"}
        assert (product["image_path"], product["price"]) == (PRODUCT["image_url"], 29.99)
        read = adsumo.get(f"/products/{product['id']}").json()
        assert set(read) == common | {"image_url"}
        listed = adsumo.get("/products").json()
        assert listed == {"data": [read], "pagination": {"total": 1, "limit": 20, "offset": 0}}
        gone = adsumo.delete(f"/products/{product['id']}")
        assert (gone.status_code, gone.content) == (204, b"")
        assert adsumo.get(f"/products/{product['id']}").status_code == 404
        assert adsumo.delete(f"/products/{product['id']}").status_code == 404

    def test_defaults(self, adsumo: httpx.Client) -> None:
        product = adsumo.post("/products", json=PRODUCT).json()
        assert (product["price"], product["currency"], product["link"]) == (None, "USD", None)

    @pytest.mark.parametrize("field", ["image_url", "image_path"])
    def test_the_image_field_can_be_chosen(self, sandbox: Sandbox, adsumo: httpx.Client, field: str) -> None:
        sandbox.settings(adsumo={"product_image_field": field})
        product = adsumo.post("/products", json=PRODUCT).json()
        assert field in product
        assert field in adsumo.get(f"/products/{product['id']}").json()

    @pytest.mark.parametrize(
        "change",
        [
            {"name": None},
            {"description": ""},
            {"category": None},
            {"image_url": None},
            {"image_url": "ftp://x/y"},
            {"image_url": "picture.png"},
            {"price": -1},
            {"price": "9"},
            {"currency": "euro"},
            {"link": "here"},
        ],
    )
    def test_what_breaks_a_rule_is_refused(self, adsumo: httpx.Client, change: dict[str, Any]) -> None:
        answer = adsumo.post("/products", json=PRODUCT | change)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "validation_error"
        assert next(iter(change)) in answer.json()["error"]["message"]

    def test_one_with_generations_cannot_be_deleted(self, adsumo: httpx.Client) -> None:
        product = adsumo.post("/products", json=PRODUCT).json()["id"]
        assert adsumo.post("/images/product-shots", json=SHOT | {"product_id": product}).status_code == 200
        answer = adsumo.delete(f"/products/{product}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
        assert adsumo.get(f"/products/{product}").status_code == 200

    def test_pages(self, adsumo: httpx.Client) -> None:
        for number in range(5):
            adsumo.post("/products", json=PRODUCT | {"name": f"P{number}"})
        page = adsumo.get("/products", params={"limit": 2, "offset": 3}).json()
        assert [product["name"] for product in page["data"]] == ["P3", "P4"]
        assert page["pagination"] == {"total": 5, "limit": 2, "offset": 3}
        assert adsumo.get("/products", params={"limit": 101}).status_code == 400


class TestAvatars:
    def test_the_platforms_are_listed_without_pages(self, adsumo: httpx.Client, media: httpx.Client) -> None:
        listed = adsumo.get("/avatars").json()
        assert set(listed) == {"data"}
        for avatar in listed["data"]:
            assert set(avatar) == {"id", "name", "thumbnail_url", "gender", "age_group", "avatar_type"}
            assert avatar["avatar_type"] == "platform"
            assert avatar["gender"] in ("male", "female")
        assert media.get(listed["data"][0]["thumbnail_url"]).headers["content-type"] == "image/png"

    def test_a_custom_one_is_made_listed_and_deleted(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        made = adsumo.post("/avatars/custom", json=AVATAR | {"description": "For demos"})
        assert made.status_code == 201
        avatar = made.json()
        assert set(avatar) == {"id", "name", "thumbnail_url", "avatar_type", "description", "created_at"}
        assert avatar["avatar_type"] == "custom"
        listed = adsumo.get("/avatars/custom").json()
        assert [found["id"] for found in listed] == [avatar["id"]]
        sandbox.settings(adsumo={"custom_avatars_shape": "data"})
        assert adsumo.get("/avatars/custom").json() == {"data": listed}
        assert adsumo.delete(f"/avatars/custom/{avatar['id']}").status_code == 204
        assert adsumo.delete(f"/avatars/custom/{avatar['id']}").status_code == 404
        assert sandbox.charges == []

    def test_one_in_use_cannot_be_deleted(self, adsumo: httpx.Client) -> None:
        avatar = adsumo.post("/avatars/custom", json=AVATAR).json()["id"]
        assert adsumo.post("/videos/talking-avatar", json=TALK | {"avatar_id": avatar}).status_code == 200
        answer = adsumo.delete(f"/avatars/custom/{avatar}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")

    @pytest.mark.parametrize("change", [{"name": "x" * 51}, {"name": None}, {"image_url": None}, {"image_url": "face"}])
    def test_what_breaks_a_rule_is_refused(self, adsumo: httpx.Client, change: dict[str, Any]) -> None:
        assert adsumo.post("/avatars/custom", json=AVATAR | change).status_code == 400
        assert adsumo.post("/avatars/custom", json=AVATAR | {"name": "x" * 50}).status_code == 201


class TestVoices:
    def test_pages(self, adsumo: httpx.Client) -> None:
        first = adsumo.get("/voices").json()
        assert (len(first["data"]), first["pagination"]["limit"]) == (20, 20)
        total = first["pagination"]["total"]
        assert total > 40
        rest = adsumo.get("/voices", params={"offset": 20, "limit": 100}).json()["data"]
        voices = first["data"] + rest
        assert len({voice["id"] for voice in voices}) == total
        names = {"id", "name", "gender", "age_group", "accent", "style", "preview_audio_url"}
        assert all(set(voice) == names for voice in voices)

    def test_filters(self, adsumo: httpx.Client) -> None:
        wanted = {"gender": "female", "accent": "british"}
        found = adsumo.get("/voices", params=wanted).json()
        assert found["pagination"]["total"] == len(found["data"]) > 0
        assert all(voice[name] == word for voice in found["data"] for name, word in wanted.items())

    @pytest.mark.parametrize("query", [{"gender": "f"}, {"age_group": "old"}, {"accent": "x"}, {"style": "loud"}])
    def test_an_unknown_word_is_refused(self, adsumo: httpx.Client, query: dict[str, str]) -> None:
        assert adsumo.get("/voices", params=query).status_code == 400

    def test_a_preview_can_be_heard(self, adsumo: httpx.Client, media: httpx.Client) -> None:
        preview = adsumo.get("/voices").json()["data"][0]["preview_audio_url"]
        assert media.get(preview).headers["content-type"] == "audio/mpeg"


def test_credits_are_used_limit_and_remaining(sandbox: Sandbox, adsumo: httpx.Client) -> None:
    sandbox.set_credits("adsumo", 450, limit=600)
    assert adsumo.get("/account/credits").json() == {
        "credits_used": 150,
        "credits_limit": 600,
        "credits_remaining": 450,
    }
    adsumo.post("/videos/ai-video", json={"prompt": "x", "model": "sora-2"})
    assert adsumo.get("/account/credits").json()["credits_used"] == 170
