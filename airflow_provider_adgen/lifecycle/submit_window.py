# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The time in which one try may submit: it waits here for what is near, and says when to come back for what is far."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.rates import NEAR
from airflow_provider_adgen.core.decisions.submission import refusal_delay
from airflow_provider_adgen.core.errors import (
    AdGenError,
    AuthenticationError,
    GenerationTimeout,
    InsufficientCredits,
    RateLimited,
)
from airflow_provider_adgen.lifecycle.costs import missing, not_about_credits
from airflow_provider_adgen.lifecycle.legs import SubmitLater
from airflow_provider_adgen.lifecycle.stop_messages import refusal

if TYPE_CHECKING:
    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.attempt_log import AttemptLog
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

CREDIT_PAUSE = 300.0
"""Seconds between two requests for a balance that does not suffice."""

SPREAD = 0.1
"""Part of a wait over which those who wait are spread, so that they do not all come back at once."""


class SubmitWindow:
    """
    The time in which one try may submit.

    :param hook: the account.
    :param attempt_log: the task's attempts.
    :param facts: the task.
    :param timeout: seconds for which a try waits to be allowed to submit.
    :param near: seconds up to which it waits here; None for :data:`NEAR`.
    :param clock: time, injected.
    :param log: where to say what is waited for.
    """

    def __init__(
        self,
        *,
        hook: AdGenHook,
        attempt_log: AttemptLog,
        facts: TaskFacts,
        timeout: float,
        near: float | None = None,
        clock: Clock,
        log: Any,
    ) -> None:
        self.began_at: float | None = None
        """Unix time at which this try first wanted to submit, where nothing is recorded of it."""

        self._hook = hook
        self._attempt_log = attempt_log
        self._facts = facts
        self._timeout = timeout
        self._near = NEAR if near is None else near
        self._clock = clock
        self._log = log
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._doubted = False
        self._reread = False

    def times(self) -> tuple[float, float]:
        """Return the Unix times at which this try first wanted to submit, and at which it gives up."""
        record = self._attempt_log.record()
        attempts = record.attempts if record is not None else []
        times = [
            one.first_intended_at or one.intended_at for one in attempts if one.try_number == self._facts.try_number
        ]
        if self.began_at is not None:
            times.append(self.began_at)
        began = min(times, default=self._clock.now())
        return began, began + self._timeout

    def pause(self, seconds: float, reason: str) -> SubmitLater | None:
        """
        Wait here if it is short; otherwise return when to go on.

        :raises GenerationTimeout: the try would not wait for so long.
        """
        self._check(seconds, reason)
        if seconds > self._near:
            return self._later(seconds * self._spread(), reason)
        self._sleep(seconds, reason)
        return None

    def queue(self, seconds: float) -> SubmitLater | None:
        """
        Wait for a rate limit: here if it is near, otherwise in a queue with all others that it refused.

        :raises GenerationTimeout: the try would not wait for so long.
        """
        reason = "rate limit"
        self._check(seconds, reason)
        if seconds > self._near:
            return self._later(seconds, reason, queue=str(self._facts.identity))
        self._sleep(seconds * self._spread(), reason)
        return None

    def await_credits(self, error: InsufficientCredits, price: int | None) -> SubmitLater | None:
        """
        Wait for credits if credits are what is missing; None to submit again at once.

        :param price: what the request is known to cost.
        :raises InsufficientCredits: the account has enough: a 402 may also mean that a trial is over.
        :raises GenerationTimeout: the try would not wait for so long.
        """
        reason = "not enough credits"
        needed, told, enough = missing(error, price, self._hook, self._log)
        if enough:
            if self._doubted:
                raise not_about_credits(error, needed, told) from error
            # They may have been topped up since.
            self._doubted = True
            return None
        self._check(CREDIT_PAUSE, reason)
        self._log.warning("%s Waiting for credits.", error.message)
        return self._later(CREDIT_PAUSE, reason, credits=needed, poll_interval=CREDIT_PAUSE)

    def refused(self, error: AdGenError, refusals: int, *, waits: bool) -> SubmitLater | None:
        """
        Return when to submit again after a refusal that started nothing; None for at once.

        :param error: the refusal.
        :param refusals: how often the vendor refused this submission before, one time after the other.
        :param waits: wait for credits where they are missing.
        :raises AdGenError: submitting it again does not help.
        """
        if isinstance(error, RateLimited):
            return self.queue(refusal_delay(refusals, error.retry_after))
        if isinstance(error, InsufficientCredits) and waits:
            return self.await_credits(error, self._attempt_log.price())
        if isinstance(error, AuthenticationError) and not self._reread:
            # The key may have been rotated after the connection was read.
            self._reread = True
            before = self._hook.account().key_tag
            if self._hook.changed_key() != before:
                return None
        raise refusal(error)

    def until(self, moment: float, reason: str) -> SubmitLater:
        """
        Return that it goes on at a moment, or soon after: not all who wait for it at once.

        :raises GenerationTimeout: the try would not wait for so long.
        """
        self._check(moment - self._clock.now(), reason)
        return SubmitLater(self._hook.conn_id, reason, moment + NEAR * self._rng.random())

    def closed(self, reason: str) -> GenerationTimeout:
        """Return the error for not having been allowed to submit in time."""
        last = self._attempt_log.counting
        return GenerationTimeout(
            f"{self._facts.identity} was not allowed to submit to {self._hook.vendor.title} within "
            f"{self._timeout:g} s ({reason}). "
            + (
                "Whether the submission before was accepted is not known; a retry settles that first."
                if last is not None and last.phase == "intent"
                else "Nothing was started by this attempt."
            )
        )

    def _check(self, seconds: float, reason: str) -> None:
        if self._clock.now() + seconds > self.times()[1]:
            raise self.closed(reason)

    def _spread(self) -> float:
        return 1 + SPREAD * self._rng.random()

    def _later(self, seconds: float, reason: str, **how: Any) -> SubmitLater:
        return SubmitLater(self._hook.conn_id, reason, self._clock.now() + seconds, **how)

    def _sleep(self, seconds: float, reason: str) -> None:
        title = self._hook.vendor.title
        self._log.info("Waiting %.0f s before the next request to %s: %s.", seconds, title, reason)
        self._clock.sleep_blocking(seconds)
