# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a plan, and what a person should know of one that can be made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.wording import counted, named

if TYPE_CHECKING:
    from airflow_provider_adgen.campaigns.filling import RowValues

_SHOWN = 20
_SHOWN_PRODUCTS = 5
_SHOWN_VALUES = 6
_LONGEST_VALUE = 60


@dataclass
class PlanProblems:
    """What is wrong with a plan, gathered, so that one error names it all; what is alike is counted."""

    found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, sentence: str, where: str) -> None:
        """Note a problem, and where it was met."""
        count, first = self.found.get(sentence, (0, where))
        self.found[sentence] = (count + 1, first)

    def raise_if_any(self) -> None:
        """
        Refuse the plan if anything was noted.

        :raises InvalidRequest: naming the first 20 problems, and how often and where first each was met.
        """
        if not self.found:
            return
        lines = []
        for sentence, (count, first) in list(self.found.items())[:_SHOWN]:
            more = f" and {count - 1} more" if count > 1 else ""
            lines.append(f"\n  {first}{more}: {sentence}")
        if len(self.found) > _SHOWN:
            lines.append(f"\n  ... and {len(self.found) - _SHOWN} other problems")
        raise InvalidRequest(
            f"The campaign cannot be planned. Nothing was sent and nothing was charged.{''.join(lines)}"
        )


@dataclass
class _WithoutValue:
    creatives: int = 0
    product_ids: list[str] = field(default_factory=list)

    def add(self, product_id: str, creatives: int) -> None:
        self.creatives += creatives
        if product_id not in self.product_ids[-1:]:
            self.product_ids.append(product_id)


class PlanWarnings:
    """What a person should know of a plan that can be made: what a text was written without, and what is for nobody."""

    def __init__(self) -> None:
        self._products = 0
        self._empty: dict[tuple[str, tuple[str, ...]], _WithoutValue] = {}
        self._without_picture: dict[tuple[str, str, str], _WithoutValue] = {}
        self._unmatched: dict[str, tuple[Mapping[str, str], dict[str, dict[str, None]]]] = {}

    def look_for(self, brief: str, where: Mapping[str, str]) -> None:
        """Expect a product for a brief."""
        self._unmatched[brief] = where, {column: {} for column in where}

    def next_product(self) -> None:
        """Count a product that is looked at."""
        self._products += 1

    def match(self, brief: str) -> None:
        """Note that a product is for a brief."""
        self._unmatched.pop(brief, None)

    def no_match(self, brief: str, values: RowValues) -> None:
        """Note what a product has in the columns that a brief is about, unless a product was for it before."""
        if brief in self._unmatched:
            for column, seen in self._unmatched[brief][1].items():
                if len(seen) <= _SHOWN_VALUES:
                    seen[values.matching(column, lacking_is_empty=True)] = None

    def empty(self, brief: str, columns: Sequence[str], product_id: str, creatives: int) -> None:
        """Note that the texts of some creatives name columns that are empty for their product."""
        self._empty.setdefault((brief, tuple(columns)), _WithoutValue()).add(product_id, creatives)

    def without_picture(self, brief: str, conn_id: str, why: str, product_id: str, creatives: int) -> None:
        """Note that an account would make some creatives without the picture that the brief gives it if possible."""
        self._without_picture.setdefault((brief, conn_id, why), _WithoutValue()).add(product_id, creatives)

    def told(self) -> list[str]:
        """Return one sentence for each."""
        empty = [_empty(brief, columns, found) for (brief, columns), found in self._empty.items()]
        empty += [
            f"{counted(found.creatives, 'creative')} of brief {brief!r}: {conn_id} is given no picture of the product "
            f"for {named(found.product_ids, _SHOWN_PRODUCTS)}, because {why}"
            for (brief, conn_id, why), found in self._without_picture.items()
        ]
        if not self._products:
            return empty
        looked_at = f"{self._products:,} looked at"
        return [
            f"brief {brief!r}: no product ({looked_at}) matches where={_where(where)}{_values(seen)}"
            for brief, (where, seen) in self._unmatched.items()
        ] + empty


def _empty(brief: str, columns: Sequence[str], found: _WithoutValue) -> str:
    braced = " and ".join("{" + name + "}" for name in columns)
    # A price that is missing has no currency either.
    filters = {name: "?*" for name in columns if name != "currency" or "price" not in columns}
    advice = f"to leave such products out: where={_where(filters)}"
    if list(filters) == ["currency"]:
        advice = 'campaign_refresh(currency="EUR") or read_catalogue(currency="EUR") names one'
    return (
        f"{counted(found.creatives, 'creative')} of brief {brief!r}: {braced} {'is' if len(columns) == 1 else 'are'} "
        f"empty for {named(found.product_ids, _SHOWN_PRODUCTS)}, and left out of the text; {advice}"
    )


def _where(where: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{_quoted(name)}: {_quoted(glob)}' for name, glob in where.items())}}}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _values(seen: Mapping[str, Mapping[str, None]]) -> str:
    told = ""
    for column, values in seen.items():
        first = [repr(value[:_LONGEST_VALUE]) for value in list(values)[:_SHOWN_VALUES]]
        told += f"; {column} is {', '.join(first)}{', ...' if len(values) > _SHOWN_VALUES else ''}"
    return told
