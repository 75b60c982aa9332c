# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What happens often in a history: each theme makes some things common that are rare together."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.histories.vendors import WEATHERS

EVERYBODY = ("adsumo", "cutx", "sume", "cutx video")
LOSING = ("answers lost", "errors after charging", "garbage", "gusty")


@dataclass(frozen=True)
class Theme:
    """
    How often things happen, as shares.

    :param makers: who may make the items of a batch; one of these is drawn.
    :param items: how many there are, at least and at most.
    :param several: items have several choices where there are several makers.
    :param deferrable: batches wait in the triggerer.
    :param shared: two batches share a library.
    :param budgets: accounts have budgets.
    :param max_credits: a batch may cost so much only.
    :param resubmits: authors accept the risk of paying twice.
    :param sick: how often jobs fail, as a multiple.
    :param weathers: how vendors behave.
    :param deadly: shares of processes that die; one of these is drawn.
    :param deaf: processes cannot read what people have said.
    :param answers: people say what became of unknown submissions.
    :param looks: those look at the vendor before.
    :param clears: people clear the task.
    :param rejects: people reject creatives.
    :param losses: people delete stored files.
    :param edits: authors change their lists between two legs of a try.
    """

    makers: tuple[tuple[str, ...], ...] = (("adsumo",), ("sume",), ("cutx",), EVERYBODY)
    items: tuple[int, int] = (1, 6)
    several: bool = False
    deferrable: float = 0.7
    shared: float = 0.35
    budgets: float = 0.35
    max_credits: float = 0.2
    resubmits: float = 0.15
    sick: float = 1.0
    weathers: tuple[str, ...] = tuple(sorted(WEATHERS))
    deadly: tuple[float, ...] = (0.0, 0.3, 0.6)
    deaf: float = 0.1
    answers: float = 0.5
    looks: float = 0.85
    clears: float = 0.3
    rejects: float = 0.2
    losses: float = 0.08
    edits: float = 0.1


THEMES = (
    Theme(),
    Theme(),
    Theme(),
    # people, and risks
    Theme(
        makers=(("sume",), ("cutx",), ("sume", "cutx", "cutx video")),
        items=(3, 6),
        shared=0.0,
        budgets=0.2,
        resubmits=1.0,
        weathers=LOSING,
        deadly=(0.0, 0.2),
        deaf=0.4,
        answers=0.9,
    ),
    # people who do not look
    Theme(makers=(("cutx video",), EVERYBODY), shared=0.0, weathers=LOSING, deadly=(0.0,), answers=0.9, looks=0.3),
    # money
    Theme(items=(4, 6), shared=0.2, budgets=1.0, max_credits=0.4, weathers=(*LOSING, "busy"), deadly=(0.0, 0.3)),
    # a library
    Theme(items=(1, 4), shared=1.0, budgets=0.1, clears=0.5, rejects=0.6, losses=0.2),
    # failures, and moves to other accounts
    Theme(
        makers=(("cutx", "cutx video", "sume"), EVERYBODY),
        items=(2, 5),
        several=True,
        deferrable=0.4,
        budgets=0.1,
        max_credits=0.05,
        sick=2.5,
        deadly=(0.0, 0.0, 0.3),
    ),
    # authors
    Theme(items=(3, 6), deferrable=0.9, shared=0.1, edits=0.5),
)
