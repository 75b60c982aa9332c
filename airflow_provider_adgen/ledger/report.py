# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What was spent, from the ledger alone: rows of credits by day, DAG, run, task, vendor or connection, and account."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from airflow_provider_adgen.core.decisions.budgets import day_of
from airflow_provider_adgen.ledger.records import HOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from airflow_provider_adgen.core.record import Attempt, Record

By = Literal["day", "dag", "run", "task", "vendor", "conn"]

GROUPS: dict[str, tuple[str, ...]] = {
    "day": ("day",),
    "dag": ("dag",),
    "run": ("dag", "run"),
    "task": ("dag", "task"),
    "vendor": (),
    "conn": (),
}
"""The columns of each kind of group, beside the account's, which every row has."""

HOOK = "(hook)"
"""DAG, run and task of what a hook submitted outside of the operators."""


@dataclass
class Totals:
    """
    What the purchases of one row come to, in whole credits of one account.

    :param purchases: submissions that the vendor accepted.
    :param quoted: their prices before they were submitted.
    :param charged: what they cost before refunds: what the vendor told, else the price.
    :param refunded: what was given back: what the vendor told, else what it documents.
    :param estimated: the part of ``charged`` that is a price, because the vendor does not tell what it charges.
    :param unpriced: purchases of which neither a charge nor a price is known; they are in no sum.
    :param unknown: submissions of which nobody knows whether the vendor accepted them, or which are being sent.
    :param unknown_credits: their prices, in no other sum.
    """

    purchases: int = 0
    quoted: int = 0
    charged: int = 0
    refunded: int = 0
    estimated: int = 0
    unpriced: int = 0
    unknown: int = 0
    unknown_credits: int = 0


def report(
    records: Mapping[tuple[str, ...], Record],
    by: By,
    *,
    since: float | None = None,
    until: float | None = None,
    refunds: Callable[[str], Collection[str]],
) -> list[dict[str, Any]]:
    """
    Return the rows of a report. A row never has the credits of two accounts.

    :param records: records by the parts of their folder's path below ``ledger_path``.
    :param by: what is added up.
    :param since: Unix time of the first intent that counts; None for all.
    :param until: Unix time of the first intent that counts no more; None for all.
    :param refunds: the final statuses for which a vendor documents a refund.
    """
    rows: dict[tuple[str, ...], Totals] = {}
    bought: set[tuple[str, ...]] = set()
    names = (*GROUPS[by], "vendor", "conn_id", "host")
    found = [(parts, one) for parts, record in records.items() for one in record.attempts]
    for parts, one in sorted(found, key=lambda each: (each[1].began_at, each[0])):
        if one.phase == "withdrawn":
            continue
        jobs = (one.vendor, one.host, *one.job_ids)
        if one.job_ids and jobs in bought:
            continue  # a second record of one job: it was attached to another task, or submitted again by its key
        bought.add(jobs)
        if (since is not None and one.began_at < since) or (until is not None and one.began_at >= until):
            continue
        where = _where(parts, one)
        _add(rows.setdefault(tuple(where[name] for name in names), Totals()), one, refunds(one.vendor))
    return [
        {**dict(zip(names, key, strict=True)), **{field.name: getattr(sums, field.name) for field in fields(Totals)}}
        for key, sums in sorted(rows.items())
    ]


def _where(parts: tuple[str, ...], one: Attempt) -> dict[str, str]:
    dag, run, task = (unquote(part) for part in (*parts, "", "", "")[:3])
    if parts[:1] == (HOOKS,):
        dag = run = task = HOOK
    return {
        "day": day_of(one.began_at),
        "dag": dag,
        "run": run,
        "task": task,
        "vendor": one.vendor,
        "conn_id": one.conn_id,
        "host": one.host,
    }


def _add(sums: Totals, one: Attempt, refunds: Collection[str]) -> None:
    if one.phase == "intent":
        sums.unknown += 1
        sums.unknown_credits += one.price or 0
        return
    sums.purchases += 1
    sums.quoted += one.price or 0
    told = one.told("charged")
    if told is None and one.price is None:
        sums.unpriced += 1
        return
    sums.charged += told if told is not None else one.price or 0
    sums.estimated += 0 if told is not None else one.price or 0
    given_back = one.refund(refunds)
    sums.refunded += (given_back if given_back is not None else one.told("refunded")) or 0
