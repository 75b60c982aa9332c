# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Prints the items of a batch: in columns for people, and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def one_line(item: Mapping[str, Any]) -> dict[str, str]:
    """Return an item's JSON as texts, as a table has them."""
    return {
        "key": item["key"],
        "state": item["state"],
        "job_id": ",".join(item["job_ids"]),
        "credits": " ".join(f"{name}:{number}" for name, number in item["credits"].items()),
        "intended_at": item["intended_at"] or "",
        "endpoint": item["endpoint"] or "",
        "candidates": " ".join(item.get("candidates", ())),
        "created_at": " ".join(job["created_at"] or "?" for job in item.get("candidate_jobs", ())),
        "also_candidate_of": "; ".join(
            f"{job['job_id']}: {', '.join(job['also_candidate_of'])}"
            for job in item.get("candidate_jobs", ())
            if job["also_candidate_of"]
        ),
    }


def columns(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return lines with columns of equal width, under their names."""
    table = [dict(zip(names, names, strict=True)), *rows]
    widths = [max(len(row[name]) for row in table) for name in names]
    return [
        "  ".join(row[name].ljust(width) for name, width in zip(names, widths, strict=True)).rstrip() for row in table
    ]


def spreadsheet(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """Return lines of CSV under the names of their columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")
