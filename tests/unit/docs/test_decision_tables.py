# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The printed tables say exactly what is decided."""

from __future__ import annotations

import itertools
import random

import pytest

from airflow_provider_adgen.core.decisions.submission import Action, Why
from tools.docgen.cover import Factor, rules
from tools.docgen.decisions import DOES, decision_tables, rules_of
from tools.docgen.situations import SECTIONS

READABLE = 14
"""Rows that a person still reads."""


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_every_row_holds_and_together_they_cover_everything(section) -> None:
    found = rules_of(section)
    for point in itertools.product(*(range(len(factor.values)) for factor in section.factors)):
        decided = section.ask(*(factor.values[i] for factor, i in zip(section.factors, point, strict=True)))
        said = {rule.outcome for rule in found if all(i in box for i, box in zip(point, rule.box, strict=True))}
        assert said == {decided}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_a_table_is_short_enough_to_be_read(section) -> None:
    assert len(rules_of(section)) <= READABLE


def test_no_decision_and_no_reason_is_missing() -> None:
    outcomes = {rule.outcome for section in SECTIONS for rule in rules_of(section)}
    assert {action for action, _ in outcomes} == set(Action) == set(DOES)
    assert {why for _, why in outcomes} == set(Why)


def test_the_tables_say_it_in_words() -> None:
    text = decision_tables()
    for why in Why:
        assert f"| {why} |" in text
    # What spends is said to.
    for line in text.splitlines():
        if "**submit**" in line:
            assert "pays" in line


def test_the_rules_of_any_function_are_that_function() -> None:
    rng = random.Random(4)
    for _ in range(30):
        factors = [Factor(str(place), tuple("abcd"[: rng.randint(2, 4)])) for place in range(rng.randint(1, 4))]
        values = {
            point: rng.choice(["x", "y", None, "z"]) for point in itertools.product(*(one.values for one in factors))
        }
        found = rules(factors, lambda *point, values=values: values[point])
        for point, outcome in values.items():
            index = tuple(factor.values.index(value) for factor, value in zip(factors, point, strict=True))
            said = {rule.outcome for rule in found if all(i in box for i, box in zip(index, rule.box, strict=True))}
            assert outcome is None or said == {outcome}


def test_values_are_named_together_where_there_is_a_name() -> None:
    factor = Factor("f", ("a", "b", "c"), {(1, 2): "not a"})
    assert [factor.describe(one) for one in [(0,), (0, 1), (1, 2), (0, 1, 2)]] == ["a", "a or b", "not a", ""]
