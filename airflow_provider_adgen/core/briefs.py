# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How a vendor makes a brief: from what was stated for one creative to the vendor's request, or to a reason why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, get_origin

if TYPE_CHECKING:
    from airflow_provider_adgen.core.requests import GenerationRequest

BriefKind = Literal["image", "video", "voice", "copy"]

STATED = ("prompt", "script", "format", "locale", "duration", "tone", "platform", "voice", "avatar")
"""What a brief may state, beside ``product_image``: each is honoured by a field of the request, or is a reason."""

PRODUCT_ARGUMENTS: Mapping[str, str] = {
    "name": "title",
    "link": "link",
    "description": "description",
    "category": "product_type",
    "image_url": "image_link",
}
"""What a hook's ``ensure_product`` takes, and the attribute of the shop's product that it comes from."""

OF_PRODUCT = "of_product"
"""A request that is planned holds ``{"of_product": <the shop's id>}`` where the vendor's own id has to go."""

# Stands where the vendor's own id will stand: what it is does not matter to any rule but that of UUIDs.
_STAND_IN = "00000000-0000-0000-0000-000000000000"


class ShopProduct(Protocol):
    """What a vendor may know of a product: a row of the catalogue. What a row does not have is empty or None."""

    @property
    def id(self) -> str:
        """The shop's own id."""

    @property
    def title(self) -> str:
        """Its name."""

    @property
    def description(self) -> str | None:
        """What it is."""

    @property
    def link(self) -> str | None:
        """Its page."""

    @property
    def image_link(self) -> str | None:
        """Its main picture."""

    @property
    def product_type(self) -> str | None:
        """The shop's own category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledBrief:
    """
    A brief for one creative: filled in for one product, locale and format. What was not stated is None.

    :param kind: what is to be made.
    :param prompt: what the creative shows or says, in words for the vendor.
    :param script: what is spoken, word for word.
    :param format: an aspect ratio such as ``9:16``; for ad copy a word such as ``short``.
    :param locale: such as ``de`` or ``en-GB``.
    :param duration: seconds.
    :param tone: such as ``playful``.
    :param platform: such as ``meta``.
    :param voice: the vendor's name of a voice.
    :param avatar: the vendor's name of an avatar, or the link of a picture where the vendor takes one.
    :param product_image: whether the vendor has to be given the product's picture.
    :param text_in_locale: the text itself says the locale, or was written for it.
    :param options: fields of the vendor's request, by their names.
    """

    kind: BriefKind
    prompt: str | None = None
    script: str | None = None
    format: str | None = None
    locale: str | None = None
    duration: float | None = None
    tone: str | None = None
    platform: str | None = None
    voice: str | None = None
    avatar: str | None = None
    product_image: Literal["no", "if_possible", "required"] = "no"
    text_in_locale: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CannotMake:
    """
    A vendor cannot make a brief.

    :param reason: why not, for a person; without a capital letter and without a full stop.
    """

    reason: str


@dataclass(frozen=True)
class VendorProduct:
    """
    The fields of a request that take the vendor's own ids of a product, and what the vendor must be told to have one.

    :param fields: ``product_id``, and ``project_id`` where products belong to projects.
    :param needs: attributes of the shop's product without which the vendor makes none.
    """

    fields: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """
    One way in which a vendor makes a brief: which request, and which of its fields takes what.

    :param makes: the kind of brief.
    :param request: the request.
    :param takes: the field of the request by what the brief calls it; see :data:`STATED`.
    :param lists: those fields that take a list, although a brief states one.
    :param picture: the field that takes a list of pictures: the product's goes there.
    :param shows_product: the vendor uses the picture of the product that it knows.
    :param product: the vendor's own product that the request is about.
    :param always: fields that are sent unless ``options`` name them, so that what is asked for is what is paid for.
    :param objection: what else speaks against it: given the brief and the request's fields, a reason or None.
    :param note: what the documentation has to add: sentences, in Markdown.
    """

    makes: BriefKind
    request: type[GenerationRequest]
    takes: Mapping[str, str]
    lists: frozenset[str] = frozenset()
    picture: str | None = None
    shows_product: bool = False
    product: VendorProduct | None = None
    always: Mapping[str, Any] = field(default_factory=dict)
    objection: Callable[[FilledBrief, Mapping[str, Any]], str | None] | None = None
    note: str = ""

    @property
    def has_picture(self) -> bool:
        """Whether the product's picture can be used."""
        return self.picture is not None or self.shows_product


@lru_cache(maxsize=64)
def _required(model: type[GenerationRequest]) -> tuple[tuple[str, str], ...]:
    """Return the fields of a request that have to be given, each with the vendor's own name for it."""
    fields = model.model_fields.items()
    return tuple((name, one.serialization_alias or name) for name, one in fields if one.is_required())


def required_fields(model: type[GenerationRequest]) -> tuple[str, ...]:
    """Return the fields of a request that have to be given."""
    return tuple(name for name, _ in _required(model))


def make_request(
    title: str, recipes: Iterable[Recipe], brief: FilledBrief, product: ShopProduct
) -> dict[str, Any] | CannotMake:
    """
    Return the request ``{"kind": ..., ...}`` of the first recipe that can honour everything, or why none can.

    :param title: the vendor, as people call it.
    :param recipes: its recipes, in order of preference.
    :param brief: what is asked for.
    :param product: what it is about.
    """
    unable: list[str] = []
    lacking: list[str] = []
    for recipe in recipes:
        if recipe.makes != brief.kind:
            continue
        made = _follow(title, recipe, brief, product)
        if isinstance(made, dict):
            return made
        fits, reason = made
        (lacking if fits else unable).append(f"{recipe.request.kind}: {reason}")
    # Where a recipe fits and only lacks something, what the others cannot do helps nobody.
    reasons = lacking or unable
    return CannotMake("; ".join(reasons) if reasons else f"{title} has no request that makes {brief.kind} of a brief")


