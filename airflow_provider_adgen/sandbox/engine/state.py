# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The sandbox's whole state."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_adgen.sandbox.engine.accounts import Accounts
from airflow_provider_adgen.sandbox.engine.answers import Refusal
from airflow_provider_adgen.sandbox.engine.clock import Clock
from airflow_provider_adgen.sandbox.engine.documents import Documents
from airflow_provider_adgen.sandbox.engine.faults import Faults
from airflow_provider_adgen.sandbox.engine.jobs import HELD, Job, Jobs
from airflow_provider_adgen.sandbox.engine.ledger import Ledger
from airflow_provider_adgen.sandbox.engine.limits import Limits, Load
from airflow_provider_adgen.sandbox.engine.links import Links
from airflow_provider_adgen.sandbox.engine.log import RequestLog
from airflow_provider_adgen.sandbox.engine.rules import VendorRules, default_settings
from airflow_provider_adgen.sandbox.engine.settings import Settings
from airflow_provider_adgen.sandbox.engine.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_adgen.sandbox.engine.accounts import Account, Key

DEFAULT_ACCOUNT = "team"
# A link that does not expire, in seconds.
FOR_EVER = 10 * 365 * 86_400.0


@dataclass(slots=True)
class Ending:
    """How the next jobs end, instead of completing."""

    vendor: str | None = None
    type: str | None = None
    times: int = 1
    status: str = "failed"
    message: str | None = None
    refund: bool | None = None
    seconds: float | None = None


