# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a try of a batch is going to buy, and what that costs together with what was bought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_provider_adgen.core.decisions.batch import Do, Step, next_step
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.record import Record
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.ledger.stores import item_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.lifecycle.batch.accounts import BatchAccount
    from airflow_provider_adgen.lifecycle.batch.items import BatchItem, Choice
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


class Offers(Protocol):
    """What is known of the items' choices."""

    def account(self, conn_id: str) -> BatchAccount:
        """Return an account."""

    def request(self, choice: Choice) -> GenerationRequest:
        """Return a choice's request."""

    def price(self, choice: Choice, request: GenerationRequest) -> int | None:
        """Return the credits that a choice counts for."""

    def fingerprints(self, item: BatchItem) -> list[str]:
        """Return the hashes of an item's choices."""

    def is_changed(self, item: BatchItem) -> bool:
        """Return whether an item may stand for another one whose request changed."""


def bought(record: Record) -> bool:
    """Whether a record is of something that was bought, or may have been."""
    last = record.counting
    return last is not None and last.phase != "withdrawn"


def spent_of(record: Record, epoch: int | None) -> dict[str, int]:
    """
    Return what an item may have cost each of its accounts.

    :param record: what is recorded of it.
    :param epoch: a cleared task intends a new generation, with a new epoch; None for all.
    """
    accounts = dict.fromkeys(one.conn_id for one in record.attempts)
    if len(accounts) == 1:
        return {conn_id: record.spent(epoch) for conn_id in accounts}
    its = {conn_id: [one for one in record.attempts if one.conn_id == conn_id] for conn_id in accounts}
    return {conn_id: record.model_copy(update={"attempts": some}).spent(epoch) for conn_id, some in its.items()}


def step_of(
    record: Record,
    prints: Sequence[str],
    *,
    facts: TaskFacts,
    options: BatchOptions,
    removed: bool,
    as_retry: bool,
    refused: Collection[int],
) -> Step:
    """
    Return what to do about an item.

    :param record: what is recorded of it.
    :param prints: the hashes of its choices.
    :param facts: the task.
    :param options: what the author chose.
    :param removed: it left the list.
    :param as_retry: a clear does not count.
    :param refused: the choices that their obstacle moves it from.
    """
    return next_step(
        record,
        prints,
        try_number=facts.try_number,
        epoch=facts.epoch,
        on_clear="reattach" if removed or as_retry else options.on_clear,
        on_failed="fail" if removed else options.submit.policy.on_failed,
        promises=lambda vendor: get_vendor(vendor).promises,
        refused=refused,
    )


def check_credits(
    items: Iterable[BatchItem],
    records: Mapping[str, Record],
    *,
    offers: Offers,
    facts: TaskFacts,
    options: BatchOptions,
) -> None:
    """
    Refuse a batch whole whose known price is too much, together with what it has spent and what is under way.

    :param items: what may have to be made; what the library has costs nothing.
    :param records: what is recorded of each item, also of those that left the list, by folder.
    :param offers: what is known of the items' choices.
    :param facts: the task.
    :param options: what the author chose.
    :raises InvalidRequest: it is more than ``max_credits``.
    """
    if options.max_credits.value is None:
        return
    planned: dict[str, int] = {}
    for item in items:
        choice = _next_purchase(item, records.get(item_folder(item.key), Record()), offers, facts, options)
        if choice is not None:
            price = offers.price(choice, offers.request(choice)) or 0
            planned[choice.conn_id] = planned.get(choice.conn_id, 0) + price
    spent: dict[str, int] = {}
    epoch = options.epoch(facts)
    for record in records.values():
        for conn_id, number in spent_of(record, epoch).items():
            spent[conn_id] = spent.get(conn_id, 0) + number
    for conn_id, price in planned.items():
        limit, before = options.max_credits.of(conn_id), spent.get(conn_id, 0)
        if limit is None or price == 0 or before + price <= limit:
            continue
        if before:
            raise InvalidRequest(
                f"This batch has spent {before} credits of connection {conn_id!r}, jobs under way included. What is "
                f"to be bought costs {price} more: together that is more than its max_credits of {limit}.",
                advice="Nothing was sent.",
            )
        raise InvalidRequest(
            f"This batch costs {price} credits of connection {conn_id!r}, more than its max_credits of {limit}.",
            advice="Nothing was sent.",
        )


def check_rations(
    items: Iterable[BatchItem],
    records: Mapping[str, Record],
    *,
    offers: Offers,
    facts: TaskFacts,
    options: BatchOptions,
) -> None:
    """
    Refuse a batch that a vendor's documented rations do not let through in time.

    :param items: what may have to be made; what the library has is not sent.
    :param records: what is recorded of each item, by folder.
    :param offers: what is known of the items' choices.
    :param facts: the task.
    :param options: what the author chose.
    :raises InvalidRequest: it takes longer than ``submit_timeout``.
    """
    wanted: dict[str, int] = {}
    for item in items:
        choice = _next_purchase(item, records.get(item_folder(item.key), Record()), offers, facts, options)
        if choice is not None:
            wanted[choice.conn_id] = wanted.get(choice.conn_id, 0) + 1
    for conn_id, number in wanted.items():
        vendor, timeout = offers.account(conn_id).vendor, options.submit.submit_timeout
        ration = vendor.submit_ration
        if ration is None:
            continue
        # The last one goes when the ration has begun anew often enough.
        if (number - 1) // ration.requests * ration.seconds > timeout:
            seconds = -(-number // ration.requests) * ration.seconds
            raise InvalidRequest(
                f"{vendor.title} takes {ration.requests} submissions in {ration.seconds:g} s: {number} items need "
                f"{seconds:.0f} s, more than the submit_timeout of {timeout:.0f} s. Nothing was sent. Raise it, or "
                "send fewer."
            )


def _next_purchase(
    item: BatchItem, record: Record, offers: Offers, facts: TaskFacts, options: BatchOptions
) -> Choice | None:
    """Return the choice that is going to be bought for an item, as far as that is known when a try begins."""
    last, fresh = record.counting, options.submit.policy.on_changed_input == "fresh"
    if not item.choices or (last is not None and last.phase == "intent"):  # what may have been accepted is counted
        return None
    if not bought(record):
        return item.sendable(0) if fresh or not offers.is_changed(item) else None
    prints, refused = offers.fingerprints(item), item.refused
    step = step_of(record, prints, facts=facts, options=options, removed=False, as_retry=False, refused=refused)
    if step.choice is None:
        return item.sendable(0) if fresh else None
    return item.sendable(step.choice) if step.do is Do.SUBMIT else None
