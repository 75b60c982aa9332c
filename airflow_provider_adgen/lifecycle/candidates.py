# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Looks among the vendor's jobs for those that a lost submission could have started; information for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen.core.errors import AdGenError

if TYPE_CHECKING:
    from airflow_provider_adgen.core.record import Attempt
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.core.wire import Wire
    from airflow_provider_adgen.hooks.base import AdGenHook

_CLOCKS_DIFFER = 60.0
_LOOK_AT = 500
_NAME = 10


def describe_candidates(hook: AdGenHook, attempt: Attempt) -> str:
    """
    Return a sentence about the vendor's jobs since the intent, or an empty one where it cannot list.

    :param hook: the account.
    :param attempt: the unresolved attempt.
    """
    try:
        found, looked = hook.run_blocking(lambda wire: _recent(wire, attempt))
    except AdGenError as error:
        return f"The vendor's jobs could not be listed to look for it ({error.message}) "
    if not found:
        return f"None of the vendor's {looked} most recently listed jobs was created since then. "
    names = ", ".join(f"{job.id} ({job.status})" for job in found[:_NAME])
    more = f" and {len(found) - _NAME} more" if len(found) > _NAME else ""
    return f"Jobs created since then that could be it: {names}{more}. "


async def _recent(wire: Wire, attempt: Attempt) -> tuple[list[Generation], int]:
    since = attempt.intended_at - _CLOCKS_DIFFER
    found: list[Generation] = []
    looked = 0
    steps = wire.vendor.overview()
    if steps is None:
        return found, looked
    async for job in wire.iterate(steps):
        looked += 1
        created = job.created_at.timestamp() if job.created_at is not None else None
        if (created is None or created >= since) and (attempt.makes is None or job.kind == attempt.makes):
            found.append(job)
        if looked >= _LOOK_AT:
            break
    return found, looked
