# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The earlier path of a trigger: a task that was deferred under it still finishes. It goes with 1.0."""

from __future__ import annotations

from airflow_provider_adgen.triggers.submit_queue import SubmitQueueTrigger as TurnTrigger

__all__ = ["TurnTrigger"]
