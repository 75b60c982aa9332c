# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of what a task does about an earlier submission."""

from __future__ import annotations

from functools import lru_cache

from airflow_provider_adgen.core.decisions.submission import Action
from tools.docgen.cover import Rule, rules
from tools.docgen.situations import SAFE, SECTIONS, Outcome, Section
from tools.docgen.text import code, paragraphs, table

DOES = {
    Action.SUBMIT: "**submit**: pays",
    Action.REPEAT: "**repeat** with the same key",
    Action.ASK: "**ask** the vendor, then decide",
    Action.ATTACH: "**attach**: wait for that job",
    Action.RETURN: "**return** what is recorded",
    Action.WAIT: "**wait**, then decide",
    Action.STOP: "**stop** and say why",
}


@lru_cache(maxsize=len(SECTIONS))
def rules_of(section: Section) -> list[Rule[Outcome]]:
    """Return the rows of a section."""
    return rules(section.factors, section.ask)


def _table(section: Section) -> str:
    found = rules_of(section)
    # What never matters needs no column.
    used = [
        place for place, factor in enumerate(section.factors) if any(factor.describe(rule.box[place]) for rule in found)
    ]
    rows = [
        [
            *(section.factors[place].describe(rule.box[place]) or "—" for place in used),
            DOES[rule.outcome[0]],
            str(rule.outcome[1]),
        ]
        for rule in found
    ]
    return table([*(section.factors[place].title for place in used), "The task will", "because"], rows)


def decision_tables() -> str:
    """Return all tables."""
    reasons = [value.removeprefix("no: ") for value in SAFE.values if value.startswith("no: ")]
    note = (
        "Reasons for which the same key may pay again: " + "; ".join(reasons) + ". Where the vendor has no keys, the "
        "first of them always holds."
    )
    blocks = []
    for section in SECTIONS:
        blocks += [f"## {section.title}", section.text]
        if SAFE in section.factors:
            blocks.append(note)
        blocks.append(_table(section))
    return paragraphs(*blocks)


def action_list() -> str:
    """Return what each action means."""
    meaning = {
        Action.SUBMIT: "Write a new intent and post it. **This spends credits.**",
        Action.REPEAT: "Post the recorded attempt again with its own key; by the vendor's word it does not pay again.",
        Action.ASK: "Ask the vendor what became of the recorded job, then look the answer up in the table after that.",
        Action.ATTACH: "Wait for the recorded job; nothing is sent but questions.",
        Action.RETURN: "Return what the record holds, without asking the vendor for a new job.",
        Action.WAIT: "Wait, then decide again; nothing is sent meanwhile.",
        Action.STOP: "Send nothing and fail, saying what happened, to which job, what it may have cost and what to do.",
    }
    return table(["Word", "What it means"], [(code(action), text) for action, text in meaning.items()])
