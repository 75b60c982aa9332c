# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A product of a shop, as its feed describes it. Vendors make requests of it; ``campaigns`` reads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Product:
    """
    One product of a catalogue. Texts are plain text: HTML was removed. A text that the feed lacks is empty.

    :param id: the product's own id, as the feed writes it (``00123`` and ``1e5`` stay so); unique in its catalogue.
    :param title: its name, in one line.
    :param description: what it is; paragraphs are lines.
    :param link: its page; empty, or an http or https address.
    :param image_link: its main picture; empty, or an http or https address. Further pictures are in ``extra``, as
        ``additional_image_link``, separated by a comma and a space.
    :param price: the price, None where the feed gives none.
    :param currency: the code of the price's currency, as in ISO 4217; None without a price, or where neither the feed
        nor the caller names one.
    :param brand: its brand.
    :param product_type: the shop's own category.
    :param line: the line of the file on which the product begins; the header is line 1.
    :param extra: the values of all other columns, by the names that the feed gives them. An empty value is an empty
        text.
    :param lacks: the fields that the row does not have at all, not even empty: what names them in a brief is refused.
        Nothing for a product that was not read of a feed.
    """

    id: str
    title: str
    description: str = ""
    link: str = ""
    image_link: str = ""
    price: Decimal | None = None
    currency: str | None = None
    brand: str = ""
    product_type: str = ""
    line: int = 0
    extra: dict[str, str] = field(default_factory=dict)
    lacks: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the product as JSON, for XCom and the manifest. The price is a text: ``"29.90"``."""
        told = {**asdict(self), "price": None if self.price is None else str(self.price)}
        del told["lacks"]
        return told
