# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The situations of a task that has, or may have, submitted before: what tells them apart, and what is decided in each.

The decisions are asked of ``core.decisions.submission.decide``, never written down here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_provider_adgen.core.decisions.submission import MISSING, Action, Policy, Situation, Why, decide
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.core.vendor import Idempotency, Promises
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from tools.docgen.cover import Factor

if TYPE_CHECKING:
    from collections.abc import Callable

Outcome = tuple[Action, Why]

# One request in all situations: what matters is how the record differs from it.
_KIND, _INPUT, _KEY, _EPOCH = "video", "fingerprint", "tag", 2
_INTENDED, _POST = 1000.0, 60.0
_LASTING = Idempotency(seconds=3600.0, kinds=frozenset({_KIND}))
_RUNNING = Idempotency(seconds=20.0, kinds=frozenset({_KIND}), while_running=True)

YES, NO = "yes", "no"
_KEEPS = "yes, also after the job ended"
_WHILE = "yes, while the first request runs"
SAFE = Factor(
    "The same key does not pay again",
    (
        _KEEPS,
        _WHILE,
        "no: the vendor has no keys, or none for this request, or it was sent without one",
        "no: the time for which it is promised is over, or is after the pause",
        "no: the vendor accepted it, and its answer holds no job id",
        "no: the request changed meanwhile",
        "no: the account's key changed meanwhile",
        "no: the last three answers were the same error",
        "no: it is promised only while the first request runs, and the account had three in a row refused (402, 403)",
        "yes, and three repeats in a row were refused because of the account (402, 403)",
    ),
    {(0, 1): YES, (2, 3, 4, 5, 6, 7, 8): "no, for any reason"},
)
_POSTING = Factor(
    "The first request",
    (
        "may still be under way in another process",
        "is over, and its deadline has not passed",
        "is over, and its deadline has passed",
    ),
    {(1, 2): "is over"},
)
_PAUSED = Factor("The pause between two requests", ("is over", "is not over"))
_UNKNOWN = Factor("`on_unknown_submission`", ("`fail`", "`resubmit`"))
_CLEARED = Factor(
    "The task was cleared since",
    (NO, '`on_clear="fresh"`', '`on_clear="reattach"`'),
    {(0, 2): 'no, or `on_clear="reattach"`', (1,): 'yes, `on_clear="fresh"`'},
)
_CHANGED = Factor(
    "The request or account",
    (
        "is the same",
        'changed, `on_changed_input="fail"`',
        'changed, `on_changed_input="reattach"`',
        'changed, `on_changed_input="fresh"`',
    ),
    {(1, 2, 3): "changed", (0, 2): 'is the same, or `on_changed_input="reattach"`'},
)
_SAYS = Factor(
    "The vendor says the job",
    (
        "is under way",
        "is completed",
        "failed",
        "expired",
        "was canceled",
        "is not known (404)",
    ),
)
_REFUND = Factor("A refund is documented for that end", (YES, NO))
_FAILED = Factor("`on_failed`", ("not set", "`fail`", "`resubmit`"))
_RESULT = Factor(
    "The result, which is given once",
    ("is in the record", "is not, and asking with the same key is safe", "is not, and no key can ask for it"),
)
_STORED = Factor(
    "The delivered result",
    (
        "is text, or all its files were stored",
        "has links, which are asked for anew",
        "was given once; asking with the same key is safe",
        "was given once, and no key can ask for it",
    ),
)
_TRY = Factor("This is", ("the first try", "a later try, or a later leg of one"))
_KEYS = Factor("The vendor has keys for this request", ("that outlive the job", "that work while it runs", NO))


@dataclass(frozen=True)
class Section:
    """
    One table.

    :param title: its heading.
    :param text: what it is about.
    :param factors: its columns.
    :param ask: what :func:`decide` says for one value of each.
    """

    title: str
    text: str
    factors: tuple[Factor, ...]
    ask: Callable[..., Outcome | None]


def _situation(record: Record | None, **more: Any) -> Situation:
    given: dict[str, Any] = {
        "promises": Promises(),
        "policy": Policy(),
        "kind": _KIND,
        "epoch": _EPOCH,
        "fingerprint": _INPUT,
        "fields": {},
        "now": _INTENDED + 10 * _POST,
        "key_tag": _KEY,
        "try_number": 2,
        **more,
    }
    return Situation(record=record, **given)


def _attempt(phase: Literal["intent", "withdrawn", "submitted", "done"], **more: Any) -> Attempt:
    given: dict[str, Any] = {
        "epoch": _EPOCH,
        "fingerprint": _INPUT,
        "kind": _KIND,
        "intended_at": _INTENDED,
        "post_seconds": _POST,
        "key": "key",
        "key_tag": _KEY,
        **more,
    }
    return Attempt(phase=phase, **given)


