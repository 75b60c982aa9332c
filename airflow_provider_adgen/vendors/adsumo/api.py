# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo's endpoints below ``https://www.adsumo.ai/api/v1``, one function each (page Resources where not said)."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from airflow_provider_adgen.core.calls import Answer, Call, Emit, Sequence, nothing
from airflow_provider_adgen.core.endpoint import Endpoint, row_of
from airflow_provider_adgen.core.reading import Answered, other_fields, unwrapped
from airflow_provider_adgen.core.requests import Number, Text, WebUrl, checked
from airflow_provider_adgen.core.vocabulary import CreditBalance
from airflow_provider_adgen.vendors.adsumo.models import (
    Avatar,
    Balance,
    GenerationItem,
    Pagination,
    Product,
    Voice,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = "adsumo"
endpoint = partial(Endpoint, NAME)
PAGE = 100
"""The largest page Adsumo answers."""

M = TypeVar("M", bound=Answered)


def _upper_case(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


Limit = Annotated[int, Field(ge=1, le=100)]
Offset = Annotated[int, Field(ge=0)]
Price = Annotated[Number, Field(ge=0)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$"), BeforeValidator(_upper_case)]
AvatarName = Annotated[str, Field(min_length=1, max_length=50)]
Accent = Literal["american", "british", "french", "danish", "swedish", "german", "norwegian", "spanish", "neutral"]


def pages(path: str, read: Callable[[Any, Endpoint], Any], query: Mapping[str, Any]) -> Sequence[None]:
    """
    Emit every item of a list, page after page.

    :param read: turns a row into an item.
    """
    at, offset = endpoint(f"GET {path}"), query["offset"]

    def parse(answer: Answer) -> tuple[list[Any], Pagination]:
        value = at.json(answer)
        items = [read(row, at) for row in at.rows(value)]
        told = value.get("pagination") if isinstance(value, dict) else None
        return items, at.model(Pagination, told if isinstance(told, dict) else {})

    while True:
        items, page = yield at.call(parse, query={**query, "offset": offset})
        yield Emit(items)
        offset += len(items)
        # The total is the vendor's word; a page that is not full ends the list where it gives none.
        if not items or (offset >= page.total if page.total is not None else len(items) < query["limit"]):
            return


def list_products(*, limit: Limit = PAGE, offset: Offset = 0) -> Sequence[None]:
    """
    Iterate over the account's products, all pages. ``GET /products``.

    :param limit: products per request, 1 to 100.
    :param offset: products to skip.
    """
    return pages("/products", row_of(Product), checked(list_products, locals()))


def create_product(
    *,
    name: Text,
    description: Text,
    category: Text,
    image_url: WebUrl,
    price: Price | None = None,
    currency: Currency | None = None,
    link: WebUrl | None = None,
    idempotency_key: str | None = None,
) -> Call[Product]:
    """
    Create a product. ``POST /products``; carries a key, so that repeating it makes no second one.

    Whether it costs credits is not documented.

    :param name: its name.
    :param description: what it is.
    :param category: for example ``Electronics``.
    :param image_url: a public image of at most 10 MB.
    :param price: its price.
    :param currency: ISO 4217 (the vendor's default is ``USD``).
    :param link: its page.
    :param idempotency_key: one that a later call may repeat within 24 hours; by default each call has its own.
    :raises InvalidRequest: a field breaks a documented rule.
    """
    return _create("/products", checked(create_product, locals()), Product)


def _create(path: str, body: dict[str, Any], model: type[M]) -> Call[M]:
    headers = {"Idempotency-Key": body.pop("idempotency_key", None) or str(uuid.uuid4())}
    return endpoint(f"POST {path}").get(model, body=body, headers=headers, repeatable=True)


def get_product(product_id: str) -> Call[Product]:
    """
    Read one product. ``GET /products/{id}``.

    :param product_id: UUID of the product.
    :raises NotFound: it does not exist or is another team's.
    """
    return endpoint("GET /products/{id}").get(Product, product_id)


def delete_product(product_id: str) -> Call[None]:
    """
    Delete a product. ``DELETE /products/{id}``.

    :param product_id: UUID of the product.
    :raises NotFound: it does not exist or is another team's.
    :raises Conflict: it has generations; Adsumo documents no endpoint that deletes those.
    """
    return endpoint("DELETE /products/{id}").call(nothing, product_id)


def _avatars(path: str) -> Sequence[None]:
    at = endpoint(f"GET {path}")
    # The page of custom avatars says "an array"; platform avatars come in "data".
    items = yield at.call(lambda answer: [at.model(Avatar, row) for row in at.rows(at.json(answer))])
    yield Emit(items)


def list_avatars() -> Sequence[None]:
    """Iterate over the platform's avatars. ``GET /avatars``; the vendor documents no pages."""
    return _avatars("/avatars")


def list_custom_avatars() -> Sequence[None]:
    """Iterate over the team's own avatars. ``GET /avatars/custom``; the vendor documents no pages."""
    return _avatars("/avatars/custom")


def create_custom_avatar(
    *, name: AvatarName, image_url: WebUrl, description: Text | None = None, idempotency_key: str | None = None
) -> Call[Avatar]:
    """
    Create an avatar from a picture of a face. ``POST /avatars/custom``; whether it costs credits is not documented.

    :param name: at most 50 characters.
    :param image_url: a public image of a face, at most 10 MB.
    :param description: what it is.
    :param idempotency_key: one that a later call may repeat within 24 hours; by default each call has its own.
    :raises InvalidRequest: a field breaks a documented rule.
    """
    return _create("/avatars/custom", checked(create_custom_avatar, locals()), Avatar)


def delete_custom_avatar(avatar_id: str) -> Call[None]:
    """
    Delete a custom avatar. ``DELETE /avatars/custom/{id}``.

    :param avatar_id: UUID of the avatar.
    :raises NotFound: it does not exist or is another team's.
    :raises Conflict: a video generation uses it.
    """
    return endpoint("DELETE /avatars/custom/{id}").call(nothing, avatar_id)


def list_voices(
    *,
    gender: Literal["male", "female", "other"] | None = None,
    age_group: Literal["kid", "young_adult", "adult", "senior"] | None = None,
    accent: Accent | None = None,
    style: Literal["professional", "casual", "energetic", "whisper", "speaker"] | None = None,
    limit: Limit = PAGE,
    offset: Offset = 0,
) -> Sequence[None]:
    """
    Iterate over voices, all pages. ``GET /voices`` (page Voiceovers).

    :param limit: voices per request, 1 to 100.
    :param offset: voices to skip.
    :raises InvalidRequest: a filter is not one of those.
    """
    return pages("/voices", row_of(Voice), checked(list_voices, locals()))


def generation_item(generation_id: str) -> Call[GenerationItem]:
    """Read one generation as the vendor shows it. ``GET /generations/{id}``."""
    return endpoint("GET /generations/{id}").get(GenerationItem, generation_id)


def get_credits() -> Call[CreditBalance]:
    """Ask for the team's credits. ``GET /account/credits``."""
    at = endpoint("GET /account/credits")

    def parse(answer: Answer) -> CreditBalance:
        told = at.model(Balance, unwrapped(at.object(answer)))
        return CreditBalance(
            remaining=told.credits_remaining,
            used=told.credits_used,
            limit=told.credits_limit,
            details=other_fields(told),
        )

    return at.call(parse)
