# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Turns a function of a few factors into the fewest readable rules.

A rule gives each factor a set of values and has one outcome. Every rule holds by itself, whatever the order; together
they cover every combination exactly as the function has it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")
Point = tuple[int, ...]
Box = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Factor:
    """
    Something that an outcome depends on.

    :param title: what it is.
    :param values: what it can be.
    :param names: shorter words for several values at once, by their indices.
    """

    title: str
    values: tuple[str, ...]
    names: Mapping[tuple[int, ...], str] = field(default_factory=dict, hash=False)

    def describe(self, indices: tuple[int, ...]) -> str:
        """Return the words for some of the values; empty for all of them."""
        if len(indices) == len(self.values):
            return ""
        return self.names.get(indices) or " or ".join(self.values[index] for index in indices)


@dataclass(frozen=True)
class Rule(Generic[T]):
    """
    One row: for each factor the values it is about, and the outcome of all their combinations.

    :param box: indices of values, by factor.
    :param outcome: what follows.
    """

    box: Box
    outcome: T


def rules(factors: Sequence[Factor], outcome: Callable[..., T | None]) -> list[Rule[T]]:
    """
    Return the rules of *outcome*, in the order of their first cases.

    :param factors: what it depends on.
    :param outcome: takes a value of each factor; None for a combination that cannot be.
    """
    sizes = [range(len(factor.values)) for factor in factors]
    found = {
        point: outcome(*(factor.values[index] for factor, index in zip(factors, point, strict=True)))
        for point in itertools.product(*sizes)
    }
    left = {point for point, result in found.items() if result is not None}
    boxes = {
        _grown(point, found, sizes, order): result
        for point, result in found.items()
        if result is not None
        for order in _orders(len(sizes))
    }
    chosen: list[Rule[T]] = []
    while left:
        # The largest gain first; the smallest box decides between equals, so that the result is always the same.
        best = min(boxes, key=lambda box: (-_gain(box, left), box))
        chosen.append(Rule(best, boxes[best]))
        left.difference_update(_points(best))
    return sorted(chosen, key=lambda rule: rule.box)


def _orders(count: int) -> Iterator[tuple[int, ...]]:
    for shift in range(count):
        turned = tuple((shift + index) % count for index in range(count))
        yield turned
        yield turned[::-1]


def _grown(point: Point, found: dict[Point, T | None], sizes: Sequence[range], order: tuple[int, ...]) -> Box:
    """Grow a box around a case, factor by factor, as long as everything in it has the same outcome."""
    box: list[tuple[int, ...]] = [(index,) for index in point]
    for place in order:
        for index in sizes[place]:
            if index in box[place]:
                continue
            layer = [*box[:place], (index,), *box[place + 1 :]]
            if all(found[other] in (None, found[point]) for other in itertools.product(*layer)):
                box[place] = tuple(sorted((*box[place], index)))
    return tuple(box)


def _points(box: Box) -> Iterator[Point]:
    return itertools.product(*box)


def _gain(box: Box, left: set[Point]) -> int:
    return sum(1 for point in _points(box) if point in left)
