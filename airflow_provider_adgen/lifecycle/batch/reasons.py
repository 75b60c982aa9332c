# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Why items have no result, for a message that stays short: one line for each different reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.batch import NOT_COUNTED, WITH_RESULT
from airflow_provider_adgen.core.vendor import REQUEST_ID
from airflow_provider_adgen.core.wording import counted, named
from airflow_provider_adgen.lifecycle.batch.items import SHOWN
from airflow_provider_adgen.lifecycle.batch.opening import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_adgen.lifecycle.batch.state import ItemState

_KEYS = 5
"""Keys that a line names."""

_LONGEST = 600
"""Characters of a reason."""

_TIMES_AND_REQUESTS = re.compile(rf"\d{{4}}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?|{REQUEST_ID} \S+")


def why_no_result(states: Iterable[ItemState], told: Mapping[str, str]) -> list[str]:
    """
    Return a line for each different reason for which items have no result, with their number and the first of them.

    Reasons that differ only in the item that they name, its jobs and its times, are one.

    :param states: all items.
    :param told: what is told beside these lines, once, and the words that stand for it here.
    """
    groups: dict[tuple[str, str], list[ItemState]] = {}
    general: dict[str, str] = {}
    for one in states:
        if one.told in {*WITH_RESULT, *NOT_COUNTED}:
            continue
        said = _first_line(one)
        if said not in general:  # what thousands have in common is read once
            general[said] = _in_general(one)
        groups.setdefault((str(one.told), general[said]), []).append(one)
    lines = [_line(status, members, told) for (status, _), members in groups.items()]
    rest = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"and {counted(rest, 'other reason')}"] if rest > 0 else [])]


def _line(status: str, members: list[ItemState], told: Mapping[str, str]) -> str:
    first = _first_line(members[0])
    said = first
    for why, words in told.items():
        said = said.replace(why.rstrip("."), words)
    if len(said) > _LONGEST:
        said = f"{said[: _LONGEST - 1]}…"
    if len(members) == 1:
        return f"{members[0].key} ({status}): {said}"
    differ = any(_first_line(one) != first for one in members)
    keys = named([one.key for one in members], _KEYS)
    return f"{counted(len(members), 'item')} {status} ({keys}){'; of the first' if differ else ''}: {said}"


def _first_line(state: ItemState) -> str:
    return state.reason.split("\n")[0]


def _in_general(state: ItemState) -> str:
    """Return why it has no result, without what names it alone."""
    text = _TIMES_AND_REQUESTS.sub("…", _first_line(state))
    # The longest first: an item's key may stand in another name.
    for name in sorted(_names(state), key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "…", text)
    return text


def _names(state: ItemState) -> set[str]:
    if state.outcome is not None:
        return {repr(state.key), *(job for _, job in state.outcome.jobs)}
    record = readable(state)
    attempts = record.attempts if record is not None else []
    return {
        repr(state.key),
        *(job for one in attempts for job in one.job_ids),
        *(one.fingerprint[:12] for one in attempts if one.fingerprint),
    }
