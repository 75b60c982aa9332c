# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Prints what was spent, from the ledger alone."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen import settings
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.scrub import reason
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.ledger.records import read_records
from airflow_provider_adgen.ledger.report import GROUPS, Totals, report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

_COLUMNS = ("vendor", "conn_id", "host")
_SUMS = tuple(Totals.__dataclass_fields__)


def run(args: argparse.Namespace) -> int:
    """Print the report; return 0, or 1 where it could not be made or leaves something out."""
    try:
        # Airflow 3.0 logs to the standard output, which is meant for the answer.
        with contextlib.redirect_stdout(sys.stderr):
            rows, problem = _rows(args)
    except AdGenError as error:
        print(json.dumps({"ok": False, "error": str(error)}) if args.output == "json" else error, file=sys.stderr)
        return 1
    names = (*GROUPS[args.by], *_COLUMNS, *_SUMS)
    print({"json": _json, "csv": _csv, "table": _table}[args.output](rows, names))
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


def _rows(args: argparse.Namespace) -> tuple[list[dict[str, Any]], str]:
    """Return the rows, and what they leave out."""
    path = settings.ledger_path()
    if path is None:
        raise InvalidRequest(
            "There is no ledger here: [adgen] ledger_path is not set. Run this with the configuration of the workers."
        )
    since, until = _moment("--since", args.since), _moment("--until", args.until, end=True)
    try:
        records = read_records(path, since=since)
    except Exception as error:  # a missing package or connection, or any error of a file system
        raise InvalidRequest(f"The ledger under [adgen] ledger_path could not be read ({reason(error)}).") from None
    rows = report(records.found, args.by, since=since, until=until, refunds=_refunds)
    if not records.broken:
        return rows, ""
    first = ", ".join(records.broken[:5])
    return (
        rows,
        f"{counted(len(records.broken), 'object')} of the ledger cannot be read as a record and left out: {first}",
    )


def _refunds(vendor: str) -> Collection[str]:
    try:
        return get_vendor(vendor).promises.refunded
    except InvalidRequest:  # a vendor of a package that is not installed here
        return ()


def _moment(name: str, text: str | None, *, end: bool = False) -> float | None:
    """Return the Unix time of a date or a time; of a date that is an *end*, the end of that day."""
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        day = datetime.combine(date.fromisoformat(text), time(), UTC)
        return (day + timedelta(days=1) if end else day).timestamp()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be a date or a time in ISO 8601, for instance 2026-11-28.") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _json(rows: list[dict[str, Any]], names: tuple[str, ...]) -> str:
    return json.dumps(rows, indent=2)


def _csv(rows: list[dict[str, Any]], names: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def _table(rows: list[dict[str, Any]], names: tuple[str, ...]) -> str:
    if not rows:
        return "Nothing was submitted."
    # Columns in which nothing is said are left out, but not what a report is for.
    always = {*GROUPS["run"], *GROUPS["task"], "day", "vendor", "conn_id", "purchases", "quoted", "charged", "refunded"}
    shown = [name for name in names if name in always or any(row[name] for row in rows)]
    lines = [[name.replace("_", " ") for name in shown], *([str(row[name]) for name in shown] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(shown))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if name in _SUMS else cell.ljust(width)
            for cell, width, name in zip(line, widths, shown, strict=True)
        ).rstrip()
        for line in lines
    )
