# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Paid generations whose triggers come to grief, and sensors in each of Airflow's modes."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator
from airflow_provider_adgen.operators.cinematicads import CinematicAdsWorkflowOperator
from airflow_provider_adgen.operators.sume import SumeImageOperator, SumeUploadOperator
from airflow_provider_adgen.sensors.cinematicads import BatchSensor
from airflow_provider_adgen.sensors.credits import CreditSensor
from airflow_provider_adgen.sensors.generation import GenerationSensor
from airflow_provider_adgen.sensors.sume import AssetSensor

RETRIED = {"retries": 3, "retry_delay": timedelta(seconds=1)}
# A trigger that cannot be loaded fails so soon that the scheduler may take the leg before for one that died; that costs
# a try. A job that failed is not to be made anew by it.
DEFERRED = {"deferrable": True, "poll_interval": 1, "on_failed": "fail", **RETRIED}

with DAG("adgen_trigger_crash", schedule=None):
    # What the job does at the vendor when the trigger's end is told.
    for fate in ("running", "completed", "failed"):
        SumeImageOperator(task_id=f"crash_{fate}", prompt=f"a sneaker, crash_{fate}", **DEFERRED)
        AdsumoTextToImageOperator(
            task_id=f"inflate_{fate}", prompt=f"a sneaker, inflate_{fate}", model="fast", aspect_ratio="1:1", **DEFERRED
        )
        CinematicAdsWorkflowOperator(
            task_id=f"overdue_{fate}", workflow_type="staticad", concept=f"a sneaker, overdue_{fate}", **DEFERRED
        )

MODES = {
    "deferred": {"deferrable": True},
    "poked": {"deferrable": False, "mode": "poke"},
    # Sooner than that, the same may happen to a sensor.
    "rescheduled": {"deferrable": False, "mode": "reschedule", "poke_interval": 5},
}
POKED = {"poke_interval": 1, **RETRIED}

with DAG("adgen_sensors", schedule=None):
    paid = {
        name: SumeImageOperator(task_id=name, prompt=f"a sneaker, {name}", wait_for_completion=False, **RETRIED)
        for name in ("made", "lost")
    }

    def generation(task_id: str, job: str = "made", **more: object) -> None:
        """Wait for one of the two jobs."""
        sensor = GenerationSensor(
            task_id=task_id,
            conn_id="sume_default",
            generation_id=f"{{{{ ti.xcom_pull('{job}', key='id') }}}}",
            **{**POKED, **more},
        )
        paid[job] >> sensor

    for mode, chosen in MODES.items():
        generation(f"found_{mode}", **chosen)
        generation(f"late_{mode}", timeout=3, **chosen)
        generation(f"late_softly_{mode}", timeout=3, soft_fail=True, **chosen)
    for mode in ("deferred", "rescheduled"):
        generation(f"lost_{mode}", "lost", **MODES[mode])
        generation(f"lost_softly_{mode}", "lost", soft_fail=True, **MODES[mode])
        CreditSensor(
            task_id=f"credits_{mode}", conn_id="adsumo_default", required=1_000_000, **{**POKED, **MODES[mode]}
        )
    generation("crash_sensor", deferrable=True)
    BatchSensor(task_id="batch", batch_id="summer", deferrable=True, **POKED)
    SumeUploadOperator(
        task_id="uploaded", source="{{ dag_run.conf['film'] }}", purpose="asset_library_video", **RETRIED
    ) >> AssetSensor(
        task_id="asset", asset_id="{{ ti.xcom_pull('uploaded', key='asset_id') }}", deferrable=True, **POKED
    )
