# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The end of a batch's leg: what is written for people and for the next leg, and what is waited for or told."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.batch import batch_fails
from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.core.failpoints import failpoint
from airflow_provider_adgen.core.wording import counted, named
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch.failure import BatchFailed, BatchRefused
from airflow_provider_adgen.lifecycle.batch.items import trouble
from airflow_provider_adgen.lifecycle.batch.lost import key_tags, look_for_jobs, lost_submissions, shared_jobs
from airflow_provider_adgen.lifecycle.batch.notes import held_of, notes_of
from airflow_provider_adgen.lifecycle.batch.opening import readable
from airflow_provider_adgen.lifecycle.batch.reasons import why_no_result
from airflow_provider_adgen.lifecycle.batch.results import (
    results_name,
    results_uri,
    say_credits,
    summary,
    write_results,
)
from airflow_provider_adgen.lifecycle.batch.state import chosen
from airflow_provider_adgen.lifecycle.legs import Finished, SubmitLater, Wait
from airflow_provider_adgen.lifecycle.stop_messages import how_to_resolve_items

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.record import Record
    from airflow_provider_adgen.ledger.batch import BatchStore
    from airflow_provider_adgen.lifecycle.batch.board import Board
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

_SHARED = 5
"""Jobs that the message names of those that more than one item could be."""


