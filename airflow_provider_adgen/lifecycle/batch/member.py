# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One item's part in a batch's leg: the same leg as a task with one generation runs, with what the items share."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.submission import Policy
from airflow_provider_adgen.core.errors import AdGenError, GenerationFailed
from airflow_provider_adgen.delivery.names import FileNames
from airflow_provider_adgen.lifecycle.batch.state import chosen
from airflow_provider_adgen.lifecycle.candidates import TOLD_LATER
from airflow_provider_adgen.lifecycle.generation import GenerationLeg
from airflow_provider_adgen.lifecycle.legs import Finished
from airflow_provider_adgen.lifecycle.submission import Submission
from airflow_provider_adgen.lifecycle.submit_options import GenerateOptions, Surroundings

if TYPE_CHECKING:
    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.lifecycle.batch.items import Choice
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.batch.reuse import Reuse
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.legs import Resumed, Wait
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

NEAR = 3.0
"""Seconds up to which an item waits where it is, so that a repeat which a key protects for seconds only is in time."""


class Held(AdGenError):
    """Nothing was submitted for an item, because nothing more may be submitted now. A retry goes on; costs nothing."""


class Members:
    """
    Runs the legs of a batch's items; many at a time, each in a thread.

    :param opening: accounts, and requests.
    :param reuse: the batch's library; None without one.
    :param facts: the task.
    :param options: what the author chose.
    :param items: how many items there are.
    :param clock: time, injected.
    :param log: where to say what happened to which item.
    """

    def __init__(
        self,
        *,
        opening: Opening,
        reuse: Reuse | None,
        facts: TaskFacts,
        options: BatchOptions,
        items: int,
        clock: Clock,
        log: Any,
    ) -> None:
        self._opening = opening
        self._reuse = reuse
        self._facts = facts
        self._options = options
        self._clock = clock
        self._log = log
        self.closed: str | None = None
        """Why nothing more may be submitted; set from outside, also by a signal handler."""

        self.given_up = ""
        """Why nothing new is submitted in this try; empty while something may be."""

        self._risks = max(1, int(items * options.resubmit_share))
        self._lock = threading.Lock()

    def run(self, state: ItemState, resumed: Resumed | None) -> Finished[Generation] | Wait | Answered:
        """
        Run one leg of an item.

        :param state: the item; its choice and step say what is wanted.
        :param resumed: how the wait for its job ended; None where it is to be submitted.
        :raises AdGenError: it stops, and says why.
        """
        if resumed is None and state.may_be_accepted and self.take_answer(state):
            return Answered()
        submission, choice = self.submission(state), chosen(state)
        leg = GenerationLeg(submission, self._generate_options(state), clock=self._clock, log=self._said(state))
        try:
            value = leg.run(resumed)
        except GenerationFailed:
            if self._reuse is not None:
                self._reuse.release(state, choice)
            raise
        if self._reuse is not None and isinstance(value, Finished):
            self._reuse.release(state, choice)
        return value

    def take_answer(self, state: ItemState) -> bool:
        """Record what a person said of an item's open submission; return whether there was anything to record."""
        try:
            return self.submission(state).take_answer()
        except Exception:  # the item's own leg meets it again, and says what it was
            return False

    def submission(self, state: ItemState) -> Submission:
        """Return the submission of an item's choice."""
        choice, step = state.choice, state.step
        assert choice is not None and step is not None  # noqa: S101 - for the type checker
        account = self._opening.account(choice.conn_id)
        policy = self._options.submit.policy
        if state.removed:
            # Nobody wants it any more: its job is taken as it is, and nothing is paid for it.
            policy = Policy(on_failed="fail", on_changed_input="reattach")
        submission = Submission(
            hook=account.hook,
            request=self._opening.request(choice),
            ledger=state.ledger,
            facts=replace(self._facts, identity=replace(self._facts.identity, item=state.key)),
            options=replace(
                self._options.submit,
                policy=replace(policy, on_clear="fresh" if step.anew else "reattach"),
                assume_credits=self._options.assume_credits.of(choice.conn_id, choice.request.get("kind", "")),
            ),
            clock=self._clock,
            log=self._said(state),
            surroundings=Surroundings(
                near=NEAR,
                stopped=lambda: self._stopped(state, choice),
                accepts_risk=lambda: state.affordable and self._accepts_risk(),
                candidates=lambda _hook, _attempt: TOLD_LATER,
                permit=self._reuse.permit(state, choice) if self._reuse is not None else None,
                moved=step.moved,
            ),
            purse=account.purse,
        )
        submission.window.began_at = self._opening.began
        return submission

    def _generate_options(self, state: ItemState) -> GenerateOptions:
        return GenerateOptions(
            submit=self._options.submit,
            destination=self._options.destination,
            on_suspended=self._options.on_suspended,
            file_names=FileNames(self._options.filename_of(state.item.meta), {**state.item.meta, "key": state.key}),
            stored=lambda generation: self._remember(state, generation),
        )

    def _remember(self, state: ItemState, generation: Generation) -> None:
        record = state.ledger.record()
        last = record.counting if record is not None else None
        if self._reuse is not None and last is not None:
            made_at = last.submitted_at or last.intended_at
            self._reuse.remember(state, chosen(state), generation.to_xcom(urls=False), made_at)

    def _stopped(self, state: ItemState, choice: Choice) -> AdGenError | None:
        reason = self.closed or self.given_up or self._opening.account(choice.conn_id).stopped
        if choice.obstacle is not None:
            reason = choice.obstacle.reason
        if state.removed:
            reason = "it is not among the items any more."
        return Held(f"{state.not_sent} {reason}") if reason else None

    def risked(self, times: int) -> None:
        """Take in how many submissions of this try followed one that nobody knows about."""
        with self._lock:
            self._risks -= times

    def _accepts_risk(self) -> bool:
        with self._lock:
            self._risks -= 1
            return self._risks >= 0

    def _said(self, state: ItemState) -> _ItemLog:
        return _ItemLog(self._log, state.key)


class Answered:
    """A person said what came of an item's open submission: where the item stands is to be found out again."""


class _ItemLog:
    """Names the item in warnings and errors; a batch has one line for what goes well."""

    def __init__(self, log: Any, key: str) -> None:
        self._log = log
        self._key = key

    def info(self, message: str, *args: Any) -> None:
        self._log.debug(f"%s: {message}", self._key, *args)

    def warning(self, message: str, *args: Any) -> None:
        self._log.warning(f"%s: {message}", self._key, *args)

    def error(self, message: str, *args: Any) -> None:
        self._log.error(f"%s: {message}", self._key, *args)
