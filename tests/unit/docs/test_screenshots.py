# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of the pages: each page shows what exists, with words beside it, and what the script takes is shown."""

from __future__ import annotations

import io
import random
import re
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("aiohttp", reason="pictures are taken with the newest Airflow's environment only")

from tools.screenshots import LARGEST, SHOTS, TARGET, ScreenshotsFailed, small

DOCS = Path(__file__).resolve().parents[3] / "docs"
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
SHOWN = [
    pytest.param(page, alt, name, id=f"{page.name}-{name}")
    for page in sorted(DOCS.glob("*.md"))
    for alt, name in IMAGE.findall(page.read_text(encoding="utf-8"))
]
FILES = sorted(TARGET.glob("*"))


@pytest.mark.parametrize(("page", "alt", "name"), SHOWN)
def test_a_picture_that_a_page_shows_exists_and_has_words_for_who_cannot_see_it(
    page: Path, alt: str, name: str
) -> None:
    assert (page.parent / name).is_file()
    assert len(alt.split()) >= 3


def test_every_screenshot_is_one_of_the_scripts_and_is_shown() -> None:
    shown = {param.values[2] for param in SHOWN}
    assert {file.name for file in FILES} == {f"{shot.name}.png" for shot in SHOTS}
    assert {f"_static/screenshots/{file.name}" for file in FILES} <= shown


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_screenshot_is_small_and_says_nothing_beside_what_it_shows(file: Path) -> None:
    assert file.stat().st_size <= LARGEST
    with Image.open(file) as image:
        assert image.format == "PNG"
        assert image.width <= 1280
        assert image.info == {}, "no time, no author, no program"


def png(width: int, height: int, *, noise: bool = False) -> bytes:
    image = Image.new("RGB", (width, height), (20, 120, 60))
    if noise:
        image.frombytes(random.Random(7).randbytes(width * height * 3))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("size", "width", "wanted"),
    [((1280, 800), 1280, (1280, 800)), ((2560, 1000), 1280, (1280, 500)), ((780, 1688), 390, (390, 844))],
)
def test_a_picture_is_made_as_narrow_as_its_window(size: tuple[int, int], width: int, wanted: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(small(png(*size), width))) as image:
        assert (image.size, image.mode, image.getpixel((0, 0))) == (wanted, "RGB", (20, 120, 60))


def test_a_large_picture_loses_colours() -> None:
    with Image.open(io.BytesIO(small(png(300, 300, noise=True), 1280))) as image:
        assert image.mode == "P"


def test_a_picture_that_stays_large_is_refused() -> None:
    with pytest.raises(ScreenshotsFailed, match=f"more than {LARGEST}"):
        small(png(1000, 700, noise=True), 1280)