def _outcome(*situations: Situation) -> Outcome:
    """Return what is decided; situations that a table does not tell apart must be decided alike."""
    found = {(decision.action, decision.why) for decision in map(decide, situations)}
    if len(found) != 1:
        raise AssertionError(f"the table of decisions needs one more column: {found}")
    return found.pop()


def _no_record(this: str, keys: str, unknown: str) -> Outcome:
    rule = {_KEYS.values[0]: _LASTING, _KEYS.values[1]: _RUNNING}.get(keys)
    common: dict[str, Any] = {"promises": Promises(idempotency=rule), "policy": _policy(unknown=unknown)}
    if this == _TRY.values[0]:
        return _outcome(_situation(None, try_number=1, **common))
    return _outcome(
        *(_situation(None, try_number=number, resumed=resumed, **common) for number, resumed in ((2, False), (1, True)))
    )


def _policy(
    *, unknown: str = "`fail`", cleared: str = NO, changed: str = "is the same", failed: str = "not set"
) -> Policy:
    return Policy(
        on_unknown_submission="resubmit" if "resubmit" in unknown else "fail",
        on_clear="reattach" if "reattach" in cleared else "fresh",
        on_changed_input=cast("Any", next((word for word in ("reattach", "fresh") if word in changed), "fail")),
        on_failed={"`fail`": "fail", "`resubmit`": "resubmit"}.get(failed),  # type: ignore[arg-type]  # None is a choice
    )


def _nothing(earlier: str) -> Outcome:
    attempts = [_attempt("withdrawn")] if "withdrawn" in earlier else []
    return _outcome(*(_situation(Record(attempts=attempts), resumed=resumed) for resumed in (False, True)))


def _unresolved(posting: str, safe: str, paused: str, unknown: str) -> Outcome | None:
    now = _INTENDED + (30.0 if posting != _POSTING.values[2] else 10 * _POST)
    window = 20.0 if safe == SAFE.values[3] else 10_000.0
    refused = safe in SAFE.values[8:]
    rule = replace(_RUNNING if safe in {_WHILE, SAFE.values[8]} else _LASTING, seconds=window)
    written: dict[str, Any] = {
        "fingerprint": "other" if safe == SAFE.values[5] else _INPUT,
        "key_tag": "other" if safe == SAFE.values[6] else _KEY,
        "unknown": safe == SAFE.values[4],
        "statuses": [500, 500, 500] if safe == SAFE.values[7] else [402, 402, 402] if refused else [500, 0],
        "sent_at": now - (1.0 if paused == _PAUSED.values[1] else 900.0),
    }
    ways: list[tuple[Idempotency | None, str | None]] = [(rule, "key")]
    if safe == SAFE.values[2]:
        ways = [(None, "key"), (replace(rule, kinds=frozenset()), "key"), (rule, None)]
    # Whose request it was matters only until its deadline; neither a clear nor which leg of a try asks ever does.
    owners: tuple[bool, ...]
    owners = {_POSTING.values[0]: (False,), _POSTING.values[1]: (True,)}.get(posting, (False, True))
    owners = tuple(own for own in owners if own) or owners if refused else owners
    return _outcome(
        *(
            _situation(
                Record(attempts=[_attempt("intent", epoch=epoch, key=key, **written)]),
                promises=Promises(idempotency=promised),
                policy=_policy(unknown=unknown),
                now=now,
                own=own,
                resumed=resumed,
            )
            for promised, key in ways
            for epoch in (_EPOCH, _EPOCH - 1)
            for own in owners
            for resumed in (False, True)
        )
    )


def _job(**more: Any) -> Attempt:
    return _attempt("submitted", job_ids=["job"], **more)


def _asked(cleared: str, changed: str) -> Outcome:
    return _outcome(_of_job(_job, cleared, changed))


def _of_job(
    make: Callable[..., Attempt], cleared: str, changed: str, *, failed: str = "not set", **more: Any
) -> Situation:
    attempt = make(
        epoch=_EPOCH if cleared == NO else _EPOCH - 1,
        fingerprint=_INPUT if changed == _CHANGED.values[0] else "other",
    )
    policy = _policy(cleared=cleared, changed=changed, failed=failed)
    return _situation(Record(attempts=[attempt]), policy=policy, **more)


def _by_status(cleared: str, says: str, refund: str, failed: str) -> Outcome | None:
    words: dict[str, tuple[str, ...]] = {
        _SAYS.values[0]: ("pending", "queued", "processing", "suspended", "a word of the vendor's own"),
        _SAYS.values[1]: ("completed",),
        _SAYS.values[2]: ("failed",),
        _SAYS.values[3]: ("expired",),
        _SAYS.values[4]: ("canceled",),
        _SAYS.values[5]: (MISSING,),
    }
    ends = frozenset({GenerationStatus.FAILED, GenerationStatus.EXPIRED, GenerationStatus.CANCELED})
    promises = Promises(refunded=ends if refund == YES else frozenset())
    # A changed input of which on_changed_input says "reattach" must make no difference here.
    inputs = [_CHANGED.values[0]] + ([_CHANGED.values[2]] if "fresh" not in cleared else [])
    return _outcome(
        *(
            _of_job(_job, cleared, changed, failed=failed, promises=promises, says=word)
            for changed in inputs
            for word in words[says]
        )
    )


