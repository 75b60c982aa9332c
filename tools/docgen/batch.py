# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The tables of what a batch does about an item, which refusals move it, and when the task fails.

They are asked of ``core.decisions.batch``, never written down here.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow_provider_adgen.core.decisions.batch import (
    ALWAYS_FAIL,
    NOT_COUNTED,
    WITH_RESULT,
    Do,
    ItemStatus,
    batch_fails,
    fate,
    may_move,
    next_step,
    stops_account,
)
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest, error_class
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.core.vendor import Promises
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from tools.docgen.catalogue import listed_vendors
from tools.docgen.cover import Factor, Rule, rules
from tools.docgen.text import code, codes, paragraphs, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")

FIRST, RECORDED, UNTRIED, GONE = "the first choice", "the recorded choice", "the first untried choice", "no choice"
"""Which choice a step is about."""

YES, NO = "yes", "no"
_EPOCH, _TRY = 2, 3
_CHOICES = ("first", "recorded", "untried")
_LISTED = Factor("The recorded request", ("is one of the choices", "is none of them any more"))
_CLEARED = Factor(
    "The task was cleared since",
    (NO, '`on_clear="missing"`', '`on_clear="fresh"`', '`on_clear="reattach"`'),
    {
        (0, 3): 'no, or `on_clear="reattach"`',
        (1, 2): 'yes, `on_clear="missing"` or `"fresh"`',
        (2,): 'yes, `on_clear="fresh"`',
        (0, 1, 3): 'no, or `on_clear="missing"` or `"reattach"`',
    },
)
_REFUND = Factor("A refund is documented for that end", (YES, NO))
_FAILED = Factor("`on_failed`", ("not set", "`fail`", "`resubmit`"))
_LEFT = Factor("A choice is untried", (YES, NO))
_WHOSE = Factor("It was submitted or waited for", ("in this try", "in an earlier try only"))
_REFUNDS: dict[str, Callable[[str], Promises]] = {
    YES: lambda _vendor: Promises(refunded=frozenset({GenerationStatus.FAILED})),
    NO: lambda _vendor: Promises(),
}


@dataclass(frozen=True)
class Outcome:
    """
    What is done about an item.

    :param do: what.
    :param which: of which choice.
    :param anew: a generation that is over is not taken.
    :param moved: the recorded job was another choice's, and its refund is documented.
    """

    do: Do
    which: str
    anew: bool = False
    moved: bool = False


DOES: dict[Outcome, str] = {
    Outcome(Do.SUBMIT, FIRST): "**submit** the first choice: pays",
    Outcome(Do.SUBMIT, FIRST, anew=True): "**submit** the first choice, whatever there was: pays",
    Outcome(Do.SUBMIT, RECORDED): "**submit** the recorded choice, by the tables of one generation: can pay",
    Outcome(Do.SUBMIT, GONE): "go on with the recorded request, by the tables of one generation: can pay",
    Outcome(Do.SUBMIT, UNTRIED, moved=True): "**submit** the first choice that is untried: pays",
    Outcome(Do.COLLECT, RECORDED): "**collect** the job: wait, then store",
    Outcome(Do.COLLECT, GONE): "**collect** the job: wait, then store; after that `on_changed_input` decides",
    Outcome(Do.RETURN, RECORDED): "**keep** the result",
    Outcome(Do.RETURN, GONE): "do what `on_changed_input` says",
    Outcome(Do.FAIL, RECORDED): "leave it **failed**",
    Outcome(Do.FAIL, GONE): "do what `on_changed_input` says",
}


@dataclass(frozen=True)
class Section:
    """
    One table.

    :param title: its heading.
    :param text: what it is about.
    :param factors: its columns.
    :param ask: what :func:`next_step` says for one value of each.
    """

    title: str
    text: str
    factors: tuple[Factor, ...]
    ask: Callable[..., Outcome]


def _attempt(phase: Any, **more: Any) -> Attempt:
    given: dict[str, Any] = {
        "epoch": _EPOCH,
        "try_number": _TRY,
        "fingerprint": _CHOICES[1],
        "kind": "video",
        "intended_at": 1000.0,
        "post_seconds": 60.0,
        **more,
    }
    return Attempt(phase=phase, **given)


