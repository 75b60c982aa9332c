# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the triggers tell the worker."""

from __future__ import annotations

from airflow.triggers.base import TriggerEvent

TIMEOUT = "timeout"
"""Status of an event: our own deadline passed."""

UNREACHABLE = "unreachable"
"""Status of an event: the vendor cannot be asked; the worker asks once more and raises what it finds."""

WAITED = "waited"
"""Status of an event: the time has come."""


def event(subject: str, status: str, sealed: str = "") -> TriggerEvent:
    """
    Return an event. Airflow logs events whole, so it holds an id and a status, and nothing else that could be read.

    :param subject: the id.
    :param status: the status.
    :param sealed: a result that only a holder of the account's key can read.
    """
    more = {"sealed": sealed} if sealed else {}
    return TriggerEvent({"id": subject, "status": status, **more})  # type: ignore[no-untyped-call]  # not annotated
