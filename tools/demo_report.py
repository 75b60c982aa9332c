# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo run has made and cost, whether the vendors' ledger agrees, and how to say so."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.vocabulary import estimate_mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow_provider_adgen.ledger.records import Records
    from tools.airflow_api import Run

_TAIL = 20
"""Lines of a log that are shown."""


def audit(records: Records, charges: Sequence[Mapping[str, Any]]) -> list[str]:
    """
    Compare the ledger of the package with the vendors'; return what does not agree.

    :param records: what the package recorded.
    :param charges: the charges of the same time, as the sandbox's ledger has them.
    """
    attempts = [attempt for record in records.found.values() for attempt in record.attempts]
    ours = {job for one in attempts if one.phase != "withdrawn" for job in one.job_ids}
    paid = Counter(str(charge["job_id"]) for charge in charges)
    return [
        *(f"{name} cannot be read" for name in records.broken),
        *(f"job {job} is recorded and was not charged" for job in sorted(ours - paid.keys())),
        *(f"job {job} was charged and is not recorded" for job in sorted(paid.keys() - ours)),
        *(f"job {job} was charged {times} times" for job, times in sorted(paid.items()) if times > 1),
    ]


def paid_by(charges: Sequence[Mapping[str, Any]], refunds: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return what each vendor has charged, less refunds; credits of two accounts are never added up."""
    sums: Counter[str] = Counter()
    for sign, entries in ((1, charges), (-1, refunds)):
        for one in entries:
            sums[one["vendor"]] += sign * one["credits"]
    return dict(sorted(sums.items()))


def say_credits(paid: Mapping[str, int], estimated: Mapping[str, int] | None = None) -> str:
    """
    Return sums of credits as words.

    :param estimated: the parts of them that are prices.
    """
    said = [
        f"{number} credits at {get_vendor(vendor).title}{estimate_mark(number, (estimated or {}).get(vendor, 0))}"
        for vendor, number in paid.items()
    ]
    return " and ".join(said) or "nothing"


def say_files(folder: Path, root: Path) -> list[str]:
    """Return a line for each file that was stored: its size and its place, that of a page as a link."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "_adgen" not in path.parts)
    places = [path.as_uri() if path.suffix == ".html" else shown(path, root) for path in files]
    return [f"{_size(path.stat().st_size):>9}  {place}" for path, place in zip(files, places, strict=True)]


def say_failures(run: Run, logs: Path, root: Path) -> list[str]:
    """
    Return which tasks of a run failed, each with the end of its log.

    :param logs: Airflow's folder of logs.
    :param root: the checkout.
    """
    said, not_run = [], []
    for one in run.tasks():
        if one["state"] == "upstream_failed":
            not_run.append(one["task_id"])
        if one["state"] != "failed":
            continue
        mapped = one["map_index"] >= 0
        place = logs / f"dag_id={run.dag_id}" / f"run_id={run.run_id}" / f"task_id={one['task_id']}"
        log = (place / f"map_index={one['map_index']}" if mapped else place) / f"attempt={one['try_number']}.log"
        name = f"{one['task_id']} [{one['map_index']}]" if mapped else one["task_id"]
        said.append(f"{name} failed on try {one['try_number']}. The end of {shown(log, root)}:")
        said += [f"  {line}" for line in read_log(log)[-_TAIL:]]
    if not_run:
        said.append(f"Did not run because of that: {', '.join(sorted(set(not_run)))}.")
    return said


def read_log(path: Path) -> list[str]:
    """Return a task's log as lines for people: level, message and what was raised."""
    lines: list[str] = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        try:
            entry = json.loads(text)
            event, raised = str(entry["event"]), entry.get("error_detail") or []
        except (ValueError, KeyError, TypeError, AttributeError):
            lines.append(text)
            continue
        if event.startswith("::"):
            continue
        lines.append(f"{entry.get('level', '')}: {event}")
        for error in raised:
            lines += f"  {error['exc_type']}: {error['exc_value']}".splitlines()
    return lines


def shown(path: Path, root: Path) -> str:
    """Return a path as short as it can be typed from the checkout."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _size(size: int) -> str:
    return f"{size} B" if size < 1000 else f"{size / 1000:,.0f} kB" if size < 10**6 else f"{size / 10**6:,.1f} MB"