class State:
    """The sandbox's state and the rules that all vendors share. Used from the server's event loop only.

    :param vendors: the vendors to serve.
    :param state: a file to keep the state in; in memory when None.
    :param speed: typical job durations are divided by this.
    :param credits: the credits of each vendor's first account.
    :param settings: settings to begin with; they win over what the state file kept.
    """

    def __init__(
        self,
        vendors: Iterable[VendorRules],
        *,
        state: str | None = None,
        speed: float = 1.0,
        credits: int = 1000,  # noqa: A002 - the word of the command line
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.vendors = {vendor.name: vendor for vendor in vendors}
        self.credits = credits
        self.store = Store(state)
        self.clock = Clock(speed, offset=self.store.get_meta("offset", 0.0))
        self.settings = Settings(default_settings(self.vendors.values()))
        for vendor in self.vendors.values():
            vendor.current = self.settings
        self.accounts = Accounts(self.store, self.clock)
        self.ledger = Ledger(self.store, self.clock)
        self.jobs = Jobs(self.store, self.clock)
        self.documents = Documents(self.store, self.clock)
        self.faults = Faults()
        self.limits = Limits(self.clock)
        self.load = Load()
        self.log = RequestLog()
        self.endings: list[Ending] = []
        self.base_url = ""
        self._first_settings = settings or {}
        self._begin()

    def _begin(self) -> None:
        with self.store.transaction():
            secret = self.store.get_meta("secret") or secrets.token_hex(16)
            self.store.set_meta("secret", secret)
            self.settings.update(self.store.get_meta("settings", {}))
            self.settings.update(self._first_settings)
            for vendor in self.vendors.values():
                if self.accounts.find(vendor.name, DEFAULT_ACCOUNT) is None:
                    self.add_account(vendor, DEFAULT_ACCOUNT, vendor.default_key, self.credits)
        self.links = Links(secret, self.clock)

    def add_account(
        self, vendor: VendorRules, account: str, key: str, balance: int, *, expires: float | None = None
    ) -> None:
        """Create an account with a key and the vendor's fixtures, or add a key to an account that exists."""
        with self.store.transaction():
            new = self.accounts.find(vendor.name, account) is None
            self.accounts.add(vendor.name, account, key, balance=balance, expires=expires)
            if new:
                for kind, name, document in vendor.fixtures(account):
                    self.documents.put(vendor.name, account, kind, name, document)

    def reset(self) -> None:
        """Reset everything: no jobs, charges or faults, the first settings, the machine's time."""
        self.store.wipe()
        self.settings.clear()
        self.clock.offset = 0.0
        self.faults.clear()
        self.limits.clear()
        self.load = Load()
        self.log.clear()
        self.endings.clear()
        self._begin()
        self.clock.wake()

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        self.clock.advance(seconds)
        self.store.set_meta("offset", self.clock.offset)

    def change_settings(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Change settings and keep them."""
        self.settings.update(values)
        self.store.set_meta("settings", self.settings.all())

    def start_job(
        self,
        account: Account,
        key: Key,
        kind: str,
        request: Mapping[str, Any],
        price: int,
        *,
        what: str,
        idempotency_key: str | None = None,
        outcome: str = "completed",
        seconds: float | None = None,
        job_id: str | None = None,
    ) -> Job:
        """Charge a job and start it.

        :param what: what the ledger says was paid for.
        :param seconds: how long it takes; None for the settings' or the typical duration.
        :raises Insufficient: when there are too few credits; nothing was started.
        """
        vendor, now = self.vendors[account.vendor], self.clock.now()
        self.admit(account)
        job_id = job_id or str(uuid.uuid4())
        self.ledger.charge(account, price, job_id=job_id, what=what, idempotency_key=idempotency_key)
        ending = self._next_ending(vendor.name, kind)
        message, refund = None, outcome in vendor.refunded
        if ending is not None:
            outcome, message = ending.status, ending.message
            refund = outcome in vendor.refunded if ending.refund is None else ending.refund
            seconds = ending.seconds if ending.seconds is not None else seconds
        length = self.job_seconds(vendor, kind) if seconds is None else seconds
        return self.jobs.add(
            id=job_id,
            vendor=vendor.name,
            account=account.id,
            key=key.key,
            type=kind,
            request=dict(request),
            created=now,
            ends=now + length,
            outcome=outcome,
            message=message,
            credits=price,
            refund=price if refund else 0,
            idempotency_key=idempotency_key,
        )

    def job_seconds(self, vendor: VendorRules, kind: str) -> float:
        """Return how long a job takes: the setting, or the typical duration divided by the speed."""
        setting = self._setting_for(vendor.name, "job_seconds", kind)
        return float(setting) if setting is not None else vendor.seconds[kind] / self.clock.speed

    def _setting_for(self, vendor: str, name: str, word: str) -> Any:
        """Return a setting that may be a dictionary, with ``*`` for the words that it does not name."""
        value = self.settings.get(vendor, name)
        return value.get(word, value.get("*")) if isinstance(value, dict) else value

    def active_limit(self, account: Account) -> int | None:
        """Return how many jobs an account may have running at once; None for any number."""
        limit = self._setting_for(account.vendor, "active_limit", account.id)
        return None if limit is None else int(limit)

    def admit(self, account: Account, jobs: int = 1) -> None:
        """Check that an account may start so many jobs more.

        :raises Refusal: 429 when too many would be running at once.
        """
        limit = self.active_limit(account)
        if limit is None or self.jobs.running(account.vendor, account.id, most=limit) + jobs <= limit:
            return
        vendor = self.vendors[account.vendor]
        wait = vendor.setting("active_retry_after")
        headers = {} if wait is None else {"Retry-After": str(wait)}
        message = f"Too many active generations: this account may have {limit} running at once. Nothing was started."
        raise Refusal(429, message, vendor.active_code, headers)

    def late(self, vendor: str) -> float:
        """Count a request.

        :return: how many real seconds its answer is late, by the settings ``slow_...``.
        """
        requests, setting = self.load.add(vendor), self.vendors[vendor].setting
        per_job, most = float(setting("slow_per_job")), float(setting("slow_at_most"))
        jobs = self.jobs.running(vendor, most=int(most / per_job) + 1) if per_job else 0
        return min(most, float(setting("slow_per_request")) * requests + per_job * jobs)

    def _next_ending(self, vendor: str, kind: str) -> Ending | None:
        for ending in self.endings:
            if ending.vendor in (None, vendor) and ending.type in (None, kind):
                ending.times -= 1
                if ending.times == 0:
                    self.endings.remove(ending)
                return ending
        return None

    def set_job(
        self, job: Job, status: str, *, message: str | None = None, refund: bool | None = None, after: float = 0.0
    ) -> None:
        """Change how a job ends: ``processing`` holds it; any other status is its outcome, *after* seconds from now."""
        gives_back = status in self.vendors[job.vendor].refunded if refund is None else refund
        self.jobs.change(
            job,
            ends=HELD if status == "processing" else self.clock.now() + after,
            outcome="completed" if status == "processing" else status,
            message=message,
            refund=job.credits if gives_back else 0,
        )

    def settle(self) -> float:
        """Settle jobs that have ended: refunds and webhooks. It is called before anything is read.

        :return: the moment up to which ends are settled.
        """
        now = self.clock.now()
        if not self.jobs.any_due(now):
            return now
        with self.store.transaction():
            for job in self.jobs.due(now):
                account = self.accounts.find(job.vendor, job.account)
                if job.refund and account is not None:
                    self.ledger.refund(account, job.refund, job_id=job.id, what=job.outcome, moment=job.ends)
                key = self.accounts.key(job.vendor, job.key)
                if key is not None and key.webhook_url and job.outcome != "suspended":
                    self.store.run(
                        "INSERT INTO deliveries (vendor, job_id, url, secret, next) VALUES (?, ?, ?, ?, ?)",
                        (job.vendor, job.id, key.webhook_url, key.webhook_secret, now),
                    )
            self.jobs.settled(now)
        return now

    def media_base(self, base_url: str) -> str:
        """Return the base URL of media links for a client that reaches the sandbox under ``base_url``."""
        parts = urlsplit(base_url)
        host = self.settings.get("media", "host")
        port = f":{parts.port}" if parts.port else ""
        if host is None:
            other = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}.get(parts.hostname or "")
            return f"http://{other}{port}" if other else f"http://{parts.netloc}"
        return f"http://{host}" if ":" in host else f"http://{host}{port}"

    def link(self, vendor: str, owner: str, name: str, base_url: str, *, expired: bool = False) -> str:
        """Make a fresh signed link to a vendor's file."""
        lasts = self.settings.get(vendor, "link_seconds")
        seconds = -1.0 if expired else FOR_EVER if lasts is None else float(lasts)
        return self.media_base(base_url) + self.links.sign(f"/media/{vendor}/{owner}/{name}", seconds)

    def close(self) -> None:
        """Close the store."""
        self.store.close()
