# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What differs between Airflow 3.0 and 3.3, found by looking for the feature and never by comparing versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import BaseHook, Connection, conf
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
        TaskDeferralError,
        TaskDeferralTimeout,
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
            AirflowSensorTimeout,
            AirflowSkipException,
            TaskDeferralError,
            TaskDeferralTimeout,
            TaskDeferred,
        )
    except ImportError:  # before 3.2
        from airflow.exceptions import (
            AirflowFailException,
            AirflowSensorTimeout,
            AirflowSkipException,
            TaskDeferralError,
            TaskDeferralTimeout,
            TaskDeferred,
        )
    try:
        from airflow.sdk import conf
    except ImportError:  # before 3.2
        from airflow.configuration import conf

__all__ = [
    "AirflowFailException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseHook",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "TaskDeferred",
    "aget_connection",
    "conf",
    "mask_secret",
    "never_expire",
    "task_state_store",
]


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

    older: Connection = await sync_to_async(BaseHook.get_connection)(conn_id)
    return older


def mask_secret(value: str) -> None:
    """Let Airflow mask *value* in task logs."""
    from airflow.sdk.log import mask_secret as mask

    mask(value)


def task_state_store(context: Mapping[str, Any]) -> Any | None:
    """Return the task's own state store (3.3 and later), or None."""
    return context.get("task_state_store")


def never_expire() -> Any:
    """Return the retention that keeps a state for ever (3.3 and later)."""
    import airflow.sdk

    return airflow.sdk.NEVER_EXPIRE  # type: ignore[attr-defined]  # offered lazily, 3.3 and later
