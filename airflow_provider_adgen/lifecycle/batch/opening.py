# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The beginning of a batch's leg: what is recorded, and what is wanted, checked and frozen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.compat import AirflowNotFoundException
from airflow_provider_adgen.core.briefs import checkable
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest
from airflow_provider_adgen.core.identity import fingerprint
from airflow_provider_adgen.core.record import Record, RecordUnreadable
from airflow_provider_adgen.ledger.library import library_identity
from airflow_provider_adgen.ledger.purse import Purse
from airflow_provider_adgen.ledger.stores import item_folder, record_folder
from airflow_provider_adgen.lifecycle.batch.accounts import BatchAccount
from airflow_provider_adgen.lifecycle.batch.items import BatchItem, Choice, Problems, read_items, trouble
from airflow_provider_adgen.lifecycle.batch.kept_reuse import KeptReuse
from airflow_provider_adgen.lifecycle.batch.options import check_filename
from airflow_provider_adgen.lifecycle.batch.planned import bought, check_credits, check_rations
from airflow_provider_adgen.lifecycle.batch.refusal import Refusal
from airflow_provider_adgen.lifecycle.batch.state import ItemState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.ledger.batch import BatchStore
    from airflow_provider_adgen.ledger.frozen import Frozen
    from airflow_provider_adgen.ledger.ledger import Ledger
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