class Ending:
    """
    Ends the legs of a batch.

    :param board: the items.
    :param opening: the accounts.
    :param store: the batch's record.
    :param facts: the task.
    :param options: what the author chose.
    :param tell: is told where the results are, whenever they were written.
    :param clock: time, injected.
    :param log: where to say what happened.
    """

    def __init__(
        self,
        board: Board,
        *,
        opening: Opening,
        store: BatchStore,
        facts: TaskFacts,
        options: BatchOptions,
        tell: Callable[[str], None],
        clock: Clock,
        log: Any,
    ) -> None:
        self._board = board
        self._opening = opening
        self._store = store
        self._facts = facts
        self._options = options
        self._tell = tell
        self._clock = clock
        self._log = log
        self._results = ""

    def write(self) -> None:
        """Write the results, and what the next leg needs to begin quickly."""
        board, now = self._board, self._clock.now()
        for conn_id, waiting in board.ready.items():
            why = self._opening.account(conn_id).why(now)
            for state in waiting:
                state.waits_for = why
        uri, refusal = self._place_of_results(), self._opening.refusal
        notes = {
            "try": self._facts.try_number,
            "items": notes_of(board.states),
            "held": held_of(board.states),
            "stopped": self._stopped(),
            "waiting": {name: why for name, one in self._opening.accounts.items() if (why := one.why(now))},
            "results": uri or None,
            "given_up": board.given_up,
            "refusal": refusal._asdict() if refusal is not None else None,
        }
        try:
            self._opening.reused.write()
        except Exception as error:  # it is written when the batch ends, or that fails
            self._log.warning("What is used again could not be written down (%s).", trouble(error))
        failpoint("before-snapshot")
        try:
            self._store.write_snapshot(now, map(_snapshot, board.states), notes)
        except Exception as error:  # the next leg reads the objects instead, which takes longer
            self._log.warning("The snapshot of this batch could not be written (%s).", trouble(error))
        if uri:
            name = results_name(self._facts.identity)
            self._results = write_results(self._options.destination, name, (state.text() for state in board.states))
            self._tell(self._results)
        counts = Counter(str(state.told) for state in board.states)
        self._log.info(
            "Batch of %s: %s; %s under way, %s to come; credits %s. Results: %s",
            counted(len(board.states), "item"),
            ", ".join(f"{number} {word}" for word, number in sorted(counts.items())) or "none",
            counted(sum(1 for one in board.states if one.job is not None), "job"),
            counted(sum(len(one) for one in board.ready.values()) + len(board.sleeping), "item"),
            "; ".join(f"of {name} {say_credits(sums)}" for name, sums in board.costs().items()) or "none",
            self._results or "nowhere",
        )

    def _place_of_results(self) -> str:
        """Return where the results are written; empty where that is what is wrong with a refused try."""
        try:
            return results_uri(self._options.destination, self._facts.identity)
        except DownloadError:
            if self._opening.refusal is None:
                raise
            return ""

    def _stopped(self) -> dict[str, str]:
        """Return why accounts take nothing more, by connection."""
        return {name: one.stopped for name, one in self._opening.accounts.items() if one.stopped}

    def look_for_lost(self) -> None:
        """Find out which of the vendors' jobs the submissions could have started about which a person has to decide."""
        look_for_jobs(
            self._board.states,
            self._opening,
            self._facts,
            resubmits=self._options.submit.policy.on_unknown_submission == "resubmit",
            taken=self._board.job_ids(),
            now=self._clock.now(),
        )

    def wait(self, began: float) -> Wait:
        """
        Return what to wait for.

        :param began: Unix time at which the leg began.
        """
        now, later, room = self._clock.now(), [], [self._options.max_in_flight]
        jobs = tuple(one.job for one in self._board.states if one.job is not None)
        free = len(jobs) < self._options.max_in_flight
        for conn_id, waiting in self._board.ready.items():
            if not waiting:
                continue
            account = self._opening.account(conn_id)
            delay, limit = account.delay(now, reserved=waiting[0].may_be_accepted), account.limit(now)
            room.extend([limit] if limit is not None else [])
            if account.later is not None and account.later.credits is not None:
                later.append(account.later)
            elif delay > 0 or not jobs or (free and (limit is None or account.in_flight < limit)):
                # With room left, only this leg's time was over.
                later.append(SubmitLater(conn_id, account.why(now) or "rate limit", now + max(delay, 1.0)))
        for moment, _, state in self._board.sleeping[:1]:
            later.append(SubmitLater(chosen(state).conn_id, state.waits_for or "a submission gets a pause", moment))
        window = self._opening.began + self._options.submit.submit_timeout
        return Wait(
            since=min([one.since for one in jobs], default=began),
            until=max([one.until for one in jobs] + ([window] if later else []), default=window),
            jobs=jobs,
            submit=tuple(later),
            collect_at=max(1, min(room) // 10) if any(self._board.ready.values()) else 0,
        )

    def finish(self) -> Finished[dict[str, Any]]:
        """
        Return the summary.

        :raises BatchFailed: items have no result.
        :raises BatchRefused: this try's list or options are wrong.
        """
        states = self._board.states
        self._opening.reused.write()
        told = summary(self._results, ((one.key, one.told, one.reason) for one in states), self._board.costs())
        stopped, refusal = self._stopped(), self._opening.refusal
        beside = {why: f"connection {conn_id!r} takes nothing more" for conn_id, why in stopped.items()}
        if refusal is not None:
            raise BatchRefused(
                refusal,
                told,
                stopped,
                why_no_result(states, {refusal.short: "this try buys nothing", **beside}),
                retry_helps=refusal.retry_helps or self._board.collects_more(stores=bool(self._results)),
                unknown=self._how_to_resolve(),
            )
        held_up = any(one.is_held_up for one in states)
        if not stopped and not held_up and not batch_fails([one.told for one in states], self._options.fail_when):
            return Finished(told)
        raise BatchFailed(
            told,
            stopped,
            why_no_result(states, beside),
            retry_helps=self._board.retry_helps(),
            unknown=self._how_to_resolve(),
        )

    def _how_to_resolve(self) -> str | None:
        """Return what a person can do about unknown submissions; None where there are none."""
        states = self._board.states
        if not (unknown := lost_submissions(states)):
            return None
        named_jobs = [one.candidates.only for one in states if one.candidates is not None]
        only = named_jobs[0] if len(named_jobs) == 1 else None
        tags = key_tags(self._opening)
        text = how_to_resolve_items(unknown, self._facts.identity, self._clock.now(), key_tags=tags, job=only)
        if not (shared := shared_jobs(states)):
            return text
        some = named([f"{job} ({', '.join(map(repr, keys))})" for job, keys in shared.items()], _SHARED)
        one, it = ("job", "it is") if len(shared) == 1 else ("jobs", "each is")
        return f"{text}\nBefore you attach {one} {some}, find out whose {it}: more than one of these items could be."


def _snapshot(state: ItemState) -> tuple[str, Callable[[], Record | None], bytes]:
    """Return what a snapshot holds of an item."""
    mark = state.outcome.to_mark() if state.outcome is not None else b""
    return item_folder(state.key), lambda: readable(state), mark
