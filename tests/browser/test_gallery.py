# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The gallery of a campaign, as it works in a browser: from a bucket and from a disk, with 5,000 items, on a phone."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest
from PIL import Image

from airflow_provider_adgen.campaigns import build_manifest, render_gallery
from airflow_provider_adgen.campaigns.media import read_all_media
from tests.support.creatives import creative, generation, item, result

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tools.browser import Page

HOSTILE = "</script><img src=x onerror=\"document.title='harmed'\"><b>bold</b>"
CARDS = "document.querySelectorAll('.card').length"
KEYS = "[...document.querySelectorAll('.card')].map((card) => card.dataset.key)"
COUNT = "document.getElementById('count').textContent"


def picture(width: int = 60, height: int = 60) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 120, 60)).save(file, "PNG")
    return file.getvalue()


def film() -> bytes:
    with tempfile.NamedTemporaryFile() as file:
        # A free codec: not every Chromium is built with others.
        with av.open(file.name, "w", format="webm") as container:
            stream: Any = container.add_stream("libvpx", rate=10)
            stream.width, stream.height, stream.pix_fmt = 90, 160, "yuv420p"
            for number in range(30):
                frame = av.VideoFrame.from_image(Image.new("RGB", (90, 160), (8 * number, 60, 60)))
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return Path(file.name).read_bytes()


def campaign(folder: Path) -> list[tuple[Any, Any]]:
    """Store the files of a small campaign; return its items with their results."""
    (folder / "LMP").mkdir()
    (folder / "LMP" / "i 1#.png").write_bytes(picture())
    (folder / "LMP" / "v.webm").write_bytes(film())
    lamp, reel = item("LMP/hero/1x1", title="Oak lamp", format="1:1"), item("LMP/reel", title="Oak lamp")
    again, text = item("MUG/hero/1x1", title="Mug", format="1:1"), item("MUG/text", title="Mug", conn_id="cutx_default")
    none = item("MUG/reel", title="Mug", conn_id="sume_default")
    image = generation("image", creative("image", f"file://{folder}/LMP/i 1#.png"))
    video = generation("video", creative("video", f"file://{folder}/LMP/v.webm"), vendor="sume")
    variants = [{"hook": "Mornings, slower.", "body": "A mug that waits.", "cta": "Buy", "hashtags": ["mug"]}]
    return [
        (lamp, result(lamp, "completed", image)),
        (reel, result(reel, "completed", video, conn_id="sume_default")),
        (again, result(again, "reused", image)),
        (text, result(text, "completed", generation("copy", vendor="cutx", variants=variants))),
        (none, result(none, "failed", reason="The vendor says: no such format.")),
    ]


def write(folder: Path, lines: list[tuple[Any, Any]], **options: Any) -> None:
    """Write the page into a folder below that of the files, as a campaign does."""
    items, results = zip(*lines, strict=True)
    uris = [one["uri"] for _, line in lines for one in (line["generation"] or {}).get("creatives", ())]
    there = [uri for uri in uris if Path(uri.removeprefix("file://")).exists()]
    manifest = build_manifest({"dag_id": "spring"}, items, results, media=read_all_media(there), **options)
    (folder / "run").mkdir()
    page = render_gallery(manifest, base=f"file://{folder}/run")
    (folder / "run" / "gallery.html").write_text(page, encoding="utf-8")