def _resumed(result: str) -> Outcome:
    kept: dict[str, Any] | None = {"creatives": []} if "in the record" in result else None
    common: dict[str, Any] = {"resumed": True, "synchronous": result in _RESULT.values}
    common["promises"] = Promises(idempotency=_LASTING if "is safe" in result else None)
    # Nothing is compared: neither with another epoch nor, for a result that the vendor can be asked for, another input.
    inputs = (_INPUT,) if common["synchronous"] else (_INPUT, "other")
    return _outcome(
        *(
            _situation(Record(attempts=[_job(result=kept, epoch=epoch, fingerprint=value)]), **common)
            for epoch in (_EPOCH, _EPOCH - 1)
            for value in inputs
        )
    )


def _once(cleared: str, changed: str, result: str) -> Outcome:
    rule = _LASTING if "is safe" in result else None
    kept: dict[str, Any] | None = {"variants": []} if "in the record" in result else None

    def make(**more: Any) -> Attempt:
        return _job(result=kept, **more)

    return _outcome(
        _of_job(make, cleared, changed, synchronous=True, promises=Promises(idempotency=rule)),
    )


def _delivered(cleared: str, changed: str, stored: str) -> Outcome:
    once = "given once" in stored
    creative = {"uri": "file:///ad.mp4"} if stored == _STORED.values[0] else {"uri": None}
    rule = _LASTING if "is safe" in stored else None

    def make(**more: Any) -> Attempt:
        return _attempt("done", job_ids=["job"], result={"creatives": [creative]}, **more)

    return _outcome(_of_job(make, cleared, changed, synchronous=once, promises=Promises(idempotency=rule)))


def _moved(cleared: str) -> Outcome:
    epoch = _EPOCH if cleared == NO else _EPOCH - 1
    attempt = _job(epoch=epoch, fingerprint="other", ended="failed")
    return _outcome(*(_situation(Record(attempts=[attempt]), moved=True, resumed=one) for one in (False, True)))


_EARLIER = Factor("The record", ("is empty", "says that the earlier attempt started nothing (`withdrawn`)"))
_LEG = Factor(
    "The result",
    ("is asked for at the vendor", *_RESULT.values),
)

SECTIONS = (
    Section(
        "Nothing is recorded, or nothing was started",
        "The record can be read, and there is no job in it. An attempt that started nothing counts as none: if another "
        "came before it, that one decides, by the tables below.",
        (_EARLIER,),
        _nothing,
    ),
    Section(
        "A submission whose outcome is not recorded (`intent`)",
        "The intent was written, and neither a job nor a refusal: the process died, or the answer never came. It does "
        "not matter here whether the task was cleared.",
        (_POSTING, SAFE, _PAUSED, _UNKNOWN),
        _unresolved,
    ),
    Section(
        "A job is recorded (`submitted`): a later leg of the same try",
        "The task was deferred and goes on. Its request is not looked at again.",
        (_LEG,),
        _resumed,
    ),
    Section(
        "A job is recorded (`submitted`): a new try, before the vendor is asked",
        "A retry, or the task was cleared.",
        (_CLEARED, _CHANGED),
        _asked,
    ),
    Section(
        "A job is recorded (`submitted`): a new try, after the vendor was asked",
        'The request is the same, or the paid job\'s result is taken all the same (`on_changed_input="reattach"`). '
        "A status word that is not known counts as under way.",
        (_CLEARED, _SAYS, _REFUND, _FAILED),
        _by_status,
    ),
    Section(
        "A job is recorded (`submitted`) whose result is given once: a new try",
        "Some results arrive with the answer to the submission and nowhere else (ad copy, voiceovers). Text is kept in "
        "the record at once.",
        (_CLEARED, _CHANGED, _RESULT),
        _once,
    ),
    Section(
        "An item of a batch goes to its next choice",
        "The recorded job was submitted for another choice of the same item. It failed, and its refund is documented.",
        (Factor("The task was cleared since", (NO, YES)),),
        _moved,
    ),
    Section(
        "The result was delivered (`done`): a new try",
        "The task succeeded before, or died while Airflow was being told.",
        (_CLEARED, _CHANGED, _STORED),
        _delivered,
    ),
    Section(
        "There is nothing to record in",
        "Airflow before 3.3, without `[adgen] ledger_path`.",
        (_TRY, _KEYS, _UNKNOWN),
        _no_record,
    ),
)
