# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The gallery of a campaign: one static page that shows what its manifest holds.

The page has its script, its style and its data in it, and its policy lets it load nothing but the stored files. The
data is JSON in an inert block, and the script writes it to the page as text alone: nothing that comes from a feed, a
prompt or a vendor becomes markup. Link targets are made here, and only relative ones.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_adgen.core.vocabulary import estimate_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PROMPTS = ("prompt", "script", "concept", "text")
_SETTINGS = ("model", "aspect_ratio", "resolution", "duration", "voice", "tone", "platform")
_SUMS = ("quoted", "charged", "refunded")
_LONGEST_PROMPT = 2000
_MOST_REASONS = 20
"""Reasons for what was left out that are shown of each sort."""
_SHOWN = ("key", "brief", "locale", "format", "kind", "status", "reason", "origin", "approved", "vendor", "conn_id")
_FILE = ("kind", "media_type", "size", "sha256", "width", "height", "seconds", "uri")


def render_gallery(manifest: Mapping[str, Any], *, base: str | None = None) -> str:
    """
    Return the page as HTML.

    It can be kept in a bucket or on a disk, moved together with its files, or sent as an archive. It needs no server
    and no network. With many creatives it shows a page of them at a time, and loads a file when it comes into view.

    :param manifest: what :func:`.build_manifest` returned.
    :param base: the folder that the page is kept in, as ``ObjectStoragePath`` takes it. A file in the same bucket, or
        on the same disk, is linked relative to it, and shown. Other files, and all files without *base*, are named by
        their uri only.
    """
    run = manifest["run"]
    title = str(run.get("dag_id") or "Campaign")
    style, script = _part("gallery.css"), _part("gallery.js")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file: data:; media-src 'self' file:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    data = {"cards": [_card(entry, base) for entry in manifest["items"]]}
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        # Else a browser asks the server for an icon.
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)} · gallery</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{_header(title, manifest)}"
        '<noscript><p class="note">This page needs JavaScript. The same is in manifest.json.</p></noscript>\n'
        f"{_BODY}"
        f'<script type="application/json" id="data">{_inert(data)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


_BODY = """<form class="bar" id="bar" role="search" aria-label="Filter the creatives">
<input type="search" id="search" placeholder="Search titles, prompts, keys" aria-label="Search" autocomplete="off">
<button type="button" id="toggle" aria-expanded="false" aria-controls="facets">Filters</button>
<div id="facets"></div>
<p id="count" role="status"></p>
<button type="reset" id="reset" hidden>Clear</button>
</form>
<main id="grid" tabindex="-1"></main>
<nav class="pager" id="pager" aria-label="Pages"></nav>
<dialog id="details" tabindex="-1" aria-labelledby="details-title"></dialog>
"""


def _header(title: str, manifest: Mapping[str, Any]) -> str:
    totals, run = manifest["totals"], manifest["run"]
    numbers = [("made", totals["made"]), ("reused", totals["reused"]), ("without a result", totals["missing"])]
    tiles = "".join(
        f'<li class="{word.split()[0]}"><b>{count:,}</b> {word}</li>'
        for word, count in numbers
        if count or word == "made"
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(str(conn_id))}</th>{_cells("td", (_credit(sums, name) for name in _SUMS))}</tr>'
        for conn_id, sums in manifest["credits"].items()
    )
    table = (
        '<section><h2>Credits by account</h2><table><thead><tr><th scope="col">Account</th>'
        f"{_cells('th', _SUMS)}</tr></thead><tbody>{rows}</tbody></table></section>"
    )
    facts = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(_text(value))}</dd>" for name, value in run.items())
    return (
        f'<header><div><h1 dir="auto">{escape(title)}</h1><p class="run">{escape(_text(run.get("run_id") or ""))}</p>'
        f'</div><ul class="tiles">{tiles}</ul>'
        f'<details class="facts"><summary>Run and credits</summary><div><section><h2>Run</h2><dl>{facts}</dl></section>'
        f"{table if rows else ''}</div></details>{_left_out(manifest['skipped'])}"
        f"{_warned(manifest.get('warnings') or {})}</header>\n"
    )


