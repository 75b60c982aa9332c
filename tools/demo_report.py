# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo run has made, whether the vendor's ledger agrees, and how to say so."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns import build_manifest, render_gallery
from airflow_provider_adgen.campaigns.manifest import result_of
from airflow_provider_adgen.campaigns.media import read_all_media
from tools.airflow_api import ApiFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.airflow_api import Run

_TAIL = 20
"""Lines of a log that are shown."""


@dataclass(frozen=True)
class Made:
    """
    What the tasks of a run returned.

    :param by_task: the generations of each task, in the order of its map index.
    :param manifest: the campaign's manifest and its file, where the DAG writes one.
    """

    by_task: Mapping[str, Sequence[Mapping[str, Any]]]
    manifest: tuple[Path, Mapping[str, Any]] | None

    @property
    def generations(self) -> list[Mapping[str, Any]]:
        """All generations."""
        return [generation for made in self.by_task.values() for generation in made]

    def described(self, dag_id: str) -> Mapping[str, Any]:
        """Return the manifest that the DAG has written; where it writes none, one with an item for each generation."""
        if self.manifest is not None:
            return self.manifest[1]
        items, results = [], []
        for task, made in self.by_task.items():
            for number, one in enumerate(made, 1):
                choice = {"conn_id": f"{one['vendor']}_default", "request": one.get("details") or {}}
                meta = {"title": task, "brief": one["kind"]}
                items.append({"key": f"{task}/{number}", "choices": [choice], "meta": meta})
                results.append(result_of(items[-1], one))
        uris = [creative["uri"] for one in self.generations for creative in one["creatives"]]
        there = [uri for uri in uris if local_path(uri) is not None]
        return build_manifest({"dag_id": dag_id}, items, results, media=read_all_media(there))


def local_path(uri: str | None) -> Path | None:
    """Return the file behind a stored creative's URI; None where it is not on this machine."""
    # Airflow's paths are not percent-encoded, not even behind file://.
    path = (uri or "").removeprefix("file://")
    return Path(path) if path.startswith("/") else None


def collect(run: Run) -> Made:
    """Read what the tasks of a run returned from their XComs."""
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    manifest = None
    for one in run.tasks():
        if one["state"] != "success":
            continue
        try:
            value = run.xcom(one["task_id"], map_index=one["map_index"])
        except ApiFailed as error:
            if error.status == 404:  # it returned nothing
                continue
            raise
        if not isinstance(value, dict):
            continue
        path, results = local_path(value.get("manifest")), local_path(value.get("results"))
        if {"vendor", "job_ids", "creatives"} <= value.keys():
            by_task.setdefault(one["task_id"], []).append(value)
        elif results is not None:
            lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
            by_task.setdefault(one["task_id"], []).extend(line["generation"] for line in lines if line["generation"])
        elif path is not None:
            manifest = (path, json.loads(path.read_text(encoding="utf-8")))
    return Made(_once(by_task), manifest)


def _once(by_task: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Mapping[str, Any]]]:
    """Where several tasks returned the same job (one submits, another stores), keep the one with the most stored."""
    best: dict[tuple[str, str], tuple[int, str]] = {}
    for task, made in by_task.items():
        for one in made:
            stored = sum(bool(creative.get("uri")) for creative in one["creatives"])
            job = (one["vendor"], one["id"])
            best[job] = max(best.get(job, (-1, "")), (stored, task))
    kept = {task: [one for one in made if best[one["vendor"], one["id"]][1] == task] for task, made in by_task.items()}
    return {task: made for task, made in kept.items() if made}


def audit(generations: Sequence[Mapping[str, Any]], charges: Sequence[Mapping[str, Any]]) -> list[str]:
    """
    Compare the vendor's ledger with what the run has made; return what does not agree.

    :param generations: what the operators returned.
    :param charges: every charge since the sandbox started.
    """
    made = {job for generation in generations for job in generation["job_ids"]}
    paid = Counter(str(charge["job_id"]) for charge in charges)
    return [
        *(f"job {job} was made and the ledger has no charge for it" for job in sorted(made - paid.keys())),
        *(f"job {job} was paid for and no task returned it" for job in sorted(paid.keys() - made)),
        *(f"job {job} was charged {times} times" for job, times in sorted(paid.items()) if times > 1),
    ]


def say_made(manifest: Mapping[str, Any], root: Path) -> list[str]:
    """Return a line for each thing that was made: where it is and how large."""
    lines: list[str] = []
    for entry in manifest["items"]:
        heading = entry["product"]["title"] or entry["key"]
        if heading not in lines:
            lines.append(heading)
        for creative in entry["creatives"]:
            path = local_path(creative["uri"])
            where = shown(path, root) if path else str(creative["uri"] or "not stored")
            lines.append(f"  {entry['kind']:<6} {_size(creative['size']):>9}  {where}")
        lines += [f"  {entry['kind']:<6} {variant.get('hook') or ''}" for variant in entry["variants"]]
    return lines


def write_gallery(path: Path, manifest: Mapping[str, Any], charges: Sequence[Mapping[str, Any]]) -> None:
    """
    Write the gallery.

    :param path: the page's file.
    :param manifest: what it shows.
    :param charges: the vendors' ledger, which tells what each account was charged also where its vendor does not.
    """
    paid: Counter[str] = Counter()
    for charge in charges:
        paid[f"{charge['vendor']}_default"] += charge["credits"]
    costs = {conn_id: {**manifest["credits"].get(conn_id, {}), "charged": paid[conn_id]} for conn_id in sorted(paid)}
    page = render_gallery({**manifest, "credits": costs}, base=f"file://{path.parent}")
    path.write_text(page, encoding="utf-8")


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


def _size(size: int | None) -> str:
    if size is None:
        return "?"
    return f"{size} B" if size < 1000 else f"{size / 1000:,.0f} kB" if size < 10**6 else f"{size / 10**6:,.1f} MB"
