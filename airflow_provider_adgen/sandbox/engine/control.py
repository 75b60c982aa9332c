# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The control API under ``/_sandbox``: what a test or a demo reads and changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from starlette.datastructures import QueryParams

from airflow_provider_adgen.sandbox.engine.answers import Answer, Refusal
from airflow_provider_adgen.sandbox.engine.clock import iso
from airflow_provider_adgen.sandbox.engine.faults import KINDS, Fault
from airflow_provider_adgen.sandbox.engine.jobs import HELD, Job, Which
from airflow_provider_adgen.sandbox.engine.state import DEFAULT_ACCOUNT, Ending

if TYPE_CHECKING:
    from starlette.types import Scope

    from airflow_provider_adgen.sandbox.engine.accounts import Account
    from airflow_provider_adgen.sandbox.engine.rules import VendorRules
    from airflow_provider_adgen.sandbox.engine.sending import Connections
    from airflow_provider_adgen.sandbox.engine.state import State

Body = Mapping[str, Any]
JOB_FIELDS = tuple(field.name for field in fields(Job))
ENDINGS = ("completed", "failed", "canceled", "expired", "suspended", "processing")


class Control:
    """Answers the control API. It needs no key: it is meant for the machine that the sandbox runs on.

    :param state: the state.
    :param connections: the open connections, to be counted.
    """

    def __init__(self, state: State, connections: Connections) -> None:
        self._state = state
        self._connections = connections
        self._routes: dict[tuple[str, str], Callable[[Body], Any]] = {
            ("GET", "/"): self._overview,
            ("GET", "/ledger"): lambda body: state.ledger.entries(**self._known(body)),
            ("GET", "/ledger/sums"): lambda body: state.ledger.sums(**self._known(body)),
            ("GET", "/requests"): self._requests,
            ("GET", "/jobs"): self._jobs,
            ("GET", "/accounts"): self._accounts,
            ("POST", "/accounts"): self._add_account,
            ("POST", "/credits"): self._credits,
            ("POST", "/keys"): self._key,
            ("GET", "/faults"): lambda body: state.faults.all(),
            ("POST", "/faults"): lambda body: {"id": state.faults.add(Fault(**body)).id},
            ("DELETE", "/faults"): self._clear_faults,
            ("POST", "/fail"): self._fail,
            ("POST", "/job"): self._job,
            ("POST", "/advance"): self._advance,
            ("POST", "/reset"): self._reset,
            ("GET", "/settings"): lambda body: state.settings.all(),
            ("POST", "/settings"): self._settings,
            ("GET", "/webhooks"): self._webhooks,
        }

    async def answer(self, scope: Scope, body: bytes) -> Answer:
        """Answer one request; its values come from the query string and from a JSON body."""
        path = scope["path"].removeprefix("/_sandbox").rstrip("/") or "/"
        route = self._routes.get((scope["method"], path))
        if route is None:
            known = ", ".join(f"{method} /_sandbox{known}" for method, known in self._routes)
            return Answer(404, {"error": f"There is no such control; there are {known}"})
        values: dict[str, Any] = dict(QueryParams(scope["query_string"]))
        try:
            values |= json.loads(body) if body else {}
            with self._state.store.transaction():
                self._state.settle()
                return Answer(200, route(values))
        except Refusal as refusal:
            return Answer(refusal.status, {"error": refusal.message})
        except (ValueError, TypeError, LookupError) as error:
            return Answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _account(self, body: Body) -> Account:
        vendor, name = self._vendor(body).name, body.get("account") or DEFAULT_ACCOUNT
        account = self._state.accounts.find(vendor, name)
        if account is None:
            raise Refusal(404, f"{vendor} has no account {name!r}")
        return account

    def _vendor(self, body: Body) -> VendorRules:
        vendor = self._state.vendors.get(str(body.get("vendor")))
        if vendor is None:
            raise Refusal(400, f"unknown vendor {body.get('vendor')!r}; there are {', '.join(self._state.vendors)}")
        return vendor

    def _known(self, body: Body) -> Body:
        """Refuse what there is not: a misspelt name must not look like a ledger without entries."""
        vendor = None if body.get("vendor") is None else self._vendor(body).name
        keys = [key for key in self._state.accounts.all_keys() if vendor in (None, key.vendor)]
        if body.get("key") not in (None, *(key.key for key in keys)):
            raise Refusal(404, "There is no such key")
        if body.get("account") not in (None, *(key.account for key in keys)):
            raise Refusal(404, f"There is no account {body['account']!r}")
        return body

    def _overview(self, body: Body) -> Any:
        state = self._state
        return {
            "time": iso(state.clock.now()),
            "offset": state.clock.offset,
            "speed": state.clock.speed,
            "base_url": state.base_url,
            "connections": self._connections.count(),
            "vendors": {
                vendor.name: {"host": state.base_url + vendor.prefix, "key": vendor.default_key}
                for vendor in state.vendors.values()
            },
            "fault_kinds": KINDS,
        }

    def _requests(self, body: Body) -> Any:
        since = int(body.get("since", 0))
        keys = {key.key for key in self._state.accounts.all_keys()}
        return [
            entry.plain(keys)
            for entry in self._state.log.since(since)
            if body.get("vendor") in (None, entry.vendor)
            and body.get("method") in (None, entry.method)
            and (body.get("path") is None or body["path"] in entry.path)
        ]

    def _show(self, job: Job) -> dict[str, Any]:
        now = self._state.clock.now()
        return {
            **{name: getattr(job, name) for name in JOB_FIELDS},
            "status": job.status(now),
            "progress": round(job.progress(now), 3),
            "ends": None if job.ends >= HELD else job.ends,
        }

    def _jobs(self, body: Body) -> Any:
        jobs = self._state.jobs.page(Which(body.get("vendor"), body.get("account")), order="oldest")
        return [self._show(job) for job in jobs]

    def _accounts(self, body: Body) -> Any:
        keys = self._state.accounts.all_keys()
        return [
            {
                **asdict(account),
                "account": account.id,
                "keys": [asdict(key) for key in keys if (key.vendor, key.account) == (account.vendor, account.id)],
            }
            for account in self._state.accounts.all()
        ]

    def _add_account(self, body: Body) -> Any:
        """Create an account, add a key to one, or change one (``status`` forbidden answers 403)."""
        vendor = self._vendor(body)
        name = str(body.get("account") or DEFAULT_ACCOUNT)
        key = body.get("key")
        if key is not None or self._state.accounts.find(vendor.name, name) is None:
            key = key or vendor.key_of(name)
            balance = int(body.get("credits", self._state.credits))
            self._state.add_account(vendor, name, key, balance, expires=body.get("expires"))
        self._state.accounts.change(vendor.name, name, status=body.get("status"), data=body.get("data"))
        return {"vendor": vendor.name, "account": name, "key": key}

    def _credits(self, body: Body) -> Any:
        account = self._account(body)
        remaining, limit = body.get("remaining"), body.get("limit")
        return {
            "balance": self._state.ledger.set_credits(
                account, None if remaining is None else int(remaining), None if limit is None else int(limit)
            )
        }

    def _key(self, body: Body) -> Any:
        vendor = self._vendor(body).name
        key = body.get("key") or self._state.vendors[vendor].default_key
        values = {name: body[name] for name in ("status", "expires", "webhook_url", "webhook_secret") if name in body}
        if not self._state.accounts.change_key(vendor, key, **values):
            raise Refusal(404, "There is no such key")
        row = next(known for known in self._state.accounts.all_keys() if (known.vendor, known.key) == (vendor, key))
        return {"key": key, "status": row.status, "webhook_url": row.webhook_url, "webhook_secret": row.webhook_secret}

    def _clear_faults(self, body: Body) -> Any:
        self._state.faults.clear()
        self._state.endings.clear()
        return {}

    def _fail(self, body: Body) -> Any:
        ending = Ending(**body)
        self._check_ending(ending.status)
        self._state.endings.append(ending)
        return {}

    def _job(self, body: Body) -> Any:
        status = str(body["status"])
        self._check_ending(status)
        found = [job for vendor in self._state.vendors if (job := self._state.jobs.get(vendor, str(body["id"])))]
        if not found:
            raise Refusal(404, "There is no such job")
        self._state.set_job(
            found[0], status, message=body.get("message"), refund=body.get("refund"), after=float(body.get("after", 0))
        )
        self._state.settle()
        changed = self._state.jobs.get(found[0].vendor, found[0].id)
        return self._show(changed or found[0])

    @staticmethod
    def _check_ending(status: str) -> None:
        if status not in ENDINGS:
            raise Refusal(400, f"a job cannot become {status!r}; it can become {', '.join(ENDINGS)}")

    def _advance(self, body: Body) -> Any:
        self._state.advance(float(body["seconds"]))
        self._state.settle()
        return {"time": iso(self._state.clock.now())}

    def _reset(self, body: Body) -> Any:
        self._state.reset()
        return {}

    def _settings(self, body: Body) -> Any:
        self._state.change_settings(body)
        return self._state.settings.all()

    def _webhooks(self, body: Body) -> Any:
        names = "vendor, job_id, url, attempts, status, error, body, next IS NOT NULL AS pending"
        rows = self._state.store.rows(f"SELECT {names} FROM deliveries ORDER BY seq")  # noqa: S608 - the constant above
        return [{**dict(row), "pending": bool(row["pending"])} for row in rows]
