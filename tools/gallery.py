# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Show what a run made as one page: pictures, films, voices and copy with their prompts, prices and checksums.

The page loads nothing but the stored files, by relative links, so its folder can be moved or zipped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True)
class Section:
    """
    One heading of the page and the generations under it.

    :param heading: a product's title, or a task.
    :param notes: short facts for the line below it.
    :param generations: dictionaries in the manifest's shape; ``paid`` may add the credits that the vendor's ledger has.
    """

    heading: str
    notes: Sequence[str]
    generations: Sequence[Mapping[str, Any]]


def sections_of_manifest(manifest: Mapping[str, Any]) -> list[Section]:
    """Return a section for each product of a campaign's manifest."""
    return [
        Section(
            product["title"],
            [note for note in (product["brand"], _product_price(product), product["id"]) if note],
            product["generations"],
        )
        for product in manifest["products"]
    ]


def _product_price(product: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (product["price"], product.get("currency"))))


def section_of_task(task_id: str, generations: Iterable[Mapping[str, Any]]) -> Section:
    """Return a section for a task of a DAG that writes no manifest, from what its operators returned."""
    shown = [{**generation, "request": generation.get("details") or {}} for generation in generations]
    return Section(task_id, [shown[0]["vendor"]] if shown else [], shown)


def local_path(uri: str | None) -> Path | None:
    """Return the file behind a stored creative's URI; None where it is not on this machine."""
    # Airflow's paths are not percent-encoded, not even behind file://.
    path = (uri or "").removeprefix("file://")
    return Path(path) if path.startswith("/") else None


def gallery_page(title: str, facts: Sequence[tuple[str, str]], sections: Sequence[Section], folder: Path) -> str:
    """
    Return the page.

    :param title: the heading.
    :param facts: label and value of the numbers at the top.
    :param sections: what to show.
    :param folder: where the page will be kept; links are relative to it.
    """
    tiles = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in facts)
    body = "".join(_section(number, section, folder) for number, section in enumerate(sections, 1))
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1><dl>{tiles}</dl></header>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _style() -> str:
    return Path(__file__).with_suffix(".css").read_text(encoding="utf-8")


def _section(number: int, section: Section, folder: Path) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in section.notes)
    cards = "".join(_generation(section.heading, generation, folder) for generation in section.generations)
    return (
        f'<section aria-labelledby="s{number}"><h2 id="s{number}" dir="auto">{escape(section.heading)}</h2>'
        f'<ul class="notes">{notes}</ul><div class="cards">{cards}</div></section>\n'
    )


def _generation(heading: str, generation: Mapping[str, Any], folder: Path) -> str:
    request = generation.get("request") or {}
    media = "".join(_creative(heading, creative, folder) for creative in generation.get("creatives") or ())
    copy = "".join(_variant(variant) for variant in generation.get("variants") or ())
    prompt = next((request[name] for name in ("prompt", "script", "concept", "text") if request.get(name)), None)
    settings = ", ".join(
        str(request[name]) + (" s" if name == "duration" else "")
        for name in ("model", "aspect_ratio", "resolution", "duration")
        if request.get(name)
    )
    rows = [
        ("Prompt", escape(str(prompt)) if prompt else ""),
        ("Settings", escape(settings)),
        ("Price", escape(_price(generation.get("credits") or {}, generation.get("paid")))),
        ("Job", f"<code>{escape(str(generation.get('vendor')))} {escape(str(generation.get('id')))}</code>"),
    ]
    facts = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in rows if value)
    title = f"{generation.get('kind')} · {generation.get('vendor')}"
    return f'<article><h3 class="kind">{escape(title)}</h3>{media}{copy}<dl class="facts">{facts}</dl></article>'


def _creative(heading: str, creative: Mapping[str, Any], folder: Path) -> str:
    path = local_path(creative.get("uri"))
    kind = str(creative.get("kind"))
    if path is None:
        shown = f"<p>Stored at <code>{escape(str(creative.get('uri')))}</code></p>"
    else:
        link = escape(quote(os.path.relpath(path, folder).replace(os.sep, "/")), quote=True)
        name = escape(f"{kind.capitalize()} for {heading}", quote=True)
        if kind == "image":
            shown = f'<a href="{link}"><img src="{link}" alt="{name}" loading="lazy"></a>'
        elif kind == "video":
            # The fragment makes browsers show a picture of the film instead of nothing.
            shown = f'<video controls preload="metadata" src="{link}#t=0.1" aria-label="{name}"></video>'
        elif kind == "audio":
            shown = f'<audio controls preload="metadata" src="{link}" aria-label="{name}"></audio>'
        else:
            shown = f'<p><a href="{link}">{escape(path.name)}</a></p>'
    size = f"{creative['size']:,} bytes" if creative.get("size") is not None else "size unknown"
    sha256 = escape(str(creative.get("sha256") or "not checked"))
    return (
        f"<figure>{shown}<figcaption>{escape(str(creative.get('media_type') or kind))}, {size}"
        f"<br><span>SHA-256</span> <code>{sha256}</code></figcaption></figure>"
    )


def _variant(variant: Mapping[str, Any]) -> str:
    tags = " ".join(f"#{str(tag).removeprefix('#')}" for tag in variant.get("hashtags") or ())
    parts = [
        f"<strong>{escape(variant['hook'])}</strong>" if variant.get("hook") else "",
        f"<p>{escape(variant['body'])}</p>" if variant.get("body") else "",
        f"<p><em>{escape(variant['cta'])}</em></p>" if variant.get("cta") else "",
        f"<p class='tags'>{escape(tags)}</p>" if tags else "",
    ]
    return f'<blockquote dir="auto">{"".join(parts)}</blockquote>'


def _price(told: Mapping[str, Any], paid: int | None) -> str:
    said = [f"{value} {word}" for word in ("quoted", "charged", "refunded") if (value := told.get(word)) is not None]
    if paid is not None:
        said.append(f"{paid} in the vendor's ledger")
    return f"{', '.join(said)} (credits)" if said else "not told by the vendor"
