# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Drawing pictures."""

from __future__ import annotations

import colorsys
import io
import textwrap
import unicodedata
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps

from airflow_provider_adgen.sandbox.media.artwork import Artwork, size_of

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

Colour = tuple[int, int, int]


def numbers(seed: str) -> bytes:
    """Return 32 numbers (0 to 255) that follow from a seed."""
    return sha256(seed.encode()).digest()


def colours(seed: str) -> tuple[Colour, Colour]:
    """Return a dark and a lighter colour that go together."""
    hue, shift = numbers(seed)[0] / 255, numbers(seed)[1] / 255 * 0.2 + 0.08

    def colour(hue: float, saturation: float, value: float) -> Colour:
        red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
        return round(red * 255), round(green * 255), round(blue * 255)

    return colour(hue, 0.75, 0.30), colour(hue + shift, 0.65, 0.80)


@lru_cache(maxsize=16)
def _font(size: int) -> FreeTypeFont | BitmapFont:
    return ImageFont.load_default(size=size)


def _drawable(text: str) -> str:
    # The one font that comes with Pillow has no accented letters: é is drawn as e rather than as a box.
    return "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))


def _lines(draw: ImageDraw.ImageDraw, text: str, font: FreeTypeFont | BitmapFont, width: int, most: int) -> list[str]:
    columns = max(1, int(width / draw.textlength("n", font=font)))
    return textwrap.wrap(_drawable(text), columns, max_lines=most, placeholder=" ...")


def draw(artwork: Artwork) -> Image.Image:
    """Draw an artwork: a coloured ground, its title, its text, and the product as a labelled box."""
    width, height = size_of(artwork.ratio, artwork.short_side)
    dark, light = colours(artwork.seed or artwork.text)
    # A small gradient is enlarged: it looks the same as a large one and takes a fraction of the time.
    ground = Image.linear_gradient("L").resize((width, height))
    image = ImageOps.colorize(ground, dark, light)
    pen = ImageDraw.Draw(image)
    unit = min(width, height)
    margin, title_size, text_size = unit // 18, max(10, unit // 22), max(12, unit // 14)
    pen.text((margin, margin), _drawable(artwork.title), font=_font(title_size), fill=(255, 255, 255))
    top = margin + title_size * 2
    box_top = height
    if artwork.product:
        box_top = round(height * 0.68)
        box = (margin * 2, box_top, width - margin * 2, height - margin * 2)
        pen.rounded_rectangle(box, radius=margin, fill=light, outline=(255, 255, 255), width=2)
        label = _lines(pen, artwork.product, _font(text_size), box[2] - box[0] - margin, 2)
        pen.multiline_text(
            (box[0] + margin // 2, box[1] + margin // 2), "\n".join(label), font=_font(text_size), fill=dark
        )
    room = max(1, (box_top - top - margin) // round(text_size * 1.35))
    lines = _lines(pen, artwork.text, _font(text_size), width - 2 * margin, room)
    pen.multiline_text((margin, top), "\n".join(lines), font=_font(text_size), fill=(255, 255, 255))
    return image


def png(artwork: Artwork) -> bytes:
    """Return an artwork as a PNG file."""
    buffer = io.BytesIO()
    draw(artwork).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
