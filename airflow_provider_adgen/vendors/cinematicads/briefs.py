# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How CinematicAds makes a brief (https://cinematicads.studio/en/api-docs): as a workflow whose type decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.briefs import BriefKind, FilledBrief, Recipe
from airflow_provider_adgen.vendors.cinematicads.requests import CREDITS, KIND_OF_TYPE, Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

TAKE_CONCEPT = ("cinematic", "brand")
"""The types for which the page says what ``concept`` is for."""


def types_that_make(kind: str) -> list[str]:
    """Return the workflow types that make a kind of creative."""
    return [name for name in CREDITS if KIND_OF_TYPE.get(name, "video") == kind]


def _objection(brief: FilledBrief, fields: Mapping[str, Any]) -> str | None:
    made = fields.get("workflow_type")
    if made is None:  # extra_fields says it, and what it means there is not known
        return None
    if made in CREDITS and made not in types_that_make(brief.kind):
        return f"workflow_type {made} makes no {brief.kind}: options must name {', '.join(types_that_make(brief.kind))}"
    if brief.prompt is not None and "concept" not in brief.options and made not in TAKE_CONCEPT:
        return (
            f"what a workflow of type {made} takes for a prompt is not documented: options must name concept, or a "
            f"workflow_type that takes one ({', '.join(TAKE_CONCEPT)})"
        )
    return None


_MAKES: tuple[BriefKind, ...] = ("image", "video")

RECIPES: tuple[Recipe, ...] = tuple(
    Recipe(
        makes,
        Workflow,
        {"prompt": "concept", "format": "formats"},
        lists=frozenset({"formats"}),
        objection=_objection,
        note=f"`workflow_type` must make {makes}: {', '.join(types_that_make(makes))}. A prompt goes with "
        f"{' and '.join(TAKE_CONCEPT)} only; else `options` must name `concept`.",
    )
    for makes in _MAKES
)
