# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the hooks of all vendors have in common: from an Airflow connection to the wire, blocking or not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from airflow_provider_adgen.compat import ASKING_AIRFLOW, BaseHook, aget_connection
from airflow_provider_adgen.core import blocking
from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.rates import RateBudget
from airflow_provider_adgen.core.errors import AdGenError, AuthenticationError, InvalidRequest
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.requests import GenerationRequest, identifier
from airflow_provider_adgen.core.retrying import ATTEMPTS
from airflow_provider_adgen.core.wire import Wire
from airflow_provider_adgen.get_provider_info import find_connection_type
from airflow_provider_adgen.hooks.balance import ask_balance
from airflow_provider_adgen.hooks.connection import read_account
from airflow_provider_adgen.hooks.form import add_form
from airflow_provider_adgen.hooks.purchase import Purchase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from airflow_provider_adgen.core.account import Account
    from airflow_provider_adgen.core.calls import Call, Sequence
    from airflow_provider_adgen.core.vendor import Vendor
    from airflow_provider_adgen.core.vocabulary import CreditBalance, Generation
    from airflow_provider_adgen.delivery.names import FileNames

T = TypeVar("T")

# One budget per account and process: every hook of the process obeys the same 429.
_budgets: dict[tuple[str, str, str], RateBudget] = {}

# The hook classes of all vendors whose modules were imported, by connection type.
_typed: dict[str, type[AdGenHook]] = {}


def typed_hook(vendor: str, conn_id: str) -> AdGenHook:
    """
    Return the vendor's own hook for a connection; :class:`AdGenHook` where it has none.

    :param vendor: the vendor's name.
    :param conn_id: the connection.
    :raises InvalidRequest: no such vendor is registered.
    """
    entry = find_connection_type(vendor)
    if entry is not None:
        import_module(entry["hook-class-name"].rpartition(".")[0])
    get_vendor(vendor)  # the module of a vendor of another package may hold its hook
    own = _typed.get(vendor)
    return own(conn_id) if own is not None else AdGenHook(conn_id, vendor=vendor)


def budget_of(account: Account) -> RateBudget:
    """Return the process's rate budget of an account."""
    key = (account.vendor, account.base_url, account.key_tag)
    budget = _budgets.setdefault(key, RateBudget(account.requests_per_minute, get_vendor(account.vendor).rate_limits))
    budget.per_minute = account.requests_per_minute
    return budget