def _outcome(
    records: Iterable[Record],
    *,
    listed: str = "is one of the choices",
    cleared: Sequence[str] = _CLEARED.values,
    refunds: Sequence[str] = _REFUND.values,
    failed: Sequence[str] = _FAILED.values,
) -> Outcome:
    """Return what is done; situations that a table does not tell apart must be decided alike."""
    prints = _CHOICES if listed == _LISTED.values[0] else ("first", "another", "untried")
    found = set()
    for record, clear, refund, on_failed in itertools.product(records, cleared, refunds, failed):
        step = next_step(
            record,
            prints,
            try_number=_TRY,
            epoch=_EPOCH if clear == NO else _EPOCH + 1,
            on_clear=cast("Any", next((word for word in ("fresh", "reattach") if word in clear), "missing")),
            on_failed=cast("Any", {"`fail`": "fail", "`resubmit`": "resubmit"}.get(on_failed)),
            promises=_REFUNDS[refund],
        )
        names = {0: FIRST, 1: RECORDED if listed == _LISTED.values[0] else UNTRIED, 2: UNTRIED, None: GONE}
        found.add(Outcome(step.do, names[step.choice], step.anew, step.moved))
    if len(found) != 1:
        raise AssertionError(f"the table of items needs one more column: {found}")
    return found.pop()


def _nothing(found: str) -> Outcome:
    return _outcome([Record(attempts=[_attempt("withdrawn")] if "withdrawn" in found else [])])


def _open(listed: str) -> Outcome:
    return _outcome([Record(attempts=[_attempt("intent")])], listed=listed)


def _under_way(listed: str) -> Outcome:
    return _outcome([Record(attempts=[_attempt("submitted", job_ids=["job"])])], listed=listed)


def _delivered(cleared: str, listed: str) -> Outcome:
    return _outcome([Record(attempts=[_attempt("done", job_ids=["job"])])], listed=listed, cleared=[cleared])


def _over(cleared: str, listed: str, refund: str, failed: str, left: str, whose: str) -> Outcome:
    job = {"job_ids": ["job"], "ended": "failed"}
    ways: list[dict[str, Any]] = [{"try_number": _TRY - 1}]
    if whose == _WHOSE.values[0]:
        ways = [{}, {"try_number": _TRY - 1, "wait_try": _TRY}]
    tried = [_attempt("withdrawn", intended_at=900.0, fingerprint="first", try_number=_TRY - 1, statuses=[400])]
    if left == NO:
        tried.append(_attempt("submitted", intended_at=950.0, fingerprint="untried", try_number=_TRY - 1, **job))
    records = [Record(attempts=[*tried, _attempt("submitted", **{**job, **way})]) for way in ways]
    return _outcome(records, listed=listed, cleared=[cleared], refunds=[refund], failed=[failed])


_STARTED = Factor("The record", ("is empty", "says that the earlier attempt started nothing (`withdrawn`)"))

SECTIONS = (
    Section(
        "Nothing was started",
        "Only the first choice is asked, also where an earlier try had gone further.",
        (_STARTED,),
        _nothing,
    ),
    Section(
        "A submission whose outcome is not recorded (`intent`)",
        "Nothing else about the item matters until this is settled; neither a clear nor the list changes it.",
        (_LISTED,),
        _open,
    ),
    Section("A job is under way (`submitted`)", "Whatever was cleared or changed.", (_LISTED,), _under_way),
    Section("The result was delivered (`done`)", "", (_CLEARED, _LISTED), _delivered),
    Section(
        "The job ended without a result (`submitted`, with its end)",
        "A choice is untried if no attempt since the last clear was made with its request, refused ones included. A "
        "job that several tries waited for was waited for in this try if this one did. A job that somebody canceled at "
        "the vendor is not among these: it is left **failed** until the task is cleared.",
        (_CLEARED, _LISTED, _REFUND, _FAILED, _LEFT, _WHOSE),
        _over,
    ),
)


@lru_cache(maxsize=len(SECTIONS))
def rules_of(section: Section) -> list[Rule[Outcome]]:
    """Return the rows of a section."""
    return rules(section.factors, section.ask)


def _table(factors: Sequence[Factor], found: Sequence[Rule[T]], last: str, say: Callable[[T], str]) -> str:
    rows = [
        [*(factor.describe(part) or "—" for factor, part in zip(factors, rule.box, strict=True)), say(rule.outcome)]
        for rule in found
    ]
    return table([*(factor.title for factor in factors), last], rows)


