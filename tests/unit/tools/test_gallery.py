# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The page shows every kind of result, loads nothing from elsewhere, and is not fooled by what it shows."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tools.gallery import Section, gallery_page, local_path, section_of_task, sections_of_manifest


class Page(HTMLParser):
    """Collects the tags of a page, and checks that each is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def generation(kind: str, uri: str | None = None, **fields: Any) -> dict[str, Any]:
    creatives = [{"kind": kind, "uri": uri, "media_type": f"{kind}/x", "size": 12345, "sha256": "ab" * 32}]
    return {
        "vendor": "adsumo",
        "id": "job-1",
        "kind": kind,
        "credits": {"quoted": 2, "charged": 3, "refunded": None},
        "variants": [],
        "creatives": creatives if uri else [],
        **fields,
    }


def page(tmp_path: Path, *generations: dict[str, Any], heading: str = "Lamp") -> Page:
    sections = [Section(heading, ["89.00 EUR"], list(generations))]
    return Page(gallery_page("Campaign", [("Credits", "12")], sections, tmp_path))


def test_media_are_linked_relative_to_the_page(tmp_path: Path) -> None:
    stored = tmp_path / "creatives" / "a b#1%"
    seen = page(
        tmp_path,
        generation("image", f"file://{stored}/i.png"),
        generation("video", f"file://{stored}/v.mp4"),
        generation("audio", f"file://{stored}/a.mp3"),
        generation("archive", f"file://{stored}/z.zip"),
    )
    folder = "creatives/a%20b%231%25"
    assert [image["src"] for image in seen.all("img")] == [f"{folder}/i.png"]
    assert [video["src"] for video in seen.all("video")] == [f"{folder}/v.mp4#t=0.1"]
    assert [audio["src"] for audio in seen.all("audio")] == [f"{folder}/a.mp3"]
    assert [link["href"] for link in seen.all("a")] == [f"{folder}/i.png", f"{folder}/z.zip"]
    assert all("controls" in player for player in seen.all("video") + seen.all("audio"))


def test_what_was_made_is_described(tmp_path: Path) -> None:
    request = {"prompt": "A lamp.", "model": "sora-2", "duration": 8}
    text = page(tmp_path, generation("video", "/v.mp4", request=request)).text
    for said in ("A lamp.", "sora-2, 8 s", "2 quoted, 3 charged (credits)", "12,345 bytes", "ab" * 32, "adsumo job-1"):
        assert said in text


def test_everything_to_look_at_has_a_name(tmp_path: Path) -> None:
    seen = page(tmp_path, generation("image", "/i.png"), generation("video", "/v.mp4"), generation("audio", "/a.mp3"))
    assert seen.all("img")[0]["alt"] == "Image for Lamp"
    assert seen.all("video")[0]["aria-label"] == "Video for Lamp"
    assert seen.all("html") == [{"lang": "en"}]
    assert seen.all("section")[0]["aria-labelledby"] == seen.all("h2")[0]["id"]


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    seen = page(tmp_path, generation("image", f"file://{tmp_path}/i.png"), generation("image", "s3://bucket/i.png"))
    assert not seen.all("script") and not seen.all("link")
    assert all("://" not in str(value) for _, attrs in seen.tags for value in attrs.values())
    assert "url(" not in seen.text and "@import" not in seen.text
    assert "s3://bucket/i.png" in seen.text


def test_ad_copy_is_shown_and_nothing_in_it_becomes_markup(tmp_path: Path) -> None:
    variant = {"hook": "<script>x()</script>", "body": "Tea & time", "cta": "Buy", "hashtags": ["tea", "#oolong"]}
    seen = page(tmp_path, generation("copy", variants=[variant]), heading='<b onclick="x">"Lamp"</b>')
    assert not seen.all("script") and not seen.all("b")
    for said in ("<script>x()</script>", "Tea & time", "Buy", "#tea #oolong", '<b onclick="x">"Lamp"</b>'):
        assert said in seen.text


def test_an_untold_price_is_not_a_price_of_nothing(tmp_path: Path) -> None:
    assert "not told by the vendor" in page(tmp_path, generation("copy", credits={})).text
    assert "20 in the vendor's ledger (credits)" in page(tmp_path, generation("copy", credits={}, paid=20)).text


def test_sections_of_a_manifest_and_of_a_task() -> None:
    one = {"title": "Lamp", "brand": "", "price": "1 EUR", "id": "A-1", "generations": [generation("image")]}
    assert sections_of_manifest({"products": [one]}) == [Section("Lamp", ["1 EUR", "A-1"], one["generations"])]
    made = section_of_task("make", [generation("image", details={"prompt": "A lamp."})])
    assert (made.heading, made.notes, made.generations[0]["request"]) == ("make", ["adsumo"], {"prompt": "A lamp."})


@pytest.mark.parametrize(
    ("uri", "path"),
    [("file:///a/b c%20#d", "/a/b c%20#d"), ("/a/b", "/a/b"), ("s3://bucket/a", None), (None, None), ("", None)],
)
def test_only_files_of_this_machine_are_shown(uri: str | None, path: str | None) -> None:
    assert local_path(uri) == (Path(path) if path else None)
