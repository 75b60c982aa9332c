# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Base of the sensors: poke on a worker, or defer to the connection's shared poll loop."""

from __future__ import annotations

import abc
import contextlib
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

from airflow_provider_adgen.compat import (
    TRIGGER_FAILED,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    conf,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.triggers.base import PollTrigger

_MARGIN = 120.0
_UNTIL = "waits_until"


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
        self._event: dict[str, Any] = {}

    @abc.abstractmethod
    def look(self, hook: AdGenHook) -> bool:
        """Ask once; return whether there is nothing more to wait for, or raise."""

    @abc.abstractmethod
    def trigger(self, hook: AdGenHook, **waiting: Any) -> PollTrigger:
        """Return the trigger that waits for it."""

    def result(self) -> Any:
        """Return what goes into XCom, after a look that found it."""
        return None

    def poke(self, context: Context) -> bool | Any:
        """Ask once."""
        from airflow.sdk import PokeReturnValue

        return PokeReturnValue(True, self.result()) if self._look() else False

    def execute(self, context: Context) -> Any:
        """Poke until it is there, or defer after a first look."""
        if not self.deferrable:
            return super().execute(context)
        with self._leniently():
            return self._go_on(context, until=time.time() + self.timeout, first=True)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Look once more after the trigger fired."""
        self._event = event or {}
        return self._go_on(context, until=self._until(context))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral, also after one that went wrong: what is waited for knows nothing of it."""
        if next_method == TRIGGER_FAILED:
            reason = (next_kwargs or {}).get("error", "unknown")
            self.log.warning("The trigger ended without an event (%s); looking from here.", reason)
            next_method, next_kwargs = "look_from_here", {}
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

    def look_from_here(self, context: Context) -> Any:
        """Look on the worker for a while before deferring again, which may fail again at once."""
        from airflow_provider_adgen.core.decisions.retry_delay import retry_delay

        until = self._until(context)
        stream_seconds = retry_delay(time.time() - (until - self.timeout))
        if self.execution_timeout is not None:
            stream_seconds = min(stream_seconds, self.execution_timeout.total_seconds() / 2)
        return self._go_on(context, until=until, stream_seconds=stream_seconds)

    def _until(self, context: Context) -> float:
        """Return the Unix time at which this try gives up, which its first leg has set."""
        if self._event.get("status") == "timeout":
            return 0.0
        ti = context["ti"]
        told = ti.xcom_pull(task_ids=self.task_id, key=_UNTIL, map_indexes=getattr(ti, "map_index", -1))
        return float(told) if isinstance(told, int | float) else time.time() + self.timeout

    def _go_on(self, context: Context, *, until: float, first: bool = False, stream_seconds: float = 0.0) -> Any:
        """Look, for *patience* seconds and once at least; then defer."""
        stop = min(until, time.time() + stream_seconds)
        while not self._look():
            left = stop - time.time()
            if left <= 0:
                break
            time.sleep(min(self.poke_interval, left))
        else:
            return self.result()
        now = time.time()
        if now >= until:
            text = f"It did not happen within {self.timeout:g} s; nothing was charged by waiting."
            if self.soft_fail:
                raise AirflowSkipException(text)
            raise AirflowSensorTimeout(text)
        if first:
            # XCom outlives a deferral and not a retry, on every Airflow; dag.test() drops the keywords of a deferral.
            context["ti"].xcom_push(key=_UNTIL, value=until)
        from airflow_provider_adgen.hooks.base import AdGenHook
        from airflow_provider_adgen.settings import first_fire_delay

        waiting = {
            "conn_id": self.conn_id,
            "poll_interval": self.poke_interval,
            "since": min(now, until - self.timeout),
            "until": until,
            "first_fire_delay": first_fire_delay(),
        }
        self.defer(
            trigger=self.trigger(AdGenHook(self.conn_id), **waiting),
            method_name="execute_complete",
            timeout=timedelta(seconds=until - now + _MARGIN),
        )

    def _look(self) -> bool:
        from airflow_provider_adgen.core.errors import (
            AuthenticationError,
            GenerationFailed,
            InvalidRequest,
            NotFound,
            PermissionDenied,
            RateLimited,
            ServerError,
            UnexpectedResponse,
            WireError,
        )
        from airflow_provider_adgen.hooks.base import AdGenHook

        try:
            hook = AdGenHook(self.conn_id)
            return hook.with_current_key(lambda: self.look(hook))
        except (RateLimited, ServerError, UnexpectedResponse, WireError) as error:
            self.log.warning("%s Asking again later.", error.message)
            return False
        except GenerationFailed as error:
            if self.soft_fail:
                raise AirflowSkipException(error.message) from error
            raise AirflowFailException(error.message) from error
        except (AuthenticationError, InvalidRequest, NotFound, PermissionDenied) as error:
            raise AirflowFailException(error.message) from error
