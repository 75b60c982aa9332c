# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Asks the vendors which jobs the lost submissions of a batch could have started, and says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.cli import server
from airflow_provider_adgen.cli.text import when
from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.wording import counted, named
from airflow_provider_adgen.ledger.commands import command
from airflow_provider_adgen.lifecycle.candidates import LOOK_AT, compare, list_recent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.cli.items import Batch, Item
    from airflow_provider_adgen.core.record import Attempt
    from airflow_provider_adgen.lifecycle.candidates import Candidate

CANDIDATES = 10
"""Jobs that are named for an item: those that were created nearest to its submission."""

_SHOWN = 20
"""Submissions that are named before they are dismissed."""


class Suspects:
    """
    The vendors' jobs that the unknown submissions of a batch could have started; looked for once for all of them.

    :param found: these jobs, by the items' keys, the nearest in time first.
    :param notes: what was looked at, and what could not be.
    """

    def __init__(self, found: Mapping[str, Sequence[Candidate]], notes: list[str]) -> None:
        self._found = found
        self.notes = notes

    def of(self, key: str) -> Sequence[Candidate]:
        """Return the jobs that an item could be."""
        return self._found.get(key, ())[:CANDIDATES]

    def to_json(self, key: str) -> dict[str, Any]:
        """Return the jobs that an item could be as JSON: their ids, and what is known of each."""
        jobs = self.of(key)
        return {"candidates": [one.job_id for one in jobs], "candidate_jobs": [one.to_json() for one in jobs]}

    def before_dismissing(self, batch: Batch, items: Sequence[tuple[Item, Attempt]]) -> str:
        """
        Return what a person should see before submissions are dismissed: each with the jobs that it could be.

        :param batch: the batch.
        :param items: the items, with their submissions.
        """
        lines = list(self.notes)
        # Those with a job at the vendor come first: they are the ones that may be paid twice.
        for item, attempt in sorted(items, key=lambda one: not self.of(one[0].key))[:_SHOWN]:
            jobs = named([str(one) for one in self.of(item.key)], CANDIDATES)
            could = f"could be {jobs}" if jobs else "no job is known that it could be"
            lines.append(f"  {item.key}, sent at {when(attempt.intended_at)}: {could}")
        if len(items) > _SHOWN:
            lines.append(f"  and {len(items) - _SHOWN} more")
        possible = sum(1 for item, _ in items if self.of(item.key))
        if possible:
            have = "has a job" if possible == 1 else "have jobs"
            lines.append(
                f"{possible} of {counted(len(items), 'submission')} {have} at the vendor that could be theirs: "
                "dismissed, they may be paid twice. Attach what is theirs first:"
            )
        else:
            lines.append("To look at them first:")
        return "\n".join([*lines, f"    {command('list', batch.identity, '--unknown')}"])


def look(batch: Batch) -> Suspects:
    """
    Ask for the jobs that the unknown submissions of a batch could have started. Costs nothing.

    :param batch: the batch.
    """
    attempts: dict[str, dict[str, Attempt]] = {}
    for item in batch.in_state(ItemStatus.UNKNOWN):
        if item.open is not None:
            attempts.setdefault(item.open.conn_id, {})[item.key] = item.open
    owners = batch.owners()
    found: dict[str, Sequence[Candidate]] = {}
    notes = []
    for conn_id, its in attempts.items():
        try:
            hook = server.ServerHook(conn_id)
            why = {key: hook.vendor.why_unlisted(one.result_kind) for key, one in its.items()}
            notes += [
                f"{one.rstrip('.')}: there are no candidates of {conn_id!r}."
                for one in dict.fromkeys(why.values())
                if one is not None
            ]
            its = {key: one for key, one in its.items() if why[key] is None}
            if not its:
                continue
            # The batch's own jobs must not hide the others.
            since = min(one.intended_at for one in its.values())
            recent = list_recent(hook, since, most=LOOK_AT + len(owners))
        except AdGenError as error:
            notes.append(f"The jobs of {conn_id!r} could not be listed to look for candidates ({error.message})")
            continue
        jobs = [job for job in recent.jobs if not any(one in owners for one in job.job_ids)]
        was = "was" if len(jobs) == 1 else "were"
        notes.append(
            f"{hook.vendor.title}, {conn_id!r}: {len(jobs)} of {counted(recent.looked, 'job')} of its list {was} "
            f"created since the first of these submissions, and belong to no item of this batch. {recent.note}".rstrip()
        )
        found |= compare(jobs, its)
    return Suspects(found, notes)
