# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Records a submission that a hook makes for somebody's own code, and lets ``[adgen] budgets`` count it."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

from airflow_provider_adgen import settings
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.budgets import day_of
from airflow_provider_adgen.core.decisions.posting import classify_submit_error
from airflow_provider_adgen.core.decisions.spending import check_spending
from airflow_provider_adgen.core.errors import BudgetBusy
from airflow_provider_adgen.core.identity import fingerprint
from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.purse import Purse
from airflow_provider_adgen.ledger.records import HOOKS
from airflow_provider_adgen.ledger.stores import ObjectStore

if TYPE_CHECKING:
    from airflow_provider_adgen.core.account import Account
    from airflow_provider_adgen.core.errors import AdGenError
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.core.vendor import Vendor
    from airflow_provider_adgen.core.vocabulary import Generation

log = logging.getLogger(__name__)

_TRIES = 3


class Purchase:
    """
    One submission of a hook, under ``<ledger_path>/_hooks/<day>/<id>/``.

    Without a ``ledger_path`` nothing is written.

    :param account: the account.
    :param vendor: its vendor.
    :param request: what is generated.
    :param key: the idempotency key.
    :param assume_credits: what to count where no price is documented.
    :param endpoint: where it is posted.
    """

    def __init__(
        self,
        account: Account,
        vendor: Vendor,
        request: GenerationRequest,
        key: str | None,
        assume_credits: int | None,
        endpoint: str,
    ) -> None:
        self._account = account
        self._vendor = vendor
        self._request = request
        self._key = key
        documented = request.price()
        self._price = documented if documented is not None else assume_credits
        self._endpoint = endpoint
        self._ledger: Ledger | None = None
        self._attempt: Attempt | None = None

    def begin(self) -> None:
        """
        Write that it is about to be posted.

        :raises SpendingForbidden: ``[adgen] spending`` does not allow it.
        :raises BudgetExceeded: ``[adgen] budgets`` leaves no room for it.
        :raises Exception: it could not be recorded; nothing was sent.
        """
        check_spending(self._account)
        for _ in range(_TRIES):
            if self._intend():
                return
        raise BudgetBusy(
            f"The reservation for this request to {self._vendor.title} was released {_TRIES} times before it could be "
            "posted. Nothing was sent. A retry helps."
        )

    def _intend(self) -> bool:
        uid, now = uuid.uuid4().hex[:12], SYSTEM.now()
        parts = [HOOKS, day_of(now), uid]
        purse = Purse(self._account, parts, clock=SYSTEM, log=log)
        reservation = purse.take(self._price)
        path = settings.ledger_path()
        if path is None:
            return True
        now = SYSTEM.now()
        self._ledger = Ledger([ObjectStore.at(path, parts)])
        self._ledger.on_write = lambda attempt, _: purse.note(attempt)
        attempt = Attempt(
            phase="intent",
            uid=uid,
            key=self._key,
            epoch=0,
            fingerprint=fingerprint(
                self._request.kind,
                self._request.body(),
                self._vendor.name,
                self._account.host,
                self._account.conn_id,
            ),
            vendor=self._vendor.name,
            conn_id=self._account.conn_id,
            host=self._account.host,
            reservation=reservation,
            request_kind=self._request.kind,
            endpoint=self._endpoint,
            intended_at=now,
            clock_at=now,
            posters=[self._ledger.process],
            post_seconds=self._account.timeout,
            key_tag=self._account.key_tag,
            result_kind=self._request.result_kind,
            price=self._price,
        )
        try:
            self._attempt = self._ledger.write(attempt)
        except Exception:
            purse.give_back(reservation, self._price)
            raise
        try:
            stands = purse.stands(reservation, now)
        except Exception:
            self._withdraw("its reservation could not be read")
            raise
        if not stands:
            self._withdraw("its reservation was released before it could be posted")
        return stands

    def accepted(self, generation: Generation) -> None:
        """Write the job that it started; if that cannot be written, it is logged: the job is paid for."""
        self._write(
            phase="submitted",
            answered=True,
            job_ids=generation.job_ids,
            submitted_at=SYSTEM.now(),
            sent_at=SYSTEM.now(),
            charged=generation.credits.charged,
        )

    def failed(self, error: AdGenError) -> None:
        """Write what the posting without a job proves."""
        verdict = classify_submit_error(error, self._vendor.promises)
        outcome = {"statuses": [verdict.status], "sent_at": SYSTEM.now(), "answered": verdict.answered}
        if verdict.nothing_started:
            self._withdraw(error.message, **outcome)
        else:
            self._write(reason=error.message, unknown=verdict.unknown, **outcome)

    def _withdraw(self, reason: str, **changes: object) -> None:
        by = [self._ledger.process] if self._ledger is not None else []
        self._write(phase="withdrawn", reason=reason, withdrawn_by=by, **changes)

    def _write(self, **changes: object) -> None:
        if self._ledger is None or self._attempt is None:
            return
        try:
            self._attempt = self._ledger.write(self._attempt.model_copy(update=changes), retrying=True)
        except Exception as error:  # the caller learns what came of the submission, whatever the ledger says
            log.error(
                "What came of a submission to %s could not be recorded under [adgen] ledger_path (%s): the report "
                "counts it as unknown.",
                self._vendor.title,
                type(error).__name__,
            )
