# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Shows what a batch has paid for, and records the outcome of many submissions whose answers were lost."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_adgen.cli.items import OPEN, RESOLVED, belongs, no_item
from airflow_provider_adgen.cli.resolving import (
    Refused,
    check_jobs,
    confirm,
    cost,
    not_open,
    read_job_ids,
    seconds_to_dismiss,
    store,
)
from airflow_provider_adgen.cli.suspects import look
from airflow_provider_adgen.cli.tables import columns, one_line, spreadsheet
from airflow_provider_adgen.cli.text import task_of, when
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.ledger.commands import command
from airflow_provider_adgen.lifecycle.batch.results import say_credits
from airflow_provider_adgen.lifecycle.resolution import NOT_SUBMITTED
from airflow_provider_adgen.lifecycle.stop_messages import how_to_resolve_items

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from airflow_provider_adgen.cli.items import Batch, Item
    from airflow_provider_adgen.cli.suspects import Suspects
    from airflow_provider_adgen.core.record import Attempt

SHOWN = 20
"""Open items that ``show`` names."""

_LISTED = ("key", "state", "job_id", "credits", "intended_at")
_TO_FILL_IN = ("key", "job_id", "intended_at", "endpoint", "candidates", "created_at", "also_candidate_of")


# --- show, list ---------------------------------------------------------------------------------------------------


def show(batch: Batch, args: argparse.Namespace) -> str:
    """Return how many items are in which state, what they cost, and what can be done."""
    states = Counter(one.state for one in batch.items.values())
    opened = [one for state in OPEN for one in batch.in_state(state)]
    told = {
        "task": task_of(batch.identity),
        "items": len(batch.items),
        "states": dict(sorted(states.items())),
        "credits": batch.credits,
        "results": batch.results,
        "open": [one.to_json() for one in opened[:SHOWN]],
        "next": _next(batch),
    }
    if args.output == "json":
        return json.dumps({"ok": True, **told}, indent=2)
    lines = [f"{batch.identity}: a batch of {counted(len(batch.items), 'item')}"]
    lines += [f"  {state}: {number}" for state, number in sorted(states.items())]
    lines += ["", "credits:"]
    for name, sums in batch.credits.items():
        lines.append(f"  {name}: {say_credits(sums)}")
    lines += ["", f"results: {batch.results or 'none before the first leg has ended'}"]
    if opened:
        lines += ["", "open:", *columns(_LISTED, [one_line(one.to_json()) for one in opened[:SHOWN]])]
    if len(opened) > SHOWN:
        lines.append(f"and {len(opened) - SHOWN} more: {command('list', batch.identity, '--open')}")
    return "\n".join([*lines, "", _next(batch)])


def _next(batch: Batch) -> str:
    unknown = {one.key: one.open for one in batch.in_state(ItemStatus.UNKNOWN) if one.open is not None}
    if unknown:
        return how_to_resolve_items(unknown, batch.identity, SYSTEM.now())
    if batch.in_state(RESOLVED):
        return "A person resolved what nobody knew. Clear the task, and it follows that."
    if all(one.state in {ItemStatus.COMPLETED, ItemStatus.REUSED, ItemStatus.SKIPPED} for one in batch.items.values()):
        return 'Everything is delivered. Clearing the task keeps it, unless on_clear is "fresh".'
    return "A retry or a clear goes on with what has no result. What is under way or delivered is not paid for again."


def list_items(batch: Batch, args: argparse.Namespace) -> str:
    """Return one line for each item."""
    if args.unknown:
        listed = batch.in_state(ItemStatus.UNKNOWN)
    else:
        listed = batch.in_state(*OPEN) if args.open else list(batch.items.values())
    found = [one.to_json() for one in listed]
    notes: list[str] = []
    if args.unknown:
        suspects = look(batch)
        notes = suspects.notes
        for one in found:
            one |= suspects.to_json(one["key"])
    if args.output == "json":
        return json.dumps({"ok": True, "task": task_of(batch.identity), "items": found, "notes": notes}, indent=2)
    for note in notes:
        print(note, file=sys.stderr)
    names = _TO_FILL_IN if args.unknown else _LISTED
    if args.output == "csv":
        return spreadsheet(names, [one_line(one) for one in found])
    return "\n".join(columns(names, [one_line(one) for one in found])) if found else "No items."


# --- attach --from ------------------------------------------------------------------------------------------------


