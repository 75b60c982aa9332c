# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""More submissions than a vendor takes at once, a task that waits for credits, and one that only wants a worker."""

from __future__ import annotations

from airflow.sdk import DAG, task

from airflow_provider_adgen.core.decisions import submission
from airflow_provider_adgen.lifecycle import submit_window
from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator
from airflow_provider_adgen.operators.cinematicads import CinematicAdsWorkflowOperator

# The vendor's hour passes in seconds here: what counts as near, and the pause between looks at a balance, shrink too.
submit_window.NEAR = 0.5
submit_window.CREDIT_PAUSE = 1.0
submission.REFUSED_PAUSE = 0.01

for count in (15, 50):
    with DAG(f"adgen_burst_{count}", schedule=None, max_active_tasks=count):
        CinematicAdsWorkflowOperator.partial(
            task_id="make", workflow_type="staticad", deferrable=True, poll_interval=2, retries=0
        ).expand(concept=[f"sneaker number {number}" for number in range(count)])

with DAG("adgen_bystander", schedule=None):

    @task
    def pass_by() -> None:
        """Need a worker for a moment."""

    pass_by()

with DAG("adgen_short_of_credits", schedule=None, max_active_tasks=10):
    AdsumoTextToImageOperator.partial(
        task_id="make",
        model="fast",
        aspect_ratio="1:1",
        deferrable=True,
        poll_interval=1,
        on_insufficient="wait",
        retries=0,
    ).expand(prompt=["a sneaker", "a boot", "a sandal"])