def _follow(title: str, recipe: Recipe, brief: FilledBrief, product: ShopProduct) -> dict[str, Any] | tuple[bool, str]:
    """Return the request; else whether the recipe fits the brief, and the reason."""
    options = brief.options
    fields: dict[str, Any] = {"kind": recipe.request.kind, **recipe.always}
    without: list[str] = []
    unable: list[str] = []
    for name in STATED:
        value = getattr(brief, name)
        if value is None:
            continue
        target = recipe.takes.get(name)
        if target is not None:
            fields[target] = [value] if target in recipe.lists else value
        elif name != "locale":
            without.append(name)
        elif not brief.text_in_locale:
            unable.append("it has no field for a locale: say {locale} in the text, or give prompts")
    if without:
        unable.insert(0, f"it has no field for {' and '.join(without)}")
    if brief.product_image == "required" and not recipe.has_picture:
        unable.append('it takes no picture of the product (product_image="required")')
    if options:
        known = recipe.request.model_fields
        unknown = [name for name in options if name not in known]
        if unknown:
            unable.append(f"it has no field {', '.join(unknown)} (options)")
        decided = recipe.takes.get("format")
        if brief.format is not None and (decided in options or decided in _extra(options)):
            unable.append(f"options name {decided}, which formats decides")
    if unable:
        return False, ", ".join(unable)
    lacking = _add_product(title, recipe, brief, product, fields)
    fields.update(options)
    lacking += _missing(recipe, fields)
    if not lacking and recipe.objection is not None and (objection := recipe.objection(brief, fields)):
        lacking.append(objection)
    return (True, ", ".join(lacking)) if lacking else fields


def _add_product(
    title: str, recipe: Recipe, brief: FilledBrief, product: ShopProduct, fields: dict[str, Any]
) -> list[str]:
    """Add the product's picture and the vendor's ids of it, and return what the product lacks for that."""
    lacking = []
    if recipe.picture is not None and recipe.picture not in brief.options and brief.product_image != "no":
        link = product.image_link or ""
        if link.startswith("https://"):
            fields[recipe.picture] = [link]
        elif brief.product_image == "required":
            lacking.append("the product has no image_link that begins with https://")
    wanted = recipe.product
    if wanted is not None and "product_id" not in brief.options:
        absent = [name for name in wanted.needs if not getattr(product, name)]
        if absent:
            lacking.append(f"the product has no {', '.join(absent)}, without which {title} makes no product")
        for name in wanted.fields:
            fields[name] = {OF_PRODUCT: product.id}
    return lacking


def _missing(recipe: Recipe, fields: Mapping[str, Any]) -> list[str]:
    stated = {target: name for name, target in recipe.takes.items()}
    replaced = _extra(fields)
    found = []
    for name, wire in _required(recipe.request):
        if name in fields or name in replaced or wire in replaced:
            continue
        if name in stated:
            found.append(_STATE.get(stated[name], f"the brief must state {stated[name]}"))
        else:
            words = ", ".join(choices_of(recipe.request, name))
            found.append(f"options must name {name}" + (f" ({words})" if words else ""))
    return found


def _extra(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    given = fields.get("extra_fields")
    return given if isinstance(given, Mapping) else {}  # what it must be is checked with the other fields


_STATE = {
    "prompt": "the brief must state a prompt, and it must not be empty",
    "script": "the brief must state a script, and it must not be empty",
    "format": "the brief must state formats",
}


def choices_of(model: type[GenerationRequest], name: str) -> tuple[str, ...]:
    """Return the words that a field of a request takes; nothing where it takes more than a few."""
    annotation = model.model_fields[name].annotation
    parts = (annotation, *get_args(annotation))
    return next((get_args(part) for part in parts if get_origin(part) is Literal), ())


def option_names(recipes: Iterable[Recipe], kind: str) -> frozenset[str]:
    """Return the names that ``options`` may hold for briefs of a kind: the fields of the requests that make it."""
    return frozenset(name for recipe in recipes if recipe.makes == kind for name in recipe.request.model_fields)


# --- the vendor's own products ------------------------------------------------------------------------------------


def products_of(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a planned request that wait for a vendor's id, each with the shop's id of the product."""
    return {
        name: value[OF_PRODUCT]
        for name, value in request.items()
        if isinstance(value, dict) and OF_PRODUCT in value and name != "extra_fields"
    }


def waits_for(request: Mapping[str, Any], ids: Mapping[str, Mapping[str, str]]) -> bool:
    """
    Whether a planned request needs ids that are not there.

    :param ids: for each of the shop's ids the vendor's ids by the name of the field.
    """
    return any(name not in ids.get(product, {}) for name, product in products_of(request).items())


def with_vendor_ids(request: Mapping[str, Any], ids: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """
    Return a planned request with the vendor's ids in place.

    :param request: the request, as planned.
    :param ids: for each of the shop's ids the vendor's ids by the name of the field.
    :raises KeyError: an id is not there.
    """
    return {**request, **{name: ids[product][name] for name, product in products_of(request).items()}}


def checkable(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a planned request as it can be validated and priced before the vendor's ids are known."""
    waiting = products_of(request)
    return {**request, **dict.fromkeys(waiting, _STAND_IN)} if waiting else request
