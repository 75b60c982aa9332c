# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Airflow's context says about the running task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.identity import TaskIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class TaskFacts:
    """
    The running task.

    :param identity: which task, without its try.
    :param try_number: this try, from 1.
    :param epoch: Airflow's ``max_tries``: a retry leaves it, a clear raises it (a hint, never a proof).
    """

    identity: TaskIdentity
    try_number: int
    epoch: int

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> TaskFacts:
        """Read the facts from a task's context."""
        ti = context["ti"]
        map_index = getattr(ti, "map_index", -1)
        region = getattr(ti, "region_id", None)
        return cls(
            identity=TaskIdentity(
                dag_id=ti.dag_id,
                run_id=ti.run_id,
                task_id=ti.task_id,
                map_index=map_index if map_index is not None else -1,
                region=None if region in (None, "") else f"{region}/{getattr(ti, 'region_index', '')}",
            ),
            try_number=int(getattr(ti, "try_number", 1) or 1),
            epoch=int(getattr(ti, "max_tries", 0) or 0),
        )
