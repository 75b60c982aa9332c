# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Base of the sensors: poke on a worker, or defer to the connection's shared poll loop."""

from __future__ import annotations

import abc
import contextlib
import random
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

from airflow_provider_adgen.compat import (
    TRIGGER_FAILED,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    conf,
)
from airflow_provider_adgen.operators._errors import no_useless_retry
from airflow_provider_adgen.operators._legs import LegRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.legs import Finished, Resumed, Wait
    from airflow_provider_adgen.triggers.base import PollTrigger

_SINCE = "since"


class AdGenSensor(BaseSensorOperator):
    """
    Waits for something at a vendor; costs nothing.

    :param conn_id: the Airflow connection.
    :param deferrable: wait in the triggerer instead of on a worker (default: Airflow's ``default_deferrable``).
    """

    def __init__(
        self,
        *,
        conn_id: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.deferrable = deferrable

    @abc.abstractmethod
    def look(self, hook: AdGenHook, resumed: Resumed | None) -> Any | None:
        """
        Poll once; return what goes into XCom once there is nothing more to wait for, None before.

        :param resumed: how the wait before ended; None without one.
        :raises GenerationFailed: it ended without a result.
        """

    @abc.abstractmethod
    def trigger(self, hook: AdGenHook, **waiting: Any) -> PollTrigger:
        """Return the trigger that waits for it."""

    # --- Airflow's entry points -----------------------------------------------------------------------------------

    def poke(self, context: Context) -> bool | Any:
        """Poll once."""
        from airflow.sdk import PokeReturnValue

        from airflow_provider_adgen.hooks.base import AdGenHook

        found = self._look(AdGenHook(self.conn_id), None, since=self._poking_since(context))
        return PokeReturnValue(True, found) if found is not None else False

    def execute(self, context: Context) -> Any:
        """Poke until it is there, or defer after a first poll."""
        if not self.deferrable:
            return super().execute(context)
        return self._run(context, resumed=False)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Poll once more after the trigger fired."""
        return self._run(context, resumed=True, event=event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral, also after one that went wrong: what is waited for does not depend on it."""
        if next_method == TRIGGER_FAILED:
            reason = (next_kwargs or {}).get("error", "unknown")
            self.log.warning("The trigger ended without an event (%s); polling from here.", reason)
            return self._run(context, resumed=True)
        with self._leniently():
            return super().resume_execution(next_method, next_kwargs, context)

    @contextlib.contextmanager
    def _leniently(self) -> Iterator[None]:
        """Skip where ``soft_fail`` or ``never_fail`` says so: Airflow does on some legs of a sensor, by its version."""
        try:
            yield
        except (AirflowFailException, AirflowSensorTimeout) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    # --- legs -----------------------------------------------------------------------------------------------------

    def _run(self, context: Context, *, resumed: bool, event: dict[str, Any] | None = None) -> Any:
        from airflow_provider_adgen.core.clock import SYSTEM
        from airflow_provider_adgen.hooks.base import AdGenHook
        from airflow_provider_adgen.lifecycle.legs import Finished, Wait

        began = SYSTEM.now()

        def leg(resumed: Resumed | None) -> Finished[Any] | Wait:
            known = resumed.remembered.get(_SINCE) if resumed is not None else None
            since = float(known) if isinstance(known, int | float) else began
            found = self._look(hook, resumed, since=since)
            if found is not None:
                return Finished(found)
            until = since + self.timeout
            if (resumed is not None and resumed.timed_out) or SYSTEM.now() >= until:
                raise AirflowSensorTimeout(
                    f"It did not happen within {self.timeout:g} s; nothing was charged by waiting."
                )
            return Wait(since=since, until=until, remember={_SINCE: since})

        with self._leniently(), no_useless_retry():
            hook = AdGenHook(self.conn_id)
            with hook:
                runner = LegRunner(
                    self,
                    context,
                    hook,
                    deferrable=True,
                    poll_interval=self.poke_interval,
                    make_trigger=lambda _wait, **waiting: self.trigger(hook, **waiting),
                )
                return runner.run(leg, runner.resumed(event) if resumed else None)

    def _poking_since(self, context: Context) -> float:
        """Return the Unix time at which the first poke of this try was."""
        from airflow_provider_adgen.core.clock import SYSTEM

        first = context["ti"].get_first_reschedule_date(context) if self.reschedule else None
        if first is not None:
            return float(first.timestamp())
        self._poked_at = getattr(self, "_poked_at", None) or SYSTEM.now()
        return self._poked_at

    def _look(self, hook: AdGenHook, resumed: Resumed | None, *, since: float) -> Any | None:
        """Poll once; what may pass is logged, and polled again later."""
        from airflow_provider_adgen.core.clock import SYSTEM
        from airflow_provider_adgen.core.decisions.polling import PollAction, Schedule, judge_poll
        from airflow_provider_adgen.core.errors import AdGenError, GenerationFailed

        with no_useless_retry():
            try:
                return hook.with_current_key(lambda: self.look(hook, resumed))
            except GenerationFailed as error:
                # It has ended: polling again does not help, and Airflow's retry would only do that.
                raise (AirflowSkipException if self.soft_fail else AirflowFailException)(error.message) from error
            except AdGenError as error:
                verdict = judge_poll(
                    error,
                    schedule=Schedule(self.poke_interval),
                    age=SYSTEM.now() - since,
                    failures=0,
                    rng=random.Random(),  # noqa: S311 - jitter, not a secret
                    reread=True,
                )
                if verdict.action != PollAction.AGAIN:
                    raise
                self.log.warning("%s Polling again later.", error.message)
                return None
