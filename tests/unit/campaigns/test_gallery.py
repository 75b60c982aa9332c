# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is in the page; tests/browser shows what a person sees of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_provider_adgen.campaigns import build_manifest, render_gallery
from airflow_provider_adgen.campaigns.gallery import relative_link
from tests.support.creatives import creative, generation, item, result

HOSTILE = "</script><img src=x onerror=alert(1)><!--<script>\u2028\"'&amp;"


class Tags(HTMLParser):
    """Collects the tags of a page, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in {"script", "style"} and data.strip():
            self.raw.append((self.tags[-1][0], data))
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(*lines: tuple[Any, Any], base: str | None = "s3://ads/spring/run", run: Any = None, **about: Any) -> str:
    items, results = zip(*lines, strict=True)
    return render_gallery(build_manifest(run or {"dag_id": "spring"}, items, results, **about), base=base)


def header_of(page: str) -> str:
    return re.sub(r"<[^>]+>", " ", page.partition("<header>")[2].partition("</header>")[0])


def cards_of(page: str) -> list[dict[str, Any]]:
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)["cards"]


def made(key: str = "LMP/hero", uri: str = "s3://ads/spring/LMP/i.png", **fields: Any) -> tuple[Any, Any]:
    one = item(key, **fields)
    return one, result(one, "completed", generation("image", creative("image", uri)))


def test_a_card_says_what_was_asked_and_what_came_of_it() -> None:
    asked = {"kind": "ai-video", "prompt": "A lamp.", "model": "sora-2", "duration": 8}
    one = item("LMP/reel/9x16", request=asked, title="Lamp", format="9:16")
    told = generation("video", creative("video", "s3://ads/spring/LMP/v.mp4"), credits={"quoted": 0, "charged": 3})
    [card] = cards_of(page_of((one, result(one, "completed", told))))
    assert card == {
        "key": "LMP/reel/9x16",
        "brief": "reel",
        "format": "9:16",
        "kind": "video",
        "status": "completed",
        "origin": "made",
        "vendor": "adsumo",
        "conn_id": "adsumo_default",
        "product": "LMP",
        "title": "Lamp",
        "prompt": "A lamp.",
        "settings": "sora-2, 8 s",
        "choice": 1,
        "job": "job-video",
        "done": "2026-01-01T00:01:00+00:00",
        "credits": "0 quoted, 3 charged",
        "files": [
            {
                "kind": "video",
                "media_type": "video/x",
                "size": 12345,
                "sha256": "ab" * 32,
                "uri": "s3://ads/spring/LMP/v.mp4",
                "link": "../LMP/v.mp4",
            }
        ],
    }


def test_a_prompt_that_does_not_fit_ends_with_an_ellipsis() -> None:
    [card] = cards_of(page_of(made(request={"kind": "image", "prompt": "x" * 5000})))
    assert card["prompt"] == "x" * 1999 + "…"


def test_an_item_without_a_result_says_why() -> None:
    one = item("LMP/hero")
    [card] = cards_of(page_of((one, result(one, "refused", reason="No credits."))))
    assert (card["status"], card["reason"], "files" in card) == ("refused", "No credits.", False)


@pytest.mark.parametrize(
    ("uri", "base", "link"),
    [
        ("s3://ads/spring/a.png", "s3://ads/spring", "a.png"),
        ("s3://ads/spring/a.png", "s3://ads/spring/", "a.png"),
        ("s3://ads/spring/x/a b#1%?.png", "s3://ads/spring/run", "../x/a%20b%231%25%3F.png"),
        ("s3://other_conn@ads/a.png", "s3://aws_default@ads/spring/run", "../../a.png"),
        ("s3://ads/a.png", "s3://ads", "a.png"),
        ("file:///ads/c/a.png", "file:///ads", "c/a.png"),
        ("/ads/c/a.png", "file:///ads/run", "../c/a.png"),
        ("s3://ads/javascript:alert(1)", "s3://ads", "javascript%3Aalert%281%29"),
        ("s3://ads/%2e%2e/a.png", "s3://ads", "%252e%252e/a.png"),
        ("s3://ads/\\\\evil.example.com\\a", "s3://ads", "%5C%5Cevil.example.com%5Ca"),
        ("s3://ads/../secret/a.png", "s3://ads/spring", None),
        ("s3://ads/./a.png", "s3://ads", None),
        ("s3://ads//evil.example.com/a.png", "s3://ads", None),
        ("s3://ads/spring//a.png", "s3://ads/spring", None),
        ("s3://ads/spring/", "s3://ads/spring", None),
        ("s3://ads", "s3://ads", None),
        ("s3://other/a.png", "s3://ads", None),
        ("gs://ads/a.png", "s3://ads", None),
        ("https://evil.example.com/a.png", "s3://ads", None),
        ("javascript:alert(1)", "s3://ads", None),
        ("", "file:///ads", None),
    ],
)
def test_links_are_relative_or_there_is_none(uri: str, base: str, link: str | None) -> None:
    assert relative_link(uri, base) == link


def test_without_a_base_files_are_named_and_not_linked() -> None:
    [card] = cards_of(page_of(made(), base=None))
    [file] = card["files"]
    assert file["uri"] == "s3://ads/spring/LMP/i.png" and "link" not in file


def test_what_comes_from_outside_stays_text() -> None:
    one = item(
        f"{HOSTILE}/hero", request={"kind": "image", "prompt": HOSTILE}, conn_id=HOSTILE, title=HOSTILE, locale=HOSTILE
    )
    variant = {"hook": HOSTILE, "body": HOSTILE, "cta": HOSTILE, "hashtags": [HOSTILE]}
    told = generation(
        "copy",
        creative("archive", f"s3://ads/{HOSTILE.replace('/', '')}", media_type=HOSTILE),
        vendor=HOSTILE,
        variants=[variant],
    )
    page = page_of(
        (one, result(one, HOSTILE, told, reason=HOSTILE)),
        run={"dag_id": HOSTILE, "run_id": HOSTILE, HOSTILE: [HOSTILE]},
    )
    seen, harmless = Tags(page), Tags(page_of(made(), run={"dag_id": "a", "run_id": "b", "c": ["d"]}))
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in harmless.tags]
    assert not any(name.startswith("on") for _, attrs in seen.tags for name in attrs)
    assert HOSTILE in seen.text
    assert cards_of(page)[0]["title"] == HOSTILE
    assert "\u2028" not in page.partition('id="data">')[2]


def test_the_page_brings_all_it_runs_and_allows_nothing_else() -> None:
    page = page_of(made())
    seen = Tags(page)
    policy = next(meta["content"] for meta in seen.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == ["'none'"]
    assert rules.pop("media-src") == ["'self'", "file:"]
    assert rules.pop("img-src") == ["'self'", "file:", "data:"]
    parts = {tag: text for tag, text in seen.raw if not text.startswith('{"cards"')}
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(parts[tag].encode()).digest()).decode()
        assert rules.pop(f"{tag}-src") == [f"'sha256-{digest}'"]
        assert "://" not in parts[tag] and "url(" not in parts[tag] and "@import" not in parts[tag]
    assert rules == {}
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch(", "XMLHttp", "import("):
        assert word not in parts["script"].replace("there is no innerHTML", "")
    linked = [(name, value) for _, attrs in seen.tags for name, value in attrs.items()]
    assert [one for one in linked if one[0] in {"src", "href", "style"}] == [("href", "data:,")]


def test_credits_of_accounts_are_told_apart_and_unknown_ones_are_not_nothing() -> None:
    other = item("B/hero", conn_id="sume_default")
    lines = (made(), (other, result(other, "completed", generation("image", credits={"quoted": 1200, "charged": 0}))))
    text = header_of(page_of(*lines))
    assert re.search(r"adsumo_default\s+not told\s+not told\s+not told", text)
    assert re.search(r"sume_default\s+1,200\s+0\s+not told", text)


@pytest.mark.parametrize(
    ("estimated", "shown"), [(0, "1,100"), (1100, "1,100 (estimated)"), (1050, "1,100 (1,050 of them estimated)")]
)
def test_a_charge_that_no_vendor_told_is_shown_as_estimated(estimated: int, shown: str) -> None:
    sums = {"quoted": 1200, "charged": 1100, "refunded": 5, "estimated": estimated}
    text = " ".join(header_of(page_of(made(), credits={"adsumo_default": sums})).split())
    assert text.endswith(f"adsumo_default 1,200 {shown} 5")


def test_what_the_plan_left_out_is_listed_as_text_and_stays_short() -> None:
    assert "Left out" not in page_of(made())
    plan = {
        "catalogue": {"problems": [f"line {number} ({HOSTILE}): no title" for number in range(2, 32)]},
        "trimmed": [{"key": f"{HOSTILE}/hero", "reason": "it costs 1"}],
    }
    page = page_of(made(), plan=plan)
    seen = Tags(page)
    assert seen.text.count("): no title") == 20 and "and 10 more" in seen.text
    assert f"line 2 ({HOSTILE.replace(chr(0x2028), ' ')}): no title" in seen.text.replace("\u2028", " ")
    assert "30 problems with rows of the catalogue, 1 creative that does not fit into max_credits" in seen.text
    assert not seen.all("img") and len(seen.all("script")) == len(Tags(page_of(made())).all("script"))


def test_warnings_are_listed_as_text() -> None:
    assert "Warnings" not in page_of(made())
    old = build_manifest({"dag_id": "spring"}, [], [])
    del old["warnings"]
    assert "Warnings" not in render_gallery(old), "a manifest of an earlier version has none"
    seen = Tags(page_of(made(), plan={"catalogue": {"warnings": [f"{HOSTILE} is empty"] * 25, "warning_count": 30}}))
    assert "Warnings: 30" in seen.text and "and 10 more" in seen.text
    assert seen.text.count(" is empty") == 20
    assert not seen.all("img") and len(seen.all("script")) == len(Tags(page_of(made())).all("script"))


def test_the_same_manifest_gives_the_same_page_without_a_time_in_it() -> None:
    assert page_of(made()) == page_of(made())
