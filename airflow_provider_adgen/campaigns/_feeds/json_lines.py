# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Feeds of JSON Lines: one JSON object in each line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_adgen.campaigns._feeds.lines import Lines
from airflow_provider_adgen.campaigns._feeds.plain_text import without_control
from airflow_provider_adgen.campaigns._feeds.prices import Exact
from airflow_provider_adgen.campaigns._feeds.report import MOST_COLUMNS, Pairs, Report


class _Object(list[tuple[str, Any]]):
    """A JSON object with all its names, also those that come twice."""


def _constant(name: str) -> str:
    # What pandas writes for a value that is missing.
    return "" if name == "NaN" else name


# Numbers stay the text that they are: an id of 1e5 keeps its form, and a price its digits.
_DECODER = json.JSONDecoder(object_pairs_hook=_Object, parse_float=Exact, parse_int=Exact, parse_constant=_constant)


def read_json_lines(pieces: Iterable[str], report: Report) -> Iterator[tuple[int, Pairs]]:
    """
    Yield each object with its line. Lines that hold none go to the report.

    :raises Unreadable: a line is too long.
    """
    for line, text in Lines(pieces):
        if not text.strip():
            continue
        try:
            found = _DECODER.decode(text.strip())
            pairs = (
                [(without_control(name), _text(value)) for name, value in found] if isinstance(found, _Object) else None
            )
        except ValueError as error:
            where = f"at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else "as it is"
            report.problem(line, f"not readable as JSON {where}; each line must hold one whole object")
        except RecursionError:
            report.problem(line, "the JSON is nested too deeply")
        else:
            if pairs is None:
                report.problem(line, "not a JSON object; each line must hold one")
            elif len(pairs) > MOST_COLUMNS:
                report.problem(line, f"the object has {len(pairs):,} names; at most {MOST_COLUMNS:,} are read")
            else:
                yield line, pairs


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Object):
        members = {name.lower(): _text(member) for name, member in value}
        if set(members) in ({"value", "currency"}, {"amount", "currency"}):  # a price as Google's API has it
            amount = members.get("value") or members.get("amount", "")
            return type(amount)(f"{amount} {members['currency']}".strip())
        return ", ".join(f"{name}: {_text(member)}" for name, member in value)
    return ", ".join(filter(None, map(_text, value)))
