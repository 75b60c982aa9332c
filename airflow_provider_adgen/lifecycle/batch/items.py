# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The items of a batch: read, checked all together, and written down as they were when their try began."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_adgen.core import safe_json
from airflow_provider_adgen.core.decisions.batch import Obstacle
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest
from airflow_provider_adgen.core.identity import digest
from airflow_provider_adgen.core.scrub import reason, scrub
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.delivery.sources import not_read, stored_path

LONGEST_KEY = 200
LARGEST_META = 8192
SHOWN = 20
"""Problems, and items without a result, that a message names."""

_ITEM_FIELDS = frozenset({"key", "request", "conn_id", "choices", "meta"})
_CHOICE_FIELDS = frozenset({"conn_id", "request", "reuse_as", "obstacle"})


@dataclass(frozen=True, slots=True)
class Choice:
    """
    One way of making an item.

    :param conn_id: the account's connection.
    :param request: ``{"kind": ..., ...}``.
    :param number: where it stands among the author's choices, from 0.
    :param reuse_as: fields that have other values where the creative is identified in a library: an id that the vendor
        gave may change, and what it stands for does not.
    :param obstacle: why it cannot be sent in this try; None where it can.
    """

    conn_id: str
    request: dict[str, Any] = field(repr=False)
    number: int = field(default=0, compare=False)
    reuse_as: dict[str, Any] | None = field(default=None, repr=False, compare=False)
    obstacle: Obstacle | None = field(default=None, compare=False)

    @property
    def identified(self) -> dict[str, Any]:
        """The request by which its creative is identified."""
        return {**self.request, **self.reuse_as} if self.reuse_as else self.request

    def to_json(self) -> dict[str, Any]:
        """Return the choice as it is frozen."""
        more: dict[str, Any] = {name: value for name in ("number", "reuse_as") if (value := getattr(self, name))}
        if self.obstacle is not None:
            more["obstacle"] = asdict(self.obstacle)
        return {"conn_id": self.conn_id, "request": self.request, **more}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Choice:
        """Read a frozen choice."""
        why = value.get("obstacle")
        return cls(
            sys.intern(value["conn_id"]),
            value["request"],
            value.get("number", 0),
            value.get("reuse_as"),
            None if why is None else Obstacle(**why),
        )


@dataclass(frozen=True, slots=True)
class BatchItem:
    """
    One intended generation of a batch.

    :param key: its identity, in the record and in idempotency keys.
    :param choices: ways of making it, in the order of preference.
    :param meta: what the author wants to find in the results.
    :param generated: nobody gave it a key: it was made from the request.
    :param problem: why nothing can be made of it; it is skipped.
    """

    key: str
    choices: tuple[Choice, ...]
    meta: dict[str, Any] = field(default_factory=dict, repr=False)
    generated: bool = False
    problem: str = ""

    def sendable(self, index: int) -> Choice | None:
        """
        Return one of its choices by its place; None where it cannot be sent in this try, or is not there.

        Where an obstacle moves the item to is looked at when it goes there: that is this item's trouble.
        """
        choice = self.choices[index] if index < len(self.choices) else None
        return choice if choice is not None and choice.obstacle is None else None

    @property
    def refused(self) -> list[int]:
        """The numbers of the choices that their obstacle moves it from."""
        return [number for number, one in enumerate(self.choices) if one.obstacle is not None and one.obstacle.moves]

    def to_json(self) -> dict[str, Any]:
        """Return the item as it is frozen."""
        choices = [one.to_json() for one in self.choices]
        marks = {name: value for name in ("generated", "problem") if (value := getattr(self, name))}
        return {"key": self.key, "choices": choices, "meta": self.meta, **marks}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BatchItem:
        """Read a frozen item."""
        choices = tuple(map(Choice.from_json, value["choices"]))
        return cls(
            value["key"],
            choices,
            value.get("meta") or {},
            generated=bool(value.get("generated")),
            problem=value.get("problem") or "",
        )


