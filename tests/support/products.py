# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A product of a shop, as a catalogue gives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class ShopRow:
    """What a plan reads of a product."""

    id: str = "LMP-014"
    title: str = "Desk lamp"
    description: str = "A small lamp."
    link: str = "https://shop.example/desk-lamp"
    image_link: str = "https://shop.example/desk-lamp.jpg"
    price: Decimal | None = Decimal("29.90")
    currency: str | None = "EUR"
    brand: str = "Lumo"
    product_type: str = "Lamps"
    line: int = 2
    extra: dict[str, Any] = field(default_factory=dict)