def item_steps() -> str:
    """Return the tables of what is done about an item."""
    blocks = []
    for section in SECTIONS:
        blocks += [f"### {section.title}", section.text]
        blocks.append(_table(section.factors, rules_of(section), "The batch will", DOES.__getitem__))
    return paragraphs(*blocks)


# --- refusals -----------------------------------------------------------------------------------------------------

STATUSES = (400, 401, 402, 403, 404, 409, 413, 422, 429, 500)


def refusal(status: int, vendor: str, promises: Promises) -> str:
    """Return what a refusal of a submission does: ``moves``, ``stops the account``, or neither."""
    error = error_class(status)("refused", vendor=vendor, status=status, own_words=True)
    if stops_account(error, vendor):
        return "stops"
    return "moves" if may_move(error, promises) else ""


def refusals() -> str:
    """Return which refusals move an item, and which stop an account, for each vendor."""
    rows = []
    for one in listed_vendors():
        found = {status: refusal(status, one.name, one.vendor.promises) for status in STATUSES}
        rows.append(
            [
                f"[{one.vendor.title}](vendors/{one.name}.md)",
                *(
                    codes(status for status, does in found.items() if does == word) or "none"
                    for word in ("moves", "stops")
                ),
            ]
        )
    return table(["Vendor", "The item goes to its next choice", "The account takes nothing more in this try"], rows)


# --- how an item ends ---------------------------------------------------------------------------------------------

_FOUND: dict[str, Record | None] = {
    "cannot be read": None,
    "is empty": Record(),
    "says that nothing was started (`withdrawn`)": Record(attempts=[_attempt("withdrawn")]),
    "has a submission whose outcome is open (`intent`)": Record(attempts=[_attempt("intent")]),
    "has a job that is under way (`submitted`)": Record(attempts=[_attempt("submitted")]),
    "has a job that ended without a result": Record(attempts=[_attempt("submitted", ended="failed")]),
    "has a result (`done`)": Record(attempts=[_attempt("done")]),
}
FATE = (
    Factor("The record", tuple(_FOUND), {(1, 2): "is empty, or says that nothing was started (`withdrawn`)"}),
    Factor("A retry can help", (YES, NO)),
)


def called(record: str, helps: str) -> ItemStatus:
    """Return what :func:`fate` says."""
    return fate(_FOUND[record], AdGenError("x") if helps == YES else InvalidRequest("x"))


def item_fates() -> str:
    """Return what an item is called that an error stopped."""
    return _table(FATE, rules(FATE, called), "It is called", code)


# --- when the task fails ------------------------------------------------------------------------------------------

_ALWAYS = f"at least one item is {' or '.join(f'`{one}`' for one in sorted(ALWAYS_FAIL))}"
_HAVE: dict[str, tuple[list[ItemStatus], ...]] = {
    "there are none": ([],),
    _ALWAYS: tuple([*[ItemStatus.COMPLETED] * 9, one] for one in ALWAYS_FAIL),
    "all have a result, or do not count": (
        [*WITH_RESULT],
        [*NOT_COUNTED],
        [*WITH_RESULT, *NOT_COUNTED],
    ),
    "a tenth has no result": tuple(
        [*[ItemStatus.COMPLETED] * 9, one] for one in (ItemStatus.FAILED, ItemStatus.REFUSED, ItemStatus.WAITING)
    ),
    "half have no result": tuple(
        [ItemStatus.COMPLETED, one] for one in (ItemStatus.FAILED, ItemStatus.REFUSED, ItemStatus.WAITING)
    ),
    "none has a result": tuple(
        [one, *NOT_COUNTED] for one in (ItemStatus.FAILED, ItemStatus.REFUSED, ItemStatus.WAITING)
    ),
}
WHEN = ('"any"', '"all"', "0.1", "0.5")
"""Values of ``fail_when``; a share stands for any."""


def fails(have: str, when: str) -> bool:
    """Return what :func:`batch_fails` says."""
    given = json.loads(when)
    found = {batch_fails(one, given) for one in _HAVE[have]}
    if len(found) != 1:
        raise AssertionError(f"the table of failures needs one more row: {have}")
    return found.pop()


def batch_failures() -> str:
    """Return when a batch fails."""
    rows = [[have, *("**fails**" if fails(have, when) else "succeeds" for when in WHEN)] for have in _HAVE]
    return table(["Of the items", *(f"`fail_when={when}`" for when in WHEN)], rows)
