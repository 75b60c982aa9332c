# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo: products, avatars, voices and credits."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.adsumo.catalogue import ACCENTS, AGE_GROUPS, AVATARS, GENDERS, STYLES, VOICES
from airflow_provider_adgen.sandbox.adsumo.generations import listed, page_of
from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.checks import query_choice
from airflow_provider_adgen.sandbox.engine.clock import iso

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.documents import Document

VOICE_FILTERS = {"gender": GENDERS, "age_group": AGE_GROUPS, "accent": ACCENTS, "style": STYLES}


def _product(call: Call, document: Document, image_field: str) -> dict[str, Any]:
    data = document.data
    chosen = call.setting("product_image_field")
    return {
        "id": document.id,
        "name": data["name"],
        "description": data["description"],
        "category": data["category"],
        image_field if chosen == "documented" else chosen: data["image_url"],
        "price": data["price"],
        "currency": data["currency"],
        "link": data["link"],
        "created_at": iso(document.created),
    }


def list_products(call: Call) -> Answer:
    """GET /products: the image is in ``image_url``."""
    limit, offset = page_of(call.query)
    found = call.documents("product", limit=limit, offset=offset)
    total = call.state.documents.count(call.vendor.name, call.account.id, "product")
    return listed([_product(call, product, "image_url") for product in found], total, limit, offset)


def create_product(call: Call) -> Answer:
    """POST /products: the image is in ``image_path``, as the page shows."""
    fields = call.fields()
    data = {
        "name": fields.needed("name"),
        "description": fields.needed("description"),
        "category": fields.needed("category"),
        "image_url": fields.address("image_url", required=True),
        "price": fields.number("price", least=0),
        "currency": fields.text("currency") or "USD",
        "link": fields.address("link"),
    }
    if not re.fullmatch(r"[A-Za-z]{3}", str(data["currency"])):
        raise Invalid("currency", "must be an ISO 4217 code such as USD")
    call.checked()
    product = call.store("product", str(uuid.uuid4()), data)
    return Answer(201, _product(call, product, "image_path"))


def get_product(call: Call) -> Answer:
    """GET /products/{id}."""
    return Answer(200, _product(call, call.document("product", call.params["id"], "Product not found"), "image_url"))


def _used(call: Call, name: str, value: str) -> bool:
    return bool(
        call.state.store.number(
            "SELECT count(*) FROM jobs WHERE vendor = ? AND account = ? AND json_extract(request, ?) = ?",
            (call.vendor.name, call.account.id, f"$.{name}", value),
        )
    )


def delete_product(call: Call) -> Answer:
    """DELETE /products/{id}."""
    product = call.document("product", call.params["id"], "Product not found")
    if _used(call, "product_id", product.id) or _used(call, "avatar_id", product.id):
        raise Refusal(409, "Product has associated generations. Delete those generations first.")
    call.state.documents.delete(call.vendor.name, "product", product.id)
    return Answer(204)


def list_avatars(call: Call) -> Answer:
    """GET /avatars: not paginated, in ``data``."""
    return Answer(
        200,
        {
            "data": [
                {
                    "id": avatar_id,
                    "name": avatar["name"],
                    "thumbnail_url": call.picture("avatar", f"{avatar['name']}.png"),
                    "gender": avatar["gender"],
                    "age_group": avatar["age_group"],
                    "avatar_type": "platform",
                }
                for avatar_id, avatar in AVATARS.items()
            ]
        },
    )


def _custom_avatar(call: Call, document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "name": document.data["name"],
        "thumbnail_url": document.data["image_url"],
        "avatar_type": "custom",
        "description": document.data["description"],
        "created_at": iso(document.created),
    }


def list_custom_avatars(call: Call) -> Answer:
    """GET /avatars/custom: "an array", bare or in ``data`` as a setting decides."""
    found = call.documents("avatar")
    shown = [{**_custom_avatar(call, avatar), "gender": "female", "age_group": "adult"} for avatar in found]
    return Answer(200, shown if call.setting("custom_avatars_shape") == "array" else {"data": shown})


def create_custom_avatar(call: Call) -> Answer:
    """POST /avatars/custom. No price is documented; it is free here."""
    fields = call.fields()
    data = {
        "name": fields.needed("name", longest=50),
        "image_url": fields.address("image_url", required=True),
        "description": fields.text("description"),
    }
    call.checked()
    avatar = call.store("avatar", str(uuid.uuid4()), data)
    return Answer(201, _custom_avatar(call, avatar))


def delete_custom_avatar(call: Call) -> Answer:
    """DELETE /avatars/custom/{id}."""
    avatar = call.document("avatar", call.params["id"], "Avatar not found")
    if _used(call, "avatar_id", avatar.id):
        raise Refusal(409, "Avatar is in use by one or more video generations.")
    call.state.documents.delete(call.vendor.name, "avatar", avatar.id)
    return Answer(204)


def list_voices(call: Call) -> Answer:
    """GET /voices, with its four filters."""
    limit, offset = page_of(call.query)
    wanted = {name: query_choice(call.query, name, choices) for name, choices in VOICE_FILTERS.items()}
    found = [
        {"id": voice_id, **voice, "preview_audio_url": call.picture("voice", f"{voice['name'].replace(' ', '-')}.mp3")}
        for voice_id, voice in VOICES.items()
        if all(word in (None, voice[name]) for name, word in wanted.items())
    ]
    return listed(found[offset : offset + limit], len(found), limit, offset)


def get_credits(call: Call) -> Answer:
    """GET /account/credits."""
    account = call.account
    return Answer(
        200,
        {
            "credits_used": account.credit_limit - account.balance,
            "credits_limit": account.credit_limit,
            "credits_remaining": account.balance,
        },
    )