class AdGenHook(BaseHook):
    """
    An account at an AI-ad vendor.

    Each method has an asynchronous twin with the prefix ``a``; lists are iterators over all pages. Used as a context
    manager (``with`` or ``async with``) the hook keeps its connections open between calls; otherwise each call opens
    and closes its own.

    :param conn_id: the Airflow connection; its type says which vendor, its password holds the key.
    :param vendor: the vendor's name; given, a connection of another type is refused.
    """

    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str] = ""
    conn_type: ClassVar[str] = ""
    hook_name: ClassVar[str] = "AI ad generation"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.conn_type:
            # Not a subclass that somebody made of a vendor's hook: it did not ask to take its place.
            if "conn_type" in vars(cls):
                _typed.setdefault(cls.conn_type, cls)
            # Airflow below 3.2 asks the class itself for its connection form.
            add_form(cls, cls.conn_type)

    def __init__(self, conn_id: str | None = None, *, vendor: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id or self.default_conn_name
        name = self.conn_type or vendor
        self._vendor: Vendor | None = get_vendor(name) if name else None
        self._account: Account | None = None
        self._blocking_wire: Wire | None = None
        self._async_wire: Wire | None = None

    # --- the connection -------------------------------------------------------------------------------------------

    @property
    def vendor(self) -> Vendor:
        """The vendor's definition."""
        if self._vendor is None:
            self.account()
        if self._vendor is None:
            raise InvalidRequest(f"Connection {self.conn_id!r} has no type. Nothing was sent.")
        return self._vendor

    def account(self, *, refresh: bool = False) -> Account:
        """
        Return the account, looked up once.

        :param refresh: look it up again: the key may have been changed.
        :raises InvalidRequest: the connection cannot be used.
        """
        if self._account is None or refresh:
            with ASKING_AIRFLOW:
                self._account = self._read(self.get_connection(self.conn_id))
        return self._account

    async def aaccount(self, *, refresh: bool = False) -> Account:
        """Return the account without blocking the event loop; see :meth:`account`."""
        if self._account is None or refresh:
            connection = await aget_connection(self.conn_id)
            # Reading it imports the vendor's models the first time: not on the event loop.
            self._account = await asyncio.to_thread(self._read, connection)
        return self._account

    def _read(self, connection: Any) -> Account:
        if self._vendor is None:
            self._vendor = get_vendor((connection.conn_type or "").replace("-", "_"))
        account = read_account(connection, self._vendor)
        warning = self._vendor.warn(account.key.reveal(), SYSTEM.now())
        if warning:
            self.log.warning("Connection %s: %s", self.conn_id, warning)
        return account

    def submit_delay(self) -> float:
        """Return the seconds until the account's rate budget in this process lets a paid submission out; no I/O."""
        return budget_of(self.account()).delay(RateClass.SUBMIT, SYSTEM.monotonic())

    # --- carrying out calls ---------------------------------------------------------------------------------------

    def _wire(self, account: Account, *, attempts: int = ATTEMPTS) -> Wire:
        return Wire(self.vendor, account, budget=budget_of(account), attempts=attempts)

    def run_blocking(self, act: Callable[[Wire], Awaitable[T]], *, attempts: int = ATTEMPTS) -> T:
        """
        Run *act* with this account's wire and wait for its result.

        :param act: what to do.
        :param attempts: how often a repeatable request is sent at most.
        """
        account = self.account()

        async def acting() -> T:
            if self._blocking_wire is not None and attempts == ATTEMPTS:
                return await act(self._blocking_wire)
            async with self._wire(account, attempts=attempts) as wire:
                return await act(wire)

        return blocking.run(acting())

    async def run_async(self, act: Callable[[Wire], Awaitable[T]]) -> T:
        """Run *act* with this account's wire on the running loop."""
        account = await self.aaccount()
        if self._async_wire is not None:
            return await act(self._async_wire)
        async with self._wire(account) as wire:
            return await act(wire)

    async def iterate(self, steps: Sequence[None]) -> AsyncIterator[Any]:
        """Yield what a sequence emits, a page at a time."""
        account = await self.aaccount() if self._account is None else self._account
        async with self._wire(account) as wire:
            async for item in wire.iterate(steps):
                yield item

    def __enter__(self) -> Self:
        self._blocking_wire = self._wire(self.account())
        return self

    def __exit__(self, *_exc: object) -> None:
        wire, self._blocking_wire = self._blocking_wire, None
        if wire is not None:
            blocking.run(wire.aclose())

    async def __aenter__(self) -> Self:
        self._async_wire = self._wire(await self.aaccount())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        wire, self._async_wire = self._async_wire, None
        if wire is not None:
            await wire.aclose()

    def changed_key(self) -> str:
        """Read the connection again, because the vendor refused the key, and return the new key's tag."""
        account = self.account(refresh=True)
        if self._blocking_wire is not None:
            self._blocking_wire.account = account
        return account.key_tag

    def with_current_key(self, ask: Callable[[], T]) -> T:
        """
        Return ``ask()``; if the vendor refuses the key and the connection holds another one by now, ask once more.

        :param ask: something that spends nothing.
        """
        before = self.account().key_tag
        try:
            return ask()
        except AuthenticationError:
            if self.changed_key() == before:
                raise
        return ask()

    # --- what every vendor can do ---------------------------------------------------------------------------------

    def get_credits(self) -> CreditBalance:
        """Ask for the account's balance; costs nothing."""
        return self.run_blocking(ask_balance)

    async def aget_credits(self) -> CreditBalance:
        """Ask for the account's balance; costs nothing."""
        return await self.run_async(ask_balance)

    def submit(
        self, request: GenerationRequest, *, idempotency_key: str | None = None, assume_credits: int | None = None
    ) -> Generation:
        """
        Start a paid generation; it costs credits, and is sent exactly once.

        With ``[adgen] ledger_path`` it is recorded there, for the report, and counts in ``[adgen] budgets``. The record
        does not keep anybody from submitting again: that is what the operators are for.

        :param request: one of the vendor's request models.
        :param idempotency_key: sent where the vendor has keys; submitting again with the same key within the vendor's
            window does not pay again. Refused where the vendor has none.
        :param assume_credits: what to count where no price is documented.
        :raises InvalidRequest: the request is another vendor's, or the vendor has no keys.
        :raises SpendingForbidden: ``[adgen] spending`` does not allow it.
        :raises BudgetExceeded: ``[adgen] budgets`` leaves no room for it.
        :raises ApiError: the vendor refused it.
        :raises WireError: no answer arrived; unless ``sent`` is false, it may have been accepted.
        :raises UnexpectedResponse: it was accepted, and the answer holds no job id.
        """
        account = self.account()
        call = self._submission(request, idempotency_key)
        purchase = Purchase(account, self.vendor, request, idempotency_key, assume_credits, call.endpoint)
        purchase.begin()
        try:
            generation = self.run_blocking(lambda wire: wire.call(call))
        except AdGenError as error:
            purchase.failed(error)
            raise
        purchase.accepted(generation)
        return generation

    async def asubmit(
        self, request: GenerationRequest, *, idempotency_key: str | None = None, assume_credits: int | None = None
    ) -> Generation:
        """Start a paid generation; see :meth:`submit`."""
        account = await self.aaccount()
        call = self._submission(request, idempotency_key)
        purchase = Purchase(account, self.vendor, request, idempotency_key, assume_credits, call.endpoint)
        await asyncio.to_thread(purchase.begin)
        try:
            generation = await self.run_async(lambda wire: wire.call(call))
        except AdGenError as error:
            await asyncio.to_thread(purchase.failed, error)
            raise
        await asyncio.to_thread(purchase.accepted, generation)
        return generation

    def post(
        self, request: GenerationRequest, *, idempotency_key: str | None = None, collects: bool = False
    ) -> Generation:
        """
        Send a paid submission that the caller has recorded, and counted; all else is as in :meth:`submit`.

        :param request: one of the vendor's request models.
        :param idempotency_key: sent where the vendor has keys.
        :param collects: it is paid for already, and the vendor documents that this key does not pay again: it is only
            to answer once more, which ``[adgen] spending`` does not forbid.
        """
        self.account()
        call = replace(self._submission(request, idempotency_key), collects=collects)
        return self.run_blocking(lambda wire: wire.call(call))

    def _submission(self, request: GenerationRequest, key: str | None) -> Call[Generation]:
        return self.vendor.submit(request, self._usable_key(request, key))

    def _usable_key(self, request: GenerationRequest, key: str | None) -> str | None:
        if key is None:
            return None
        rule = self.vendor.promises.idempotency
        if rule is None:
            raise InvalidRequest(f"{self.vendor.title} has no idempotency keys. Nothing was sent.")
        if not 0 < len(key) <= rule.longest_key or not key.isascii() or not key.isprintable():
            raise InvalidRequest(
                f"An idempotency key for {self.vendor.title} has 1 to {rule.longest_key} printable ASCII characters. "
                "Nothing was sent."
            )
        return key

    def get_generation(self, id: str, *, kind: str | None = None, stream_seconds: float = 0.0) -> Generation:  # noqa: A002 - the design's name
        """
        Ask for one generation; its links are fresh.

        :param id: the job id; several jobs of one generation are joined by commas.
        :param kind: ``video``, ``image`` ..., for vendors that do not say it of a job.
        :param stream_seconds: seconds for which a vendor with streams may hold one open.
        :raises NotFound: the account has no such job.
        """
        return self.run_blocking(
            lambda wire: wire.run(self.vendor.fetch(job_ids(id), kind, stream_seconds=stream_seconds))
        )

    async def aget_generation(self, id: str, *, kind: str | None = None, stream_seconds: float = 0.0) -> Generation:  # noqa: A002 - the design's name
        """Ask for one generation; see :meth:`get_generation`."""
        await self.aaccount()
        return await self.run_async(
            lambda wire: wire.run(self.vendor.fetch(job_ids(id), kind, stream_seconds=stream_seconds))
        )

    def download(self, generation: Generation | str, destination: str, *, names: FileNames | None = None) -> Generation:
        """
        Store a finished generation's creatives; costs nothing.

        :param generation: the generation, or its id.
        :param destination: an object-storage path.
        :param names: how the files are named; None for ``<vendor>-<job id>-<n>.<extension>``.
        :return: the generation, its creatives with ``uri``, ``size`` and ``sha256`` and without links.
        :raises DownloadError: a creative could not be fetched or stored.
        """
        self.account()
        return blocking.run(self.adownload(generation, destination, names=names))

    async def adownload(
        self, generation: Generation | str, destination: str, *, names: FileNames | None = None
    ) -> Generation:
        """Store a finished generation's creatives; see :meth:`download`."""
        from airflow_provider_adgen.delivery.names import USUAL_NAMES
        from airflow_provider_adgen.delivery.store import store_generation

        if isinstance(generation, str):
            generation = await self._refetch(await self.aaccount(), generation, None)
        ids, kind = ",".join(generation.job_ids), generation.kind
        account = await self.aaccount()
        stored: Generation = await store_generation(
            generation,
            destination,
            refetch=lambda: self._refetch(account, ids, kind),
            names=names or USUAL_NAMES,
            verify=account.verify,
            timeout=account.timeout,
        )
        return stored

    async def _refetch(self, account: Account, ids: str, kind: str | None) -> Generation:
        # Not the wire of a ``with`` block: that may belong to another loop.
        async with self._wire(account) as wire:
            return await wire.run(self.vendor.fetch(job_ids(ids), kind))

    def test_connection(self) -> tuple[bool, str]:
        """Make one call that costs nothing; for Airflow's Test button."""
        try:
            self.run_blocking(lambda wire: wire.call(self.vendor.check()))
        except AdGenError as error:
            return False, error.message
        return True, f"{self.vendor.title} accepted the key."

    async def atest_connection(self) -> tuple[bool, str]:
        """Make one call that costs nothing."""
        try:
            await self.aaccount()
            await self.run_async(lambda wire: wire.call(self.vendor.check()))
        except AdGenError as error:
            return False, error.message
        return True, f"{self.vendor.title} accepted the key."


def job_ids(text: str) -> list[str]:
    """
    Split the id of a generation into its job ids.

    :raises InvalidRequest: there is none.
    """
    parts = [part.strip() for part in identifier(text).split(",") if part.strip()]
    if not parts:
        raise InvalidRequest("A generation's id must not be empty. Nothing was sent.")
    return parts
