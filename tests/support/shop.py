# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A shop's feed for a campaign on a whole Airflow, and what its runs have left: states, files, charges."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_adgen.sandbox.client import SandboxClient
    from tools.airflow_api import Run

LINES = ("Lamps", "Chairs", "Tables")
GOOD = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}
"""How each task of a campaign without review ends if all goes well."""

PATIENCE = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
}
"""Airflow's configuration on a machine that is busy with other tests."""


def product(number: int, title: str | None = None, **more: str) -> dict[str, str]:
    """Return a row of a feed; the lines of products take turns."""
    return {
        "id": f"P-{number:03d}",
        "title": title or f"Product {number:03d} by Lumo",
        "brand": "Lumo",
        "description": "Made to be looked at.",
        "link": f"https://shop.example/{number}",
        "image_link": f"https://shop.example/{number}.jpg",
        "product_type": LINES[number % len(LINES)],
        **more,
    }


def write_feed(path: Path, rows: Iterable[dict[str, str]]) -> dict[str, str]:
    """Write a feed; return the configuration of a run over it."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return {"catalogue": str(path), "place": f"file://{path.parent / 'ads'}"}


def states(run: Run) -> dict[str, str]:
    """Return how each task of the campaign stands, by its name in its group."""
    return {one["task_id"].partition(".")[2]: one["state"] for one in run.tasks()}


def local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def read_json(uri: str) -> Any:
    """Return the JSON of a file."""
    return json.loads(local(uri).read_text())


def manifest_of(run: Run) -> dict[str, Any]:
    """Return the manifest that a run has drafted."""
    found: dict[str, Any] = read_json(run.xcom("campaign.draft")["manifest"])
    return found


def check_files(manifest: dict[str, Any]) -> None:
    """Check that every creative of a manifest is a file of its own, with the size and the hash that are told."""
    told = [one for entry in manifest["items"] for one in entry["creatives"]]
    assert len({one["uri"] for one in told}) == len(told)
    for one in told:
        data = local(one["uri"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (one["size"], one["sha256"]), one["uri"]


def ends_by_prompt(sandbox: SandboxClient) -> dict[str, Counter[str]]:
    """Return how the vendors' jobs ended, by what they were asked for, after checking that each is charged once."""
    found: dict[str, Counter[str]] = {}
    jobs = sandbox.jobs()
    for job in jobs:
        found.setdefault(str(job["request"]["prompt"]), Counter())[job["status"]] += 1
    charged = Counter(charge["job_id"] for charge in sandbox.charges)
    assert charged == Counter(job["id"] for job in jobs), "each job is charged once, and nothing else is"
    return found


def paid(sandbox: SandboxClient) -> Counter[str]:
    """Return how many charges each vendor has made."""
    return Counter(charge["vendor"] for charge in sandbox.charges)


def keys_by(entries: Sequence[dict[str, Any]], field: str) -> dict[Any, set[str]]:
    """Return the keys of a manifest's entries by a field of theirs."""
    found: dict[Any, set[str]] = {}
    for entry in entries:
        found.setdefault(entry[field], set()).add(entry["key"])
    return found
