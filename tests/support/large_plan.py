# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
A large shop: its library is written, or the step of a campaign that plans is measured, in a process of its own.

``python -m tests.support.large_plan library|plan FOLDER``; the second prints what it took as JSON.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_adgen.campaigns import Brief
from airflow_provider_adgen.campaigns.planning import PlanCampaignOperator

ROWS = 50_000
CHANGED = 500
"""Products whose titles have changed since the library was written."""

ACCOUNTS = ["adsumo_default", "sume_default"]
TEXT = "<p>A dimmable desk lamp of oak &amp; brass, made to last.</p>" * 12
BRIEF = Brief(
    "hero",
    kind="image",
    prompt="Product photo of {title} by {brand}. Soft daylight.",
    formats=["1:1"],
    options={"adsumo": {"model": "fast"}},
)


GENERATION = {"schema": 1, "status": "completed", "vendor": "adsumo", "kind": "text-to-image", "variants": []}
CREATIVE = {"kind": "image", "media_type": "image/png", "url": None, "expires_at": None, "sha256": "0" * 64}


def write_feed(path: Path, changed: int) -> None:
    """Write a feed in which the first products have new titles."""
    with path.open("w") as file:
        file.write("id,title,description,link,image_link,price,brand,product_type\n")
        for number in range(ROWS):
            title = f"New lamp {number}" if number < changed else f"Lamp {number}"
            place = f"https://shop.example/{number}"
            file.write(f'SKU-{number},{title},"{TEXT}",{place},{place}.jpg,{number}.99 EUR,Lumo,Lamps\n')


class _TaskInstance(SimpleNamespace):
    """What the step uses of its task instance."""

    def xcom_push(self, key: str, value: Any) -> None:
        setattr(self, key, value)


def plan(folder: Path, run_id: str, feed: Path, **more: Any) -> dict[str, Any]:
    """Plan as the task does: read, look up, price, write down; return what the task returns."""
    step = PlanCampaignOperator(
        task_id="plan",
        catalogue=str(feed),
        briefs=[BRIEF],
        accounts=ACCOUNTS,
        destination=f"file://{folder / 'ads'}",
        max_credits={"adsumo_default": ROWS, "sume_default": ROWS},
        assume_credits={"sume_default": 4},
        **more,
    )
    ti = _TaskInstance(dag_id="spring", run_id=run_id, task_id="plan", map_index=-1, try_number=1, max_tries=0)
    told: dict[str, Any] = step.execute({"ti": ti})  # type: ignore[typeddict-item]
    return told


def _stored(folder: Path, key: str, number: int) -> dict[str, Any]:
    """Store a creative as a campaign does, and return what an entry says of it."""
    path = folder / "ads" / "before" / f"{key}-job-{number}-0.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"picture")
    return {**CREATIVE, "uri": f"file://{path}", "size": 7}


def write_library(folder: Path) -> None:
    """Write an entry for each creative of the feed as it was before."""
    from airflow_provider_adgen.campaigns.made_before import Identities
    from airflow_provider_adgen.campaigns.run_folder import read_items
    from airflow_provider_adgen.ledger.library_objects import Entry, entry_name

    feed = folder / "before.csv"
    write_feed(feed, 0)
    library = folder / "library"
    identities = Identities()
    made_at = time.time() - 7 * 86400
    for number, item in enumerate(read_items(plan(folder, "before", feed)["items"])):
        identity = identities.of(item["key"], item["choices"][0])
        entry = Entry(
            identity=identity.digest,
            key=identity.key,
            vendor=identity.vendor,
            host=identity.host,
            conn_id=ACCOUNTS[0],
            made_at=made_at,
            recorded_at=made_at,
            generation={**GENERATION, "id": f"job-{number}", "creatives": [_stored(folder, item["key"], number)]},
        )
        shard = library / "entries" / identity.digest[:2]
        shard.mkdir(parents=True, exist_ok=True)
        (shard / entry_name(entry)).write_text(entry.model_dump_json())


def measure(folder: Path) -> dict[str, Any]:
    """Return what the step tells, with its seconds of CPU time and the process's peak of memory in MB."""
    feed = folder / "feed.csv"
    write_feed(feed, CHANGED)
    began = time.process_time()
    told = plan(folder, "week", feed, library=f"file://{folder / 'library'}")
    seconds = time.process_time() - began
    if sys.platform == "linux":  # ru_maxrss counts what the parent had when it started this process
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        assert found is not None
        peak = int(found[1]) >> 10
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20
    return {**told, "seconds": seconds, "megabytes": peak}


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    if what == "library":
        write_library(where)
    else:
        print(json.dumps(measure(where)))