def attach(batch: Batch, args: argparse.Namespace) -> str:
    """Store which jobs many submissions started: all that a file names, or none if anything in it is wrong."""
    rows = _read(args.file)
    problems: dict[int, str] = {}
    wanted: list[tuple[int, Item, Attempt, list[str]]] = []
    owners, seen = batch.owners({key for _, key, _ in rows}), dict[str, int]()
    for number, key, text in rows:
        item = batch.items.get(key)
        if item is None:
            problems[number] = no_item(batch.identity, key)
            continue
        try:
            problem = not_open(item.record, replace(batch.identity, item=key))
            ids = read_job_ids(text)
        except AdGenError as error:
            problems[number] = error.message
            continue
        attempt = item.open
        if key in seen:
            problem = f"Line {seen[key]} names the same item."
        seen.setdefault(key, number)
        problem = problem or belongs(ids, owners)
        owners.update(dict.fromkeys(ids, key))
        if problem is not None or attempt is None:
            problems[number] = problem or "It has no open submission."
        else:
            wanted.append((number, item, attempt, ids))
    if not args.no_check:
        wrong, _ = check_jobs([(attempt, ids) for _, _, attempt, ids in wanted], args.conn_id)
        problems |= {number: text for (number, *_), text in zip(wanted, wrong, strict=True) if text is not None}
    if problems:
        told = [f"line {number}: {text}" for number, text in sorted(problems.items())]
        raise Refused(
            f"{len(problems)} of {len(rows)} filled in lines of {args.file} are wrong. Nothing was changed.\n"
            + "\n".join(told)
        )
    decided = [(item, attempt, ",".join(ids)) for _, item, attempt, ids in wanted]
    are, jobs = ("is", "a job") if len(decided) == 1 else ("are", "jobs")
    what = f"{counted(len(decided), 'submission')} of {batch.identity} {are} now resolved, with {jobs} of {args.file}."
    return _store(decided, f"{what} Clear the task: it waits for what is attached, stores it, and pays nothing.", args)


def _read(file: str) -> list[tuple[int, str, str]]:
    """Return the lines of a CSV file that have a job id: number, key, job id."""
    try:
        if file == "-":
            return _rows(file, sys.stdin)
        with open(file, encoding="utf-8-sig", newline="") as opened:
            return _rows(file, opened)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"{file} cannot be read ({error}). Nothing was changed.") from None


def _rows(file: str, text: Iterable[str]) -> list[tuple[int, str, str]]:
    reader = csv.reader(text)
    # Airflow may have logged something before the table. A spreadsheet begins with a mark of its encoding.
    heads = ([name.removeprefix("\ufeff").strip() for name in row] for row in reader)
    names = next((one for one in heads if {"key", "job_id"} <= set(one)), None)
    if names is None:
        raise Refused(f"No line of {file} names the columns, key and job_id, separated by commas. Nothing was changed.")
    key, job = names.index("key"), names.index("job_id")
    rows = [(reader.line_num, row[key], row[job].strip()) for row in reader if len(row) > max(key, job)]
    filled_in = [one for one in rows if one[2]]
    if not filled_in:
        raise Refused(f"No line of {file} has a job id. Nothing was changed.")
    return filled_in


# --- dismiss --all-unknown ----------------------------------------------------------------------------------------


def dismiss(batch: Batch, args: argparse.Namespace) -> str:
    """Store that all unknown submissions from before a time started nothing."""
    before = _moment(args.before)
    earlier = [
        (item, attempt)
        for item in batch.items.values()
        if (attempt := item.open) is not None and attempt.intended_at < before
    ]
    rest = max((seconds_to_dismiss(attempt) for _, attempt in earlier), default=0.0)
    if rest > 0:
        raise Refused(
            f"Submissions from before {args.before} may still be in progress. Nothing was changed. Try again in "
            f"{rest:.0f} s, or with an earlier time."
        )
    unknown = [(item, attempt) for item, attempt in earlier if item.resolution is None]
    if not unknown:
        raise Refused(
            f"{batch.identity} has no unknown submission from before {args.before}: "
            f"{counted(len(earlier), 'was', 'were')} resolved before. Nothing was changed."
        )
    attempts = [attempt for _, attempt in unknown]
    first, last = when(min(one.intended_at for one in attempts)), when(max(one.intended_at for one in attempts))
    suspects, number = look(batch), counted(len(unknown), "submission")
    it, them, jobs = ("it was", "this item", "job") if len(unknown) == 1 else ("they were", "these items", "jobs")
    confirm(
        args,
        f"{number} of {batch.identity}, from {first} to {last}, will count as not accepted: after a clear, the task "
        f"submits {them} again. If {it} accepted after all, you pay twice ({cost(attempts)} more), and nobody collects "
        f"the first {jobs}.\n{suspects.before_dismissing(batch, unknown)}",
    )
    text = (
        f"{number} of {batch.identity} {'is' if len(unknown) == 1 else 'are'} now resolved: nothing was started. Clear "
        f"the task: it submits {them} again, which costs credits."
    )
    return _store([(item, attempt, NOT_SUBMITTED) for item, attempt in unknown], text, args, suspects)


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(
            f"{text!r} is no time in ISO 8601 with a time zone, such as 2026-11-21T03:00:00Z. Nothing was changed."
        )
    return moment.timestamp()


# --- both ---------------------------------------------------------------------------------------------------------


def _store(
    decided: list[tuple[Item, Attempt, str]], text: str, args: argparse.Namespace, suspects: Suspects | None = None
) -> str:
    """Store what was decided, and return the answer. After an error in the middle, the same command does the rest."""
    stored = [
        {"key": item.key, "attempt": attempt.uid, "variable": store(attempt, value), "value": value}
        | (suspects.to_json(item.key) if suspects is not None else {})
        for item, attempt, value in decided
    ]
    if args.output == "json":
        return json.dumps({"ok": True, "resolved": stored, "next": text}, indent=2)
    if len(stored) == 1:
        return f"{text}\nThis is stored in the Airflow Variable {stored[0]['variable']}. Delete it to undo this."
    return (
        f"{text}\nThis is stored in {len(stored)} Airflow Variables adgen_resolve_<attempt>, the first of them "
        f"{stored[0]['variable']}. Delete an item's Variable to undo it."
    )