async def choose(page: Page, facet: str, value: str) -> None:
    await page.value(
        f"(() => {{ const one = document.getElementById('by-{facet}'); one.value = '{value}';"
        " one.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


async def look_for(page: Page, text: str) -> None:
    await page.value(
        f"(() => {{ const one = document.getElementById('search'); one.value = '{text}';"
        " one.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


@pytest.fixture
def small(bucket: tuple[Path, str]) -> str:
    folder, address = bucket
    write(folder, campaign(folder))
    return f"{address}/run/gallery.html"


async def test_filters_show_what_fits_all_of_them(small: str, open_page: Open) -> None:
    page = await open_page(small)
    assert await page.value(COUNT) == "5 items"
    await choose(page, "product", "MUG")
    assert await page.value(KEYS) == ["MUG/hero/1x1", "MUG/text", "MUG/reel"]
    await choose(page, "brief", "hero")
    assert (await page.value(KEYS), await page.value(COUNT)) == (["MUG/hero/1x1"], "1 of 5 items")
    await choose(page, "product", "")
    assert await page.value(KEYS) == ["LMP/hero/1x1", "MUG/hero/1x1"]
    await choose(page, "status", "reused")
    assert await page.value(KEYS) == ["MUG/hero/1x1"]
    await page.value("document.getElementById('reset').click()")
    await page.until(f"{CARDS} === 5")
    await choose(page, "vendor", "sume")
    assert await page.value(KEYS) == ["LMP/reel", "MUG/reel"]
    await choose(page, "status", "made")
    assert await page.value(KEYS) == ["LMP/reel"]
    await choose(page, "brief", "text")
    assert "Nothing fits" in await page.value("document.getElementById('grid').textContent")
    assert page.wrong == []


async def test_a_search_finds_titles_prompts_reasons_and_copy(small: str, open_page: Open) -> None:
    page = await open_page(small)
    for text, keys in (
        ("oak LAMP reel", ["LMP/reel"]),
        ("no such format", ["MUG/reel"]),
        ("waits", ["MUG/text"]),
        ("photo of mug", ["MUG/hero/1x1", "MUG/text", "MUG/reel"]),
    ):
        await look_for(page, text)
        await page.until(f"JSON.stringify({KEYS}) === JSON.stringify({keys})")


async def test_the_address_keeps_what_is_shown(small: str, open_page: Open) -> None:
    page = await open_page(small)
    await choose(page, "status", "reused")
    address = await page.value("location.href")
    again = await open_page(address)
    assert await again.value(KEYS) == ["MUG/hero/1x1"]
    assert await again.value("document.getElementById('by-status').value") == "reused"


async def test_copy_and_reasons_are_shown_as_text(small: str, open_page: Open) -> None:
    page = await open_page(small)
    text = "[...document.querySelectorAll('.card')].map((card) => card.querySelector('.stage').innerText)"
    shown = await page.value(text)
    assert "Mornings, slower." in shown[3] and "A mug that waits." in shown[3] and "#mug" in shown[3]
    assert shown[4] == "The vendor says: no such format."


@pytest.mark.parametrize("place", ["bucket", "disk"])
async def test_pictures_are_shown_and_a_video_plays(
    place: str, small: str, bucket: tuple[Path, str], open_page: Open
) -> None:
    page = await open_page(small if place == "bucket" else (bucket[0] / "run" / "gallery.html").as_uri())
    await page.until("document.querySelector('.card img').naturalWidth === 60")
    await page.until("document.querySelector('.card video').readyState >= 1")
    assert await page.value("document.querySelector('.card video').controls") is True
    await page.value("document.querySelector('.card video').play()")
    await page.until("document.querySelector('.card video').currentTime > 0.4")
    facts = await page.value("[...document.querySelectorAll('.card .facts')].map((one) => one.textContent)")
    assert facts[:2] == ["adsumo · 60 \u00d7 60", "sume · 90 \u00d7 160 · 3 s"]
    base = bucket[1] if place == "bucket" else bucket[0].as_uri()
    assert page.requested and all(url.startswith(base) for url in page.requested)
    assert page.wrong == []


async def test_one_creative_is_shown_large_with_all_there_is_to_know(small: str, open_page: Open) -> None:
    page = await open_page(small)
    await page.value("document.querySelector('.zoom').click()")
    await page.until("document.querySelector('dialog[open] img').naturalWidth === 60")
    text = await page.value("document.querySelector('dialog').innerText")
    for said in ("Oak lamp", "A photo of LMP.", "adsumo · adsumo_default", "job-image", "LMP/hero/1x1", "ab" * 32):
        assert said in text
    link = "document.querySelector('dialog a').href"
    assert await page.value(link) == small.replace("run/gallery.html", "LMP/i%201%23.png")
    await page.press("ArrowRight")
    await page.until("document.querySelector('dialog video')?.readyState >= 1")
    await page.press("ArrowLeft")
    await page.until("document.querySelector('dialog img')?.naturalWidth === 60")
    await page.press("Escape")
    await page.until("!document.querySelector('dialog').open && !document.querySelector('dialog img')")
    assert page.wrong == []


async def test_five_thousand_items_open_and_load_what_is_seen(bucket: tuple[Path, str], open_page: Open) -> None:
    folder, address = bucket
    (folder / "i").mkdir()
    data, lines = picture(), []
    for number in range(5000):
        one = item(f"P{number // 2}/{'hero' if number % 2 else 'wide'}", title=f"Product {number // 2}")
        uri = f"file://{folder}/i/{number}.png"
        if number < 200 or number >= 4998:
            (folder / "i" / f"{number}.png").write_bytes(data)
        lines.append((one, result(one, "completed", generation("image", creative("image", uri)))))
    write(folder, lines)
    page = await open_page(f"{address}/run/gallery.html")
    assert await page.value(COUNT) == "5,000 items"
    await page.until("document.querySelector('.card img').naturalWidth === 60")
    assert await page.value(CARDS) == 48
    assert len(page.requested) < 50
    assert await page.value("document.getElementById('by-product').options.length") == 2501
    await look_for(page, "product 2499")
    await page.until(f"{CARDS} === 2")
    await look_for(page, "")
    await page.until(f"{CARDS} === 48")
    await page.value("document.querySelector('.pager button:last-child').click()")
    assert (await page.value(KEYS))[0] == "P24/wide"
    assert await page.value("document.querySelector('.pager button').disabled") is False
    assert page.wrong == []


async def test_hostile_text_stays_text_and_no_request_leaves_the_page(
    bucket: tuple[Path, str], open_page: Open
) -> None:
    folder, address = bucket
    one = item("X/hero", request={"kind": "image", "prompt": HOSTILE}, title=HOSTILE, locale=HOSTILE, conn_id=HOSTILE)
    two = item("Y/hero", title="constructor")
    variants = [{"hook": HOSTILE, "body": HOSTILE, "cta": HOSTILE, "hashtags": [HOSTILE]}]
    files = [
        creative("image", "s3://elsewhere/i.png"),
        creative("archive", "javascript:document.title='harmed'"),
        creative("video", "file:////evil.example.com/v.mp4"),
    ]
    lines = [
        (one, result(one, HOSTILE, generation("copy", *files, vendor=HOSTILE, variants=variants), reason=HOSTILE)),
        (two, result(two, "constructor", generation("image", files[1]))),
    ]
    write(folder, lines)
    page = await open_page(f"{address}/run/gallery.html")
    title = await page.value("document.title")
    for number in (1, 2):
        await page.value(f"document.querySelector('.card:nth-child({number}) .plain').click()")
        await page.until("document.querySelector('dialog').open")
        assert await page.value("document.querySelectorAll('b:not(.tiles b)').length") == 0
        assert await page.value("document.querySelectorAll('img, video, a').length") == 0
        await page.press("Escape")
        await page.until("!document.querySelector('dialog').open")
    assert HOSTILE in await page.value("document.querySelector('.card h2').textContent")
    assert await page.value("[...document.querySelectorAll('.badge')].map((one) => one.textContent)") == [
        HOSTILE,
        "constructor",
    ]
    assert await page.value("document.title") == title
    assert page.requested == [f"{address}/run/gallery.html"]
    assert page.wrong == []


async def test_the_header_tells_what_is_estimated_and_what_was_left_out(
    bucket: tuple[Path, str], open_page: Open
) -> None:
    folder, address = bucket
    credits_ = {"adsumo_default": {"quoted": 2, "charged": 2, "refunded": 0, "estimated": 2}}
    problems = [f"line {number} (P-{number}): {HOSTILE}" for number in range(2, 30)]
    write(folder, campaign(folder), credits=credits_, plan={"catalogue": {"problems": problems}})
    page = await open_page(f"{address}/run/gallery.html", width=390, height=844)
    title = await page.value("document.title")
    opened = "(() => { for (const one of document.querySelectorAll('header details')) one.open = true; })()"
    assert HOSTILE not in await page.value("document.querySelector('header').innerText"), "it is closed at first"
    await page.value(opened)
    text = await page.value("document.querySelector('header').innerText")
    assert "2 (estimated)" in text and "Left out: 28 problems with rows of the catalogue" in text
    assert f"line 2 (P-2): {HOSTILE}" in text and "and 8 more" in text
    assert await page.value("document.querySelectorAll('.left-out li').length") == 20
    assert await page.value("document.querySelectorAll('.left-out b, .left-out img').length") == 0
    assert await page.value("document.documentElement.scrollWidth <= innerWidth")
    assert await page.value("document.title") == title
    assert page.wrong == []


async def test_a_file_that_is_gone_is_named(bucket: tuple[Path, str], open_page: Open) -> None:
    folder, address = bucket
    lines = campaign(folder)
    write(folder, lines)
    (folder / "LMP" / "i 1#.png").unlink()
    page = await open_page(f"{address}/run/gallery.html")
    await page.until("document.querySelector('.card .stage').innerText.includes('could not be loaded')")
    assert "i 1#.png" in await page.value("document.querySelector('.card .stage').innerText")


async def test_it_is_usable_on_a_phone(small: str, open_page: Open) -> None:
    page = await open_page(small, width=390, height=844)
    assert await page.value("matchMedia('(max-width: 48rem)').matches") is True
    assert await page.value("document.documentElement.scrollWidth") == 390
    assert await page.value("document.getElementById('search').clientWidth") > 200
    shown = "getComputedStyle(document.getElementById('facets')).display"
    assert await page.value(shown) == "none"
    await page.value("document.getElementById('toggle').click()")
    assert await page.value(shown) == "grid"
    await choose(page, "brief", "hero")
    assert (await page.value(KEYS), await page.value(COUNT)) == (["LMP/hero/1x1", "MUG/hero/1x1"], "2 of 5 items")
    assert await page.value("document.getElementById('toggle').textContent") == "Filters (1)"
    small_targets = (
        "[...document.querySelectorAll('button, select, input')].filter((one) => one.offsetParent !== null)"
        ".map((one) => one.getBoundingClientRect()).filter((box) => box.height < 32 || box.width < 32).length"
    )
    assert await page.value(small_targets) == 0
    await page.value("document.querySelector('.zoom').click()")
    await page.until("document.querySelector('dialog[open] img').naturalWidth === 60")
    assert await page.value("document.querySelector('dialog').scrollWidth") <= 390
    assert await page.value("document.documentElement.scrollWidth") == 390
    assert page.wrong == []


async def test_a_rejected_one_is_told_apart(bucket: tuple[Path, str], open_page: Open) -> None:
    folder, address = bucket
    write(folder, campaign(folder), approvals={"LMP/hero/1x1": False, "LMP/reel": True, "MUG/reel": False})
    page = await open_page(f"{address}/run/gallery.html")
    await choose(page, "review", "rejected")
    assert await page.value(KEYS) == ["LMP/hero/1x1", "MUG/reel"]
    badges = "[...document.querySelectorAll('.card .badge')].map((one) => one.textContent)"
    assert await page.value(badges) == ["rejected", "failed"]
