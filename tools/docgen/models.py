# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a request model takes, makes and costs, read from the model itself."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator

from airflow_provider_adgen.core import requests as shared
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.requests import GenerationRequest
from airflow_provider_adgen.operators.generate import GenerateOperator
from tools.docgen.catalogue import operators
from tools.docgen.text import code, codes, paragraphs, read_doc, sentence, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LIMITS = {"minimum": "ge", "exclusiveMinimum": "gt", "maximum": "le", "exclusiveMaximum": "lt"}
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_RATIO = next(item.pattern for item in get_args(shared.Ratio)[1].metadata if getattr(item, "pattern", None))
_URLS = {"_web_address": "http(s) URL", "_https_address": "https URL"}
_LONGEST_TEXT = 5000
_PROBES = (1, 10, 100, 1000, _LONGEST_TEXT - 1)
_ENDPOINT = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`")


def field_table(model: type[GenerationRequest]) -> str:
    """Return the fields of a request as a table; ``extra_fields``, which all have, is left out."""
    schema = model.model_json_schema(by_alias=False)
    meanings = _meanings(model)
    rows = []
    for name, field in model.model_fields.items():
        if name == "extra_fields":
            continue
        shape = schema["properties"][name]
        wire = field.serialization_alias or name
        rows.append(
            [
                code(name),
                code(wire) if wire != name else "",
                _default(name, shape, schema),
                _describe(shape, schema.get("$defs", {}), _url(field.annotation) or _url_of(field.metadata)),
                sentence(meanings.get(name, "")),
            ]
        )
    titles = ["Field", "On the wire", "Default", "Takes", "Meaning"]
    if not any(row[1] for row in rows):
        titles, rows = [titles[0], *titles[2:]], [[row[0], *row[2:]] for row in rows]
    return table(titles, rows)


def _meanings(model: type[GenerationRequest]) -> dict[str, str]:
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, GenerationRequest):
            found.update(read_doc(base).params)
    for _, cls in operators():
        # The typed operator says what the fields of its request mean.
        if issubclass(cls, GenerateOperator) and cls.vendor_name and cls.request_kind == model.kind:
            found.update(read_doc(cls).params if model in get_vendor(cls.vendor_name).requests else {})
    return found


def _default(name: str, shape: dict[str, Any], schema: dict[str, Any]) -> str:
    if name in schema.get("required", ()):
        return "**required**"
    value = shape.get("default")
    return "" if value is None else code(_json(value))


def _describe(shape: dict[str, Any], defs: dict[str, Any], url: str | None) -> str:
    """Return what a field takes, limits included."""
    limits = _range({sign: shape[key] for key, sign in _numbers(shape)})
    if "$ref" in shape:
        inner = defs[shape["$ref"].rpartition("/")[2]]["properties"]
        return f"an object of {codes(inner)}"
    if "anyOf" in shape:
        parts = [part for part in shape["anyOf"] if part.get("type") != "null"]
        if {part.get("type") for part in parts} == {"integer", "number"}:
            return f"number{limits}"
        return " or ".join(_describe({**part, **_rest(shape)}, defs, url) for part in parts)
    if "const" in shape:
        return f"always {code(_json(shape['const']))}"
    if "enum" in shape:
        return codes(shape["enum"])
    match shape.get("type"):
        case "array":
            inside = _describe(shape.get("items", {}), defs, url)
            return f"list of {inside}{_count(shape.get('minItems'), shape.get('maxItems'))}"
        case "integer":
            return f"whole number{limits}"
        case "number":
            return f"number{limits}"
        case "boolean":
            return "true or false"
        case "object":
            return "object"
        case "string":
            return _text(shape, url)
    return "anything"


def _rest(shape: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shape.items() if key in {*_LIMITS, *_SIGNS}}


def _numbers(shape: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in shape:
        if key in _LIMITS or key in _SIGNS:
            yield key, _LIMITS.get(key, key)


def _text(shape: dict[str, Any], url: str | None) -> str:
    if url is not None:
        return url
    if shape.get("pattern") == _RATIO:
        return "ratio such as `9:16`"
    if shape.get("format"):
        return str(shape["format"]).upper()
    low, high = shape.get("minLength"), shape.get("maxLength")
    if high is not None:
        return f"text, {f'{low} to' if low else 'at most'} {high} characters"
    if low is not None and low > 1:
        return f"text, at least {low} characters"
    return f"text of the form {code(shape['pattern'])}" if shape.get("pattern") else "text"


def _range(limits: dict[str, Any]) -> str:
    if set(limits) == {"ge", "le"}:
        return f", {limits['ge']} to {limits['le']}"
    return "".join(f", {_SIGNS[sign]} {value}" for sign, value in limits.items())


def _count(low: int | None, high: int | None) -> str:
    if low is not None and high is not None:
        return f"; {low} to {high} of them"
    if high is not None:
        return f"; at most {high} of them"
    return f"; at least {low}" if low is not None else ""


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _url(annotation: Any) -> str | None:
    """Return what kind of URL an annotation asks for, however deep inside."""
    for part in get_args(annotation):
        found = _url_of([part]) or _url(part)
        if found:
            return found
    return None


def _url_of(metadata: list[Any]) -> str | None:
    for item in metadata:
        if isinstance(item, AfterValidator) and getattr(item.func, "__name__", "") in _URLS:
            return _URLS[item.func.__name__]
    return None


# --- prices and kinds ---------------------------------------------------------------------------------------------


def choices(model: type[GenerationRequest]) -> dict[str, tuple[Any, ...]]:
    """Return the fields that take one of a few words, with those words."""
    found = {}
    for name, field in model.model_fields.items():
        inner = [part for part in (field.annotation, *get_args(field.annotation)) if get_origin(part) is Literal]
        if inner and len(get_args(inner[0])) > 1:
            found[name] = get_args(inner[0])
    return found


def _specimen(model: type[GenerationRequest], fields: Mapping[str, Any]) -> GenerationRequest:
    """Return an instance that was not validated: enough to ask for its price and its kind."""
    given = {name: None if not field.is_required() else "x" for name, field in model.model_fields.items()}
    for name, field in model.model_fields.items():
        if not field.is_required():
            given[name] = field.get_default(call_default_factory=True)
    return model.model_construct(**{**given, **fields})


def prices(model: type[GenerationRequest]) -> str:
    """Return the documented price: a word, a sentence, or a table."""
    words = choices(model)
    by_words = {
        combination: _specimen(model, dict(zip(words, combination, strict=True))).price()
        for combination in itertools.product(*words.values())
    }
    matter = [name for index, name in enumerate(words) if _matters(by_words, index)]
    if matter:
        return paragraphs(_price_sentence(model), _by_word(model, {name: words[name] for name in matter}))
    ranges = _by_length(model)
    if ranges is not None:
        return paragraphs(_price_sentence(model), ranges)
    price = _specimen(model, {}).price()
    return "Not documented." if price is None else f"{price} credit{'s' if price != 1 else ''}."


def _price_sentence(model: type[GenerationRequest]) -> str:
    return sentence(read_doc(model.documented_price).summary.removeprefix("Return "))


def _by_word(model: type[GenerationRequest], words: dict[str, tuple[Any, ...]]) -> str:
    """Return the prices by one field down and, where there are more, the others across."""
    down, *across = words
    columns = list(itertools.product(*(words[name] for name in across)))
    first = {name: values[0] for name, values in choices(model).items()}
    rows = []
    for value in words[down]:
        given = [{**first, down: value, **dict(zip(across, column, strict=True))} for column in columns]
        rows.append([code(value), *(_specimen(model, fields).price() for fields in given)])
    heads = [" ".join(code(word) for word in column) or "credits" for column in columns]
    return table([", then ".join(code(name) for name in words), *heads], rows)


def _matters(prices_of: dict[tuple[Any, ...], int | None], index: int) -> bool:
    groups: dict[tuple[Any, ...], set[int | None]] = {}
    for combination, price in prices_of.items():
        groups.setdefault((*combination[:index], *combination[index + 1 :]), set()).add(price)
    return any(len(found) > 1 for found in groups.values())


def _by_length(model: type[GenerationRequest]) -> str | None:
    """Return the price by the length of a text, if it depends on one."""
    for name in _texts(model):
        if len({_specimen(model, {name: "x" * length}).price() for length in _PROBES}) == 1:
            continue
        found = [_specimen(model, {name: "x" * length}).price() for length in range(1, _LONGEST_TEXT)]
        rows, start = [], 0
        for end in range(1, len(found) + 1):
            if end == len(found) or found[end] != found[start]:
                span = f"{start + 1} to {end}" if end < len(found) else f"more than {start}"
                rows.append([span, found[start]])
                start = end
        return table([f"Characters of {code(name)}", "Credits"], rows)
    return None


def _texts(model: type[GenerationRequest]) -> list[str]:
    """Return the fields that hold any text."""
    found = []
    for name, field in model.model_fields.items():
        parts = (field.annotation, *get_args(field.annotation))
        if str in (get_args(part)[0] if get_origin(part) is Annotated else part for part in parts):
            found.append(name)
    return found


def price_word(model: type[GenerationRequest]) -> str:
    """Return ``documented``, ``partly`` or ``not documented``, over all that the request can be."""
    words = choices(model)
    found = {
        _specimen(model, {**dict(zip(words, combination, strict=True)), **text}).price()
        for combination in itertools.product(*words.values())
        for text in ({}, *({name: "x"} for name in _texts(model)))
    }
    if found == {None}:
        return "not documented"
    return "documented" if None not in found else "partly"


def result_kind(model: type[GenerationRequest]) -> list[str]:
    """Return the kinds of results that the request can have."""
    words = choices(model)
    found = [
        str(_specimen(model, dict(zip(words, combination, strict=True))).result_kind)
        for combination in itertools.product(*words.values())
    ]
    return list(dict.fromkeys(found))


def endpoints(text: str) -> list[str]:
    """Return the endpoints that a docstring names."""
    return _ENDPOINT.findall(text)