class Problems:
    """What is wrong with the items of a batch, collected so that one error names all of it."""

    def __init__(self) -> None:
        self._told: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Take in one problem of an item."""
        self._told.append(f"{where}: {what}")

    def with_those_of(self, others: Problems) -> Problems:
        """Return these problems, and others after them."""
        both = Problems()
        both._told = [*self._told, *others._told]
        return both

    def __len__(self) -> int:
        return len(self._told)

    def error(self) -> InvalidRequest:
        """Return the error that names the first of them, and how many there are."""
        return InvalidRequest(self.text("Nothing was sent."))

    def text(self, then: str) -> str:
        """
        Return the first of them, and how many there are.

        :param then: what follows for these items, as a sentence.
        """
        more = [f"... and {len(self) - SHOWN} more"] if len(self) > SHOWN else []
        many = counted(len(self), "problem")
        return "\n".join([f"{many} with the items of this batch. {then}", *self._told[:SHOWN], *more])


def read_items(value: Any, *, conn_id: str | None) -> tuple[list[BatchItem], Problems]:
    """
    Return the items, and what is wrong with those that are not returned.

    :param value: a list of dictionaries, or the path of a file with one JSON object per line.
    :param conn_id: the account of items that name none.
    :raises InvalidRequest: it is neither, or there is no such file.
    :raises AdGenError: the storage failed. A retry may help.
    """
    if isinstance(value, str):
        value = _lines(value)
    elif not isinstance(value, Iterable) or isinstance(value, Mapping | bytes):
        raise InvalidRequest(
            f"items must be a list of dictionaries or the path of a JSONL file, not {type(value).__name__}. Nothing "
            "was sent."
        )
    items: list[BatchItem] = []
    problems, seen = Problems(), dict[str, int]()
    for number, one in enumerate(value):
        where = f"item {number}"
        try:
            item = _item(one, conn_id)
        except ValueError as error:
            key = one.get("key") if isinstance(one, Mapping) else None
            problems.add(f"{where} ({key!r})" if isinstance(key, str) else where, str(error))
            continue
        if item.key in seen:
            same = "has the same request" if item.generated else "has the same key"
            problems.add(f"{where} ({item.key!r})", f"{same} as item {seen[item.key]}; give each item a key of its own")
            continue
        seen[item.key] = number
        items.append(item)
    return items, problems


def _lines(path: str) -> Iterable[Any]:
    text = path.strip()
    if not text or text.lower() in {"none", "null"}:
        raise InvalidRequest(f"items is {path!r}, which is no list and no path. Nothing was sent.")
    if text[0] in "[{(":
        raise InvalidRequest(
            "items is the text of a list and not a list, as a template makes it. Hand over what the task returns "
            "(items=that_task.output), or set render_template_as_native_obj=True on the DAG. Nothing was sent."
        )
    shown = scrub(text, longest=200)
    what = f"The items in {shown}"
    place = stored_path(text, what)
    try:
        content = place.read_bytes().decode("utf-8-sig")
    except Exception as error:  # whatever the storage raises
        raise not_read(what, error) from None
    found = []
    # Other characters that end a line of text may stand within a JSON text.
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(json.loads(line))
        except ValueError:
            raise InvalidRequest(f"Line {number} of {shown} is not a JSON object. Nothing was sent.") from None
    return found


def _item(value: Any, conn_id: str | None) -> BatchItem:
    if not isinstance(value, Mapping):
        raise ValueError("an item is a dictionary with a request or choices")
    if unknown := sorted(str(one) for one in set(value) - _ITEM_FIELDS):
        raise ValueError(f"{', '.join(unknown)} is no field of an item; it has {', '.join(sorted(_ITEM_FIELDS))}")
    value = {name: one for name, one in value.items() if one is not None}  # rows of a data frame have all columns
    if ("request" in value) == ("choices" in value):
        raise ValueError("an item has either a request or choices")
    if "choices" in value:
        told = value["choices"]
        if not isinstance(told, list | tuple) or not told or "conn_id" in value:
            raise ValueError("choices is a list of {conn_id, request}, each with its own conn_id")
    else:
        told = [{"conn_id": value.get("conn_id"), "request": value["request"]}]
    choices = tuple(_choice(one, conn_id, number) for number, one in enumerate(told))
    meta = value.get("meta") or {}
    if not isinstance(meta, Mapping):
        raise ValueError("meta is a dictionary")
    size = len(_json("meta", dict(meta)))
    if size > LARGEST_META:
        raise ValueError(f"meta takes {size} bytes; it may take {LARGEST_META}")
    key = value.get("key")
    if key is None:
        made = digest([{"conn_id": one.conn_id, "request": one.request} for one in choices])[:20]
        return BatchItem(made, choices, dict(meta), generated=True)
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY or not key.strip():
        raise ValueError(f"a key is a text of 1 to {LONGEST_KEY} characters")
    _json("key", {"key": key})
    return BatchItem(key, choices, dict(meta))


def _choice(value: Any, conn_id: str | None, number: int) -> Choice:
    if not isinstance(value, Mapping) or not isinstance(value.get("request"), Mapping):
        raise ValueError('a request is a dictionary {"kind": ..., ...}')
    if unknown := sorted(str(one) for one in set(value) - _CHOICE_FIELDS):
        raise ValueError(f"{', '.join(unknown)} is no field of a choice; it has {', '.join(sorted(_CHOICE_FIELDS))}")
    account = value.get("conn_id") or conn_id
    if not isinstance(account, str) or not account:
        raise ValueError("no conn_id: neither the item nor the task names an account")
    request, reuse_as = dict(value["request"]), value.get("reuse_as")
    _json("request", request)
    if reuse_as is not None:
        if not isinstance(reuse_as, Mapping) or not set(reuse_as) <= set(request) - {"kind"}:
            raise ValueError("reuse_as is a dictionary of other values for fields of the request")
        reuse_as = dict(reuse_as)
        _json("reuse_as", reuse_as)
    return Choice(account, request, number, reuse_as, _obstacle(value.get("obstacle")))


def _obstacle(value: Any) -> Obstacle | None:
    if value is None:
        return None
    told = dict(value) if isinstance(value, Mapping) else {}
    reason, moves, retry_helps = told.pop("reason", None), told.pop("moves", False), told.pop("retry_helps", True)
    if told or not isinstance(reason, str) or not isinstance(moves, bool) or not isinstance(retry_helps, bool):
        raise ValueError('an obstacle is {"reason": a sentence, "moves": true or false, "retry_helps": true or false}')
    return Obstacle(reason, moves, retry_helps)


def _json(name: str, value: dict[str, Any]) -> bytes:
    try:
        return safe_json.dumps(value, name)
    except InvalidRequest as error:
        raise ValueError(error.happened.rstrip(".")) from None


def trouble(error: Exception) -> str:
    """Return the sentence of an error for the results."""
    return error.message if isinstance(error, AdGenError) else f"{type(error).__name__}: {reason(error)}"
