# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Who is measured: each provider's own public trigger, and the connection it takes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.triggers.base import BaseTrigger

CONN_ID = "bench"


@dataclass(frozen=True)
class Waiting:
    """
    What one trigger is to wait for.

    :param job: the job's id.
    :param since: Unix time at which it was submitted.
    :param until: Unix time at which to give up.
    :param interval: seconds between polls.
    :param kind: what it makes; only our triggers ask for it.
    """

    job: str
    since: float
    until: float
    interval: float
    kind: str = "image"


@dataclass(frozen=True)
class Contender:
    """
    Somebody who waits.

    :param name: what it is called on the command line.
    :param title: what it is called in the report.
    :param service: the server's service.
    :param trigger: makes its trigger.
    :param connection: its connection, given the server's host and port; with the connection's further extra fields.
    :param good: tells by the event's payload whether it learned that the job has succeeded.
    :param ours: it is this package's.
    :param package: the distribution.
    """

    name: str
    title: str
    service: str
    trigger: Callable[[Waiting], BaseTrigger]
    connection: Callable[[str, int], dict[str, Any]]
    good: Callable[[Any], bool]
    ours: bool = False
    package: str = "airflow-provider-adgen"
    extra: dict[str, Any] = field(default_factory=dict)

    def environment(self, host: str, port: int, **extra: Any) -> dict[str, str]:
        """Return the environment variable that holds its connection."""
        fields = self.connection(host, port)
        return {
            f"AIRFLOW_CONN_{CONN_ID.upper()}": json.dumps({**fields, "extra": {**fields.get("extra", {}), **extra}})
        }


def _ours(vendor: str, title: str, key: str, path: str) -> Contender:
    def trigger(waiting: Waiting) -> BaseTrigger:
        from airflow_provider_adgen.triggers.generation import GenerationTrigger

        return GenerationTrigger(
            vendor=vendor,
            job_ids=[waiting.job],
            kind=waiting.kind,
            conn_id=CONN_ID,
            poll_interval=waiting.interval,
            since=waiting.since,
            until=waiting.until,
        )

    return Contender(
        name=vendor,
        title=title,
        service=vendor,
        trigger=trigger,
        connection=lambda host, port: {
            "conn_type": vendor,
            "host": f"https://{host}:{port}{path}",
            "password": key,
        },
        good=lambda payload: payload["status"] == "completed",
        ours=True,
    )


def _databricks(waiting: Waiting) -> BaseTrigger:
    from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

    return DatabricksExecutionTrigger(
        run_id=int(waiting.job), databricks_conn_id=CONN_ID, polling_period_seconds=int(waiting.interval)
    )


def _dbt_cloud(waiting: Waiting) -> BaseTrigger:
    from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

    return DbtCloudRunJobTrigger(
        conn_id=CONN_ID,
        run_id=int(waiting.job),
        end_time=waiting.until,
        poll_interval=waiting.interval,
        account_id=1,
    )


def _anthropic(waiting: Waiting) -> BaseTrigger:
    from airflow.providers.anthropic.triggers.batch import AnthropicBatchTrigger

    return AnthropicBatchTrigger(
        conn_id=CONN_ID, batch_id=waiting.job, poll_interval=waiting.interval, end_time=waiting.until
    )


CONTENDERS = {
    one.name: one
    for one in (
        _ours("adsumo", "adgen: Adsumo", "adsumo_sk_bench", "/adsumo/api/v1"),
        _ours("sume", "adgen: Sume", "sume_live_bench", "/sume/api/v1"),
        _ours("cutx", "adgen: CutX", "eyJhbGciOiJIUzI1NiJ9.e30.bench", "/cutx"),
        _ours("cinematicads", "adgen: CinematicAds", "bench", "/cinematicads"),
        Contender(
            name="databricks",
            title="databricks",
            service="databricks",
            trigger=_databricks,
            connection=lambda host, port: {
                "conn_type": "databricks",
                "host": f"https://{host}",
                "port": port,
                "password": "bench",
            },
            good=lambda payload: json.loads(payload["run_state"])["result_state"] == "SUCCESS",
            package="apache-airflow-providers-databricks",
        ),
        Contender(
            name="dbt-cloud",
            title="dbt-cloud",
            service="dbt-cloud",
            trigger=_dbt_cloud,
            connection=lambda host, port: {"conn_type": "dbt_cloud", "host": f"{host}:{port}", "password": "bench"},
            good=lambda payload: payload["status"] == "success",
            package="apache-airflow-providers-dbt-cloud",
        ),
        Contender(
            name="anthropic",
            title="anthropic",
            service="anthropic",
            trigger=_anthropic,
            connection=lambda host, port: {
                "conn_type": "anthropic",
                "host": f"https://{host}:{port}",
                "password": "bench",
            },
            good=lambda payload: payload["status"] == "success",
            package="apache-airflow-providers-anthropic",
        ),
    )
}
OURS = [one.name for one in CONTENDERS.values() if one.ours]
PEERS = [one.name for one in CONTENDERS.values() if not one.ours]
