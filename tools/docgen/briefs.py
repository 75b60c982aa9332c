# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Briefs: their fields, and which vendor makes what of them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from airflow_provider_adgen.campaigns.briefs import KINDS, PRODUCT_IMAGE, Brief
from airflow_provider_adgen.core.briefs import STATED, choices_of, required_fields
from tools.docgen.catalogue import listed_vendors
from tools.docgen.text import code, codes, read_doc, sentence, table

if TYPE_CHECKING:
    from airflow_provider_adgen.core.briefs import Recipe

# What a brief calls a field of which it states several.
_SEVERAL = {"format": "formats", "locale": "locales"}


def brief_fields() -> str:
    """Return the arguments of a brief."""
    meanings = read_doc(Brief).params
    rows = []
    for parameter in inspect.signature(Brief).parameters.values():
        default = parameter.default
        if default is inspect.Parameter.empty:
            word = "**required**"
        elif isinstance(default, int | str):
            word = code(f'"{default}"' if isinstance(default, str) else default)
        else:
            word = "not set"
        rows.append([code(parameter.name), word, sentence(meanings[parameter.name])])
    return table(["Argument", "Default", "Meaning"], rows)


def brief_table() -> str:
    """Return who makes which brief, and what each needs."""
    rows = []
    for listed in listed_vendors():
        for recipe in sorted(listed.vendor.recipes, key=lambda one: KINDS.index(one.makes)):
            vendor = f"[{listed.vendor.title}](vendors/{listed.name}.md)"
            request = f"[`{recipe.request.kind}`](vendors/{listed.name}.md#{recipe.request.kind})"
            needed, taken = _stated(recipe)
            rows.append([vendor, recipe.makes, request, needed, taken, _options(recipe), _beside(recipe)])
    titles = ["Vendor", "Kind", "Request", "Must state", "May state", "`options` must name", "Beside that"]
    return table(titles, rows)


def _stated(recipe: Recipe) -> tuple[str, str]:
    required = required_fields(recipe.request)
    needed: list[str] = []
    taken: list[str] = []
    for name in STATED:
        if name in recipe.takes:
            (needed if recipe.takes[name] in required else taken).append(code(_SEVERAL.get(name, name)))
    if recipe.has_picture:
        taken.append(code("product_image"))
    return ", ".join(needed), ", ".join(taken)


def _options(recipe: Recipe) -> str:
    filled = {*recipe.takes.values(), *recipe.always, *(recipe.product.fields if recipe.product else ())}
    found = []
    for name in required_fields(recipe.request):
        if name not in filled:
            words = choices_of(recipe.request, name)
            found.append(f"{code(name)} ({codes(words)})" if words else code(name))
    return "; ".join(found)


def _beside(recipe: Recipe) -> str:
    said = [recipe.note] if recipe.note else []
    if recipe.product is not None:
        said.append(
            f"It is about the vendor's own product, made of the shop's: that needs {codes(recipe.product.needs)}."
        )
    said += [f"{code(name)} is {code(value)} unless `options` name it." for name, value in recipe.always.items()]
    return " ".join(said)


def brief_kinds() -> str:
    """Return for each kind of brief who makes it."""
    rows = []
    for kind in KINDS:
        makers = [
            one.vendor.title for one in listed_vendors() if any(recipe.makes == kind for recipe in one.vendor.recipes)
        ]
        pictures = [
            one.vendor.title
            for one in listed_vendors()
            if any(recipe.makes == kind and recipe.has_picture for recipe in one.vendor.recipes)
        ]
        rows.append([code(kind), ", ".join(makers), ", ".join(pictures) or "none"])
    return table(["Kind", "Made by", f'With `product_image="{PRODUCT_IMAGE[-1]}"`'], rows)
