# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Races for one budget: 200 mapped tasks in one DAG and a batch in each of four others, all of one account.

``ADGEN_RACE_TASKS`` says how many tasks, if not 200.

In the race ``dying`` prices differ, every fifth mapped task is killed on its first try, and each batch is. They die at
one of the places between their reservation and its settlement.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task

from airflow_provider_adgen.ledger import purse
from airflow_provider_adgen.lifecycle import submission
from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator
from airflow_provider_adgen.operators.batch import GenerateBatchOperator

PLACES = ("after-reservation", "before-intent", "after-intent", "before-post", "before-record", "before-settlement")
"""Where a mapped task dies; its map index says at which of them."""

BATCH_PLACES = {"0": "after-intent", "1": "before-post", "2": "before-record", "3": "before-settlement"}
NTH = {"before-settlement": 1}
"""Which arrival of a leg of a batch it dies at, where that is not the second."""

TASKS, BATCHES = int(os.environ.get("ADGEN_RACE_TASKS", "200")), 4
# Items per batch. An image costs one credit: the prices are numbers of images.
RACES = {"even": 15, "dying": 30, "midnight": 30}

# The clock of a race is moved on: by hours, where the machine is slow.
RETRIED: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=1), "timeout": timedelta(days=30)}

PLACE = Param("", type="string")

_arrivals: defaultdict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))


def price(race: str, number: int) -> int:
    """Return how many credits a purchase costs."""
    return number % 8 + 1 if race == "dying" else 8


def die_here(place: str) -> None:
    """Die by SIGKILL if it is this process's turn, and leave a sign of it."""
    ti = get_current_context()["ti"]
    _, _, race, kind = ti.dag_id.split("_")
    if race != "dying" or ti.try_number > 1:
        return
    if kind == "tasks":
        number = ti.map_index
        if number % 5 or place != PLACES[number // 5 % len(PLACES)]:
            return
    elif place != BATCH_PLACES[kind[-1]] or next(_arrivals[place]) != NTH.get(place, 2):
        return
    Path(os.environ["ADGEN_RACE_DEATHS"], f"{place}@{kind}@{ti.map_index}").touch()
    os.kill(os.getpid(), signal.SIGKILL)


if "ADGEN_RACE_DEATHS" in os.environ:
    for module in (purse, submission):
        module.failpoint = die_here

for race, items in RACES.items():
    with DAG(dag_id := f"adgen_race_{race}_tasks", schedule=None, max_active_tasks=TASKS):
        AdsumoTextToImageOperator.partial(
            task_id="buy",
            conn_id=f"race_{race}",
            model="fast",
            aspect_ratio="1:1",
            # A job that may outlast midnight is waited for in the triggerer.
            deferrable=race == "midnight",
            poll_interval=1,
            **RETRIED,
        ).expand_kwargs([{"prompt": f"{dag_id} {n}", "quantity": price(race, n)} for n in range(TASKS)])

    for batch in range(BATCHES):
        with DAG(dag_id := f"adgen_race_{race}_batch{batch}", schedule=None, params={"place": PLACE}):
            GenerateBatchOperator(
                task_id="buy",
                conn_id=f"race_{race}",
                items=[
                    {
                        "key": f"item-{n}",
                        "request": {
                            "kind": "text-to-image",
                            "prompt": f"{dag_id} {n}",
                            "model": "fast",
                            "aspect_ratio": "1:1",
                            "quantity": price(race, n),
                        },
                    }
                    for n in range(items)
                ],
                destination="{{ params.place }}",
                max_in_flight=2,
                deferrable=True,
                poll_interval=1,
                **RETRIED,
            )

with DAG(
    "adgen_race_last_bids",
    schedule=None,
    params={
        "place": Param("", type="string"),
        "race": Param("dying", type="string"),
        "count": Param(1, type="integer"),
    },
):

    @task
    def wanted(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Want purchases for one credit each."""
        count = (params or {})["count"]
        request = {"kind": "text-to-image", "model": "fast", "aspect_ratio": "1:1"}
        return [
            {"key": f"item-{n}", "request": {**request, "prompt": f"adgen_race_last_bids {n}"}} for n in range(count)
        ]

    GenerateBatchOperator(
        task_id="buy",
        conn_id="race_{{ params.race }}",
        items=wanted(),
        destination="{{ params.place }}",
        deferrable=False,
        poll_interval=1,
        **RETRIED,
    )