class Opening:
    """
    Reads what is recorded of a batch, and its items.

    :param store: the batch's record.
    :param facts: the task.
    :param options: what the author chose.
    :param open_hook: returns the open hook of a connection.
    :param clock: time, injected.
    :param log: where to say what happened.
    """

    def __init__(
        self,
        *,
        store: BatchStore,
        facts: TaskFacts,
        options: BatchOptions,
        open_hook: Callable[[str], AdGenHook],
        clock: Clock,
        log: Any,
    ) -> None:
        self.store = store
        self._facts = facts
        self._options = options
        self._open_hook = open_hook
        self._clock = clock
        self._log = log
        self.accounts: dict[str, BatchAccount] = {}
        self.began = 0.0
        """Unix time at which this try began."""

        self.known: Callable[[Iterable[BatchItem]], Collection[str]] = lambda _: ()
        """Returns the keys of items that the library has, as far as names tell; they cost nothing."""

        self.refusal: Refusal | None = None
        """Why nothing is bought in this try, whose list or options are wrong; what earlier ones bought is collected."""

        self.reused = KeptReuse(store, identity=self._identity, facts=facts, options=options, clock=clock)
        """What the tries of this batch used again, instead of paying for it."""

        self._earlier: dict[str, list[BatchItem]] | None = None
        # The keys of the first try's items; None before they are known.
        self._first: set[str] | None = None

    # --- accounts and requests --------------------------------------------------------------------------------------

    def account(self, conn_id: str) -> BatchAccount:
        """
        Return an account.

        :raises InvalidRequest: its connection cannot be used.
        """
        if conn_id not in self.accounts:
            try:
                hook = self._open_hook(conn_id)
            except AirflowNotFoundException:
                raise InvalidRequest(
                    f"There is no connection {conn_id!r}.",
                    advice="Nothing was sent for it. What was paid for there can be fetched when the connection is "
                    "back.",
                ) from None
            purse = Purse(
                hook.account(),
                record_folder(self._facts.identity),
                clock=self._clock,
                log=self._log,
                spent=self.store.spent_with,
            )
            limit = self._options.max_credits.of(conn_id)
            self.accounts[conn_id] = BatchAccount(hook, limit, purse, self._limit(hook))
        return self.accounts[conn_id]

    def _limit(self, hook: AdGenHook) -> int | None:
        if not hook.vendor.tells_in_flight_limit:
            return None
        try:
            return hook.with_current_key(hook.get_credits).in_flight_limit
        except AdGenError as error:
            self._log.warning("%s How many jobs it may have under way is not known.", error.message)
            return None

    def request(self, choice: Choice) -> GenerationRequest:
        """
        Return a choice's request, validated.

        :raises InvalidRequest: it is wrong.
        """
        return self._parsed(choice, choice.request)

    def identified(self, choice: Choice) -> GenerationRequest:
        """
        Return the request by which a choice's creative is identified, validated.

        :raises InvalidRequest: it is wrong.
        """
        return self._parsed(choice, choice.identified)

    def _parsed(self, choice: Choice, fields: dict[str, Any]) -> GenerationRequest:
        # What cannot be sent may wait for an id of the vendor's.
        told = fields if choice.obstacle is None else checkable(fields)
        return self.account(choice.conn_id).vendor.parse_request(told)

    def price(self, choice: Choice, request: GenerationRequest) -> int | None:
        """Return the credits that a choice counts for."""
        documented = request.price()
        return documented if documented is not None else self._options.assume_credits.of(choice.conn_id, request.kind)

    def fingerprint(self, choice: Choice) -> str:
        """Return the hash of a choice's request and account."""
        request, account = self.request(choice), self.account(choice.conn_id)
        host = account.hook.account().host
        return fingerprint(request.kind, request.body(), account.vendor.name, host, choice.conn_id)

    def _identity(self, key: str, choice: Choice) -> str:
        return library_identity(key, self.identified(choice), self.account(choice.conn_id).hook.account()).digest

    def fingerprints(self, item: BatchItem) -> list[str]:
        """Return the hashes of an item's choices, in their order."""
        return [self.fingerprint(one) for one in item.choices]

    # --- items ------------------------------------------------------------------------------------------------------

    def items(self, given: Callable[[], Any], *, resumed: bool) -> tuple[list[ItemState], bool]:
        """
        Return the items of this try, those that left the list included; and whether they were frozen just now.

        :param given: returns what the author gives, on the first leg of a try.
        :param resumed: this is a later leg, for which they were frozen before.
        :raises InvalidRequest: items are wrong; nothing was sent.
        :raises RecordUnreadable: the record cannot be read.
        """
        records = self.store.load()
        frozen, first = self.store.frozen(self._facts.try_number), False
        if frozen is None:
            if resumed:
                raise RecordUnreadable(
                    "The items of this try are not found under [adgen] ledger_path, where an earlier leg of it wrote "
                    "them. Nothing was sent, because jobs may already be paid for. Put them back, then retry."
                )
            first = True
            frozen = self._freeze(given, records)
        self.began = frozen.began
        problem = self._options.problem  # templates may say something else on a later leg
        self.refusal = Refusal.of(frozen.refusal) or (Refusal.by(problem) if problem is not None else None)
        states = []
        for line in frozen.lines():
            item = BatchItem.from_json(line)
            # What was bought for an item that is left out now is collected, as for one that left the list.
            removed = not item.choices and bought(records.get(item_folder(item.key), Record()))
            states.append(self._state(item, removed=removed))
        known = {item_folder(one.key) for one in states}
        left = [name for name in records if name not in known and bought(records.get(name, Record()))]
        # What cannot be read may have been bought.
        left += sorted(self.store.unread - known - {*left})
        if left:
            earlier = {item_folder(key): items[-1] for key, items in self.earlier().items()}
            for name in left:
                if name in earlier:
                    states.append(self._state(earlier[name], removed=True))
                else:
                    self._log.error(
                        "The record holds a paid item in folder %s, whose key is in no list of items. Its files are "
                        "only at the vendor.",
                        name,
                    )
        return states, first

    def _freeze(self, given: Callable[[], Any], records: Mapping[str, Record]) -> Frozen:
        """
        Write down the items of this try.

        Where nothing can be bought for them, those of the try before count: what is paid for is collected by them.
        """
        now = self._clock.now()
        try:
            # What was given is let go of: from here on the frozen items are read, on this leg too.
            wanted = (one.to_json() for one in self._checked(given, records))
        except AdGenError as error:
            lists = self.store.all_frozen()
            paid = any(bought(record) for record in records.values()) or bool(self.store.unread)
            if not lists or not paid:
                raise
            self._log.error("%s\nWhat earlier tries of this batch bought is collected.", error.message)
            last = next(one for one in lists if one.try_number == lists[-1].try_number)
            refusal = Refusal.by(error)._asdict()
            return self.store.freeze(self._facts.try_number, now, last.lines(), refusal=refusal)
        return self.store.freeze(self._facts.try_number, now, wanted)

    def _state(self, item: BatchItem, *, removed: bool = False) -> ItemState:
        return ItemState(item, self._ledger, removed=removed)

    def _ledger(self, key: str) -> Ledger:
        return self.store.ledger(key, self._clock)

    def earlier(self) -> dict[str, list[BatchItem]]:
        """Return the items of earlier tries by their keys, the latest last."""
        if self._earlier is None:
            self._earlier = {}
            for frozen in self.store.all_frozen():
                for line in frozen.lines():
                    item = BatchItem.from_json(line)
                    self._earlier.setdefault(item.key, []).append(item)
        return self._earlier

    def is_changed(self, item: BatchItem) -> bool:
        """
        Return whether an item may stand for one of the first try whose request changed.

        A generated key is that of the request: a changed one is a new key, whether the old one is still there or not.
        """
        if not item.generated:
            return False
        if self._first is None:
            lists = self.store.all_frozen()
            if not lists or lists[0].try_number == self._facts.try_number:
                return False
            self._first = {line["key"] for line in lists[0].lines()}
        return item.key not in self._first

    def recorded_choice(self, state: ItemState) -> Choice | None:
        """Return the choice that an item's recorded job was submitted for, which is not in the list any more."""
        record = state.ledger.record()
        last = record.counting if record is not None else None
        if last is None:
            return None
        for item in reversed(self.earlier().get(state.key, [])):
            for choice in item.choices:
                if choice.conn_id == last.conn_id and self.fingerprint(choice) == last.fingerprint:
                    return choice
        return None

    # --- checks, before anything is sent ----------------------------------------------------------------------------

    def _checked(self, given: Callable[[], Any], records: Mapping[str, Record]) -> list[BatchItem]:
        if self._options.problem is not None:
            raise self._options.problem
        items, problems = read_items(given(), conn_id=self._options.conn_id)
        skip = self._options.on_invalid == "skip"
        told, wanted = Problems(), []
        unusable = self._unusable({choice.conn_id for item in items for choice in item.choices})
        for item in items:
            left: list[Choice] = []
            seen: dict[str, int] = {}
            for number, choice in enumerate(item.choices):
                which = f"{item.key!r}, choice {number}" if len(item.choices) > 1 else repr(item.key)
                if choice.conn_id in unusable:
                    # Not the item's fault: left out, it would be bought at another account.
                    problems.add(which, unusable[choice.conn_id])
                    continue
                try:
                    self._check(item, choice)
                    same = seen.setdefault(self.fingerprint(choice), number) if len(item.choices) > 1 else number
                    if same != number:
                        raise InvalidRequest(
                            f"It is the same request to the same account as choice {same}; links that differ only "
                            "after their ? count as the same"
                        )
                except AdGenError as error:
                    told.add(which, error.happened)
                    if not left and number == len(item.choices) - 1:
                        item = replace(item, problem=error.happened)
                else:
                    left.append(choice)
                    if (unpriced := self._unpriced(choice)) is not None:
                        problems.add(which, unpriced)
            wanted.append(replace(item, choices=tuple(left), problem="" if left else item.problem))
        wrong = problems if skip else problems.with_those_of(told)
        if len(wrong):
            raise wrong.error()
        if len(told):
            self._log.warning("%s", told.text("They are left out."))
        accounts = {choice.conn_id for one in wanted for choice in one.choices}
        self._options.max_credits.check(accounts)
        self._options.assume_credits.check(accounts)
        known = {*self.known(wanted), *self.reused.keys(wanted)}
        to_make = [one for one in wanted if one.key not in known]
        check_credits(to_make, records, offers=self, facts=self._facts, options=self._options)
        check_rations(to_make, records, offers=self, facts=self._facts, options=self._options)
        return wanted

    def _unusable(self, accounts: Iterable[str]) -> dict[str, str]:
        """Return why connections cannot be used; each is looked up once, however many items name it."""
        found = {}
        for conn_id in sorted(accounts):
            try:
                self.account(conn_id)
            except AdGenError as error:
                found[conn_id] = error.happened
        return found

    def _unpriced(self, choice: Choice) -> str | None:
        """Return why ``max_credits`` cannot be kept; None where it can."""
        account, request = self.account(choice.conn_id), self.request(choice)
        if account.max_credits is None or self.price(choice, request) is not None:
            return None
        return (
            f"{account.vendor.title} documents no price of {request.kind} requests, so max_credits cannot be kept. "
            "Say with assume_credits what to count"
        )

    def _check(self, item: BatchItem, choice: Choice) -> None:
        account, request = self.account(choice.conn_id), self.request(choice)
        # The body is built and encoded: what cannot be sent is found now.
        account.vendor.submit(request, None)
        if choice.reuse_as:
            try:
                self.identified(choice)
            except InvalidRequest as error:
                raise InvalidRequest(f"With reuse_as: {error.message}") from None
        try:
            check_filename(self._options.filename, item.meta)
        except ValueError as error:
            raise InvalidRequest(str(error)) from None


def readable(state: ItemState) -> Record | None:
    """Return the record of an item; None where it cannot be read, which is that item's reason."""
    try:
        return state.ledger.record()
    except RecordUnreadable as error:
        state.reason = trouble(error)
        return None
