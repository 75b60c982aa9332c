# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What differs between Airflow 3.0 and 3.3, found by looking for the feature and never by comparing versions."""

from __future__ import annotations

import sys
import threading
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import BaseHook, Connection, conf
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        TaskDeferred,
    )
else:
    try:
        from airflow.sdk import BaseHook
    except ImportError:  # before 3.1
        from airflow.hooks.base import BaseHook
    try:
        from airflow.sdk.exceptions import (
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
            TaskDeferred,
        )
    except ImportError:  # before 3.2
        from airflow.exceptions import (
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
            TaskDeferred,
        )
    try:
        from airflow.sdk import conf
    except ImportError:  # before 3.2
        from airflow.configuration import conf

__all__ = [
    "ASKING_AIRFLOW",
    "TRIGGER_FAILED",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseHook",
    "TaskDeferred",
    "aget_connection",
    "command_line",
    "conf",
    "never_expire",
    "statistics",
    "task_state_store",
]

ASKING_AIRFLOW = threading.RLock()
"""
Held while a connection or a Variable is asked for.

A batch asks in several threads, and before 3.1 a task's channel to its supervisor mixes up answers that threads wait
for at the same time.
"""

TRIGGER_FAILED = "__fail__"
"""The method that Airflow names when it resumes a task whose trigger ended without an event, in order to fail it."""


async def aget_connection(conn_id: str) -> Connection:
    """
    Look a connection up without blocking the event loop.

    Before 3.3.2 Airflow's own asynchronous look-up masks secrets with a blocking call that can deadlock in the
    triggerer, and before 3.1 there is none: there the blocking look-up runs in a thread.
    """
    from airflow.sdk import Connection

    if hasattr(Connection, "aextra_dejson"):
        found: Connection = await BaseHook.aget_connection(conn_id)
        return found
    from asgiref.sync import sync_to_async

    def ask() -> Connection:
        with ASKING_AIRFLOW:
            found: Connection = BaseHook.get_connection(conn_id)
            return found

    older: Connection = await sync_to_async(ask)()
    return older


@cache
def command_line() -> str:
    """Return how our commands begin: ``airflow adgen`` where Airflow takes commands from providers (3.2 and later)."""
    try:
        taken = '"cli"' in files("airflow").joinpath("provider_info.schema.json").read_text(encoding="utf-8")
    except OSError:
        taken = False
    return "airflow adgen" if taken else "python -m airflow_provider_adgen"


def task_state_store(context: Mapping[str, Any]) -> Any | None:
    """Return the task's own state store (3.3 and later), or None."""
    return context.get("task_state_store")


def never_expire() -> Any:
    """Return the retention that keeps a state for ever (3.3 and later)."""
    import airflow.sdk

    return airflow.sdk.NEVER_EXPIRE  # type: ignore[attr-defined]  # offered lazily, 3.3 and later


def statistics() -> Any | None:
    """
    Return Airflow's statistics (``incr``, ``gauge``, ``timing``), or None where there are none.

    From 3.2 on somebody has to set them up, and the triggerer sets up another copy of them than the one offered to
    providers: so they are set up here, as Airflow does it in a task, unless they are.
    """
    try:
        from airflow.sdk.observability import stats
        from airflow.sdk.observability.metrics import stats_utils
    except ImportError:  # before 3.2
        from airflow.stats import Stats

        return Stats
    if not hasattr(stats, "incr"):  # before 3.3
        older: Any = stats.Stats
        if older.factory is None:
            factory: Any = stats_utils.get_stats_factory
            older.initialize(factory=factory(older))
        return older
    if getattr(sys.modules[stats.incr.__module__], "_factory", None) is None:
        names = conf.getboolean("metrics", "legacy_names_on", fallback=True)
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=names)
    return stats
