# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Workers that are killed at random moments of a batch, judged by the sandbox's ledger.

Written down beforehand: nothing is paid twice; nothing that is paid is lost; where a vendor has no keys, a SIGKILL may
leave the submissions under way unknown, and each of them is told; when a person has said of each of them what came of
it, every item ends with one file.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.hooks.cutx import CutxHook
from airflow_provider_adgen.ledger.batch import BatchStore
from tests.support.batch_try import Tries

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_adgen.sandbox import Sandbox

COUNT = int(os.environ.get("ADGEN_BATCH_ITEMS", "40"))
KILLS = int(os.environ.get("ADGEN_BATCH_KILLS", "3"))
"""Kills in a row before the batch is left alone."""

LIVES = int(os.environ.get("ADGEN_BATCH_LIVES", "1"))

REQUESTS: dict[str, dict[str, Any]] = {
    "adsumo": {"kind": "text-to-image", "prompt": "A bottle {n}", "model": "fast", "aspect_ratio": "1:1"},
    "sume": {"kind": "image", "prompt": "A bottle {n}"},
    "cutx": {"kind": "static-ad", "prompt": "A bottle {n}"},
    "cinematicads": {"kind": "workflow", "workflow_type": "cinematic", "concept": "A bottle {n}"},
}


class Life:
    """A batch at one vendor, its tries in processes of their own."""

    def __init__(self, sandbox: Sandbox, vendor: str, folder: Path) -> None:
        self.sandbox, self.vendor, self.folder = sandbox, vendor, folder
        self.try_number = 0
        # Rations that a vendor counts by the hour would take hours.
        limits = {"workflow": [100_000, 1], "stream": [100_000, 1], "*": [100_000, 1]}
        sandbox.settings(cinematicads={"rate_limits": limits})
        self.environment = {
            "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{folder / 'ledger'}",
            "AIRFLOW__ADGEN__FIRST_FIRE_DELAY": "0",
            f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT": json.dumps(sandbox.connection(vendor, timeout=2)),
        }
        self.subject = _subject(sandbox) if vendor == "cutx" else {}
        self.fields = {
            "task_id": "make",
            "poll_interval": 0.1,
            "deferrable": True,
            "destination": f"file://{folder / 'creatives'}",
            "conn_id": f"{vendor}_default",
            "submit_timeout": 864000,
            "items": [{"key": f"k{n}", "request": self.request(n)} for n in range(COUNT)],
        }

    def request(self, number: int) -> dict[str, Any]:
        given = REQUESTS[self.vendor]
        return {**self.subject, **{name: value.replace("{n}", str(number)) for name, value in given.items()}}

    def resolve(self) -> int:
        """Say of each open submission what came of it, as a person does who looks at the vendor's list of jobs."""
        from airflow_provider_adgen.core.identity import TaskIdentity
        from airflow_provider_adgen.lifecycle.resolution import variable_name

        identity = TaskIdentity("campaign", "manual__2026-01-01T00:00:00+00:00", "make")
        records = BatchStore(f"file://{self.folder / 'ledger'}", identity).load()
        taken = {job for one in records.values() for attempt in one.attempts for job in attempt.job_ids}
        jobs = {str(job["request"]): job["id"] for job in self.sandbox.jobs(self.vendor) if job["id"] not in taken}
        found = 0
        for record in records.values():
            if (opened := record.open) is None:
                continue
            found += 1
            number = next(n for n in range(COUNT) if record == records.get(_folder(f"k{n}")))
            job = next((job for said, job in jobs.items() if f"A bottle {number}'" in said), None)
            self.environment[f"AIRFLOW_VAR_{variable_name(opened.uid).upper()}"] = job or "not-submitted"
        return found

    def files(self) -> Counter[str]:
        paths = (self.folder / "creatives").iterdir()
        # A worker that is killed while it stores leaves a temporary file.
        found = [path.name for path in paths if path.is_file() and not path.name.startswith(".")]
        return Counter(name.split("-")[0] for name in found)


def _subject(sandbox: Sandbox) -> dict[str, str]:
    """Return a project and a product at CutX, which each of its ads needs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", json.dumps(sandbox.connection("cutx")))
        with CutxHook() as hook:
            project = hook.create_project(name="Spring").id
            product = hook.ingest_product(url="https://shop.example/bottle", project_id=project)
    return {"project_id": project, "product_id": product.id}


def _folder(key: str) -> str:
    from airflow_provider_adgen.ledger.stores import item_folder

    return item_folder(key)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("life", range(LIVES))
@pytest.mark.parametrize("way", ["SIGKILL", "SIGTERM", "SIGTERM then SIGKILL"])
@pytest.mark.parametrize("vendor", sorted(REQUESTS))
def test_killed_at_random_moments(sandbox: Sandbox, tmp_path: Path, vendor: str, way: str, life: int) -> None:
    chance = random.Random(f"{vendor} {way} {life}")
    batch = Life(sandbox, vendor, tmp_path)
    cleared, ended = 0, {}
    for number in range(KILLS + 4):
        batch.try_number += 1
        with Tries(tmp_path, batch.environment) as tries:
            one = tries.start(batch.fields, try_number=batch.try_number, max_tries=1 + cleared)
            if number < KILLS:
                delay = chance.uniform(0.05, 1.6)
                if way.startswith("SIGTERM"):
                    one.kill(delay, signal.SIGTERM)
                    delay = 0.2
                if way.endswith("SIGKILL"):
                    one.kill(delay)
            ended = one.wait()
        if ended.get("told"):
            break
        if number >= KILLS and batch.resolve():
            cleared += 1
    assert ended.get("told"), ended
    assert ended["told"]["counts"]["completed"] == COUNT
    paid = Counter(str(one["job_id"]) for one in sandbox.charges)
    refunded = len(sandbox.refunds)
    assert len(paid) - refunded == COUNT, "each item is paid for once"
    assert set(batch.files()) == {f"k{n}" for n in range(COUNT)}
