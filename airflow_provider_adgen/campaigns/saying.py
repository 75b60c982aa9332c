# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What became of a campaign, in sentences: what was left out, and what has no result.

Importing this costs as little as an operator module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHOWN = 5
_LONGEST_REASON = 300


def say_left_out(left_out: Mapping[str, int]) -> str:
    """
    Return what a plan left out; an empty text where it left out nothing.

    :param left_out: ``{"rows": number, "creatives": number}``.
    """
    rows, creatives = left_out.get("rows", 0), left_out.get("creatives", 0)
    said = []
    if rows:
        said.append(f"{counted(rows, 'row')} of the catalogue {_was(rows)} left out")
    if creatives:
        said.append(f"{counted(creatives, 'creative')} did not fit into max_credits and {_was(creatives)} left out")
    return "; ".join(said)


def say_missing(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """
    Return a line for each of the first items that have no result, with its reason, and how many more there are.

    :param lines: the results of a batch.
    """
    from airflow_provider_adgen.core.decisions.batch import NOT_COUNTED, WITH_RESULT

    said: list[str] = []
    rest = 0
    for line in lines:
        if line["status"] in {*WITH_RESULT, *NOT_COUNTED}:
            continue
        if len(said) == _SHOWN:
            rest += 1
            continue
        reason = str(line["reason"] or "no reason is told").split("\n")[0]
        if len(reason) > _LONGEST_REASON:
            reason = f"{reason[: _LONGEST_REASON - 1]}…"
        said.append(f"{line['key']} ({line['status']}): {reason}")
    return [*said, *([f"and {counted(rest, 'more item')}"] if rest else [])]


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