def _left_out(skipped: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what the plan left out, and why: text alone."""
    rows, creatives = skipped["rows"], skipped["creatives"]
    sorts = [
        (rows["problems"], f"problem{'s' * (rows['problems'] != 1)} with rows of the catalogue", rows["reasons"]),
        (
            creatives["count"],
            "creative that does not fit into max_credits"
            if creatives["count"] == 1
            else "creatives that do not fit into max_credits",
            creatives["reasons"],
        ),
    ]
    found = [one for one in sorts if one[0]]
    if not found:
        return ""
    sections = "".join(_section(what, count, reasons) for count, what, reasons in found)
    said = ", ".join(f"{count:,} {what}" for count, what, _ in found)
    return f'<details class="facts left-out"><summary>Left out: {said}</summary><div>{sections}</div></details>'


def _warned(warnings: Mapping[str, Any]) -> str:
    """Return what the plan and the catalogue warn of: text alone."""
    if not warnings.get("count"):
        return ""
    section = _section("plan and catalogue", warnings["count"], warnings["texts"])
    summary = f"<summary>Warnings: {warnings['count']:,}</summary>"
    return f'<details class="facts left-out">{summary}<div>{section}</div></details>'


def _section(what: str, count: int, texts: Sequence[str]) -> str:
    lines = "".join(f'<li dir="auto">{escape(text)}</li>' for text in texts[:_MOST_REASONS])
    more = f"<p>and {count - _MOST_REASONS:,} more</p>" if count > _MOST_REASONS else ""
    return f"<section><h2>{what[0].upper()}{what[1:]}</h2><ul>{lines}</ul>{more}</section>"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{text}</{tag}>" for text in texts)


def _credit(sums: Mapping[str, Any], name: str) -> str:
    if sums.get(name) is None:
        return "not told"
    mark = estimate_mark(sums[name], sums["estimated"]) if name == "charged" else ""
    return f"{sums[name]:,}{mark}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _card(entry: Mapping[str, Any], base: str | None) -> dict[str, Any]:
    request = entry.get("request") or {}
    prompt = next((str(request[name]) for name in _PROMPTS if request.get(name)), None)
    if prompt and len(prompt) > _LONGEST_PROMPT:
        prompt = f"{prompt[: _LONGEST_PROMPT - 1]}…"
    price = entry.get("credits") or {}
    return _told(
        {
            **{name: entry.get(name) for name in _SHOWN},
            "product": entry["product"].get("id"),
            "title": entry["product"].get("title"),
            "prompt": prompt,
            "settings": ", ".join(
                f"{request[name]} s" if name == "duration" else str(request[name])
                for name in _SETTINGS
                if request.get(name)
            ),
            "choice": entry["choice"] + 1 if entry.get("choice") is not None else None,
            "job": entry.get("id"),
            "done": entry.get("completed_at"),
            "credits": ", ".join(f"{price[name]} {name}" for name in _SUMS if price.get(name) is not None),
            "files": [
                _told(
                    {
                        **{name: creative.get(name) for name in _FILE},
                        "link": relative_link(creative["uri"], base) if base is not None else None,
                    }
                )
                for creative in entry["creatives"]
                if creative.get("uri")
            ],
            "variants": [_told(variant) for variant in entry.get("variants") or ()],
        }
    )


def _told(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if one is not None and one != "" and one != []}


def relative_link(uri: str, base: str) -> str | None:
    """
    Return the link from a page to a file; None where there is none that leads nowhere else.

    :param uri: where the file is.
    :param base: the folder of the page.
    """
    file_root, file = _parts(uri)
    base_root, folder = _parts(base.rstrip("/"))
    # A browser takes dots for steps, and leaves nothing empty; an object's key may have both as they are.
    if file_root != base_root or not file or any(part in {"", ".", ".."} for part in file):
        return None
    same = 0
    while same < min(len(folder), len(file) - 1) and folder[same] == file[same]:
        same += 1
    return "/".join([*[".."] * (len(folder) - same), *(quote(part, safe="") for part in file[same:])])


def _parts(uri: str) -> tuple[tuple[str, str], list[str]]:
    """Return the bucket or disk, and the parts of the path there."""
    scheme, mark, rest = uri.partition("://")
    if not mark:
        scheme, rest = "file", uri
    authority, _, path = rest.partition("/")
    # The connection says how the bucket is reached, not which one it is.
    return (scheme.lower(), authority.rpartition("@")[2]), path.split("/") if path else []


@cache
def _part(name: str) -> str:
    return files("airflow_provider_adgen.campaigns").joinpath("_page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _inert(value: Any) -> str:
    """Return JSON that ends no script block, begins no comment and breaks no line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
