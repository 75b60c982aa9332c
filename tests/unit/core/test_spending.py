# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which paid requests ``[adgen] spending`` allows, and that the wire sends no other."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.core.account import Account
from airflow_provider_adgen.core.calls import Answer, Call
from airflow_provider_adgen.core.decisions.posting import classify_submit_error
from airflow_provider_adgen.core.decisions.spending import check_spending
from airflow_provider_adgen.core.errors import SpendingForbidden
from airflow_provider_adgen.core.scrub import Secret
from airflow_provider_adgen.core.wire import Wire
from airflow_provider_adgen.vendors.adsumo import VENDOR

HERE, THERE = "http://127.0.0.1:9/api/v1", "https://www.adsumo.ai/api/v1"


def account(base_url: str, spending: str, *, sandbox: bool = False) -> Account:
    return Account("adsumo", "adsumo_default", base_url, Secret("k"), spending=spending, sandbox=sandbox)


@pytest.mark.parametrize(
    ("spending", "base_url", "sandbox", "allowed"),
    [
        ("allowed", THERE, False, True),
        ("allowed", HERE, False, True),
        ("sandbox", THERE, False, False),
        ("sandbox", THERE, True, True),
        ("sandbox", HERE, False, True),
        ("sandbox", "http://localhost:9", False, True),
        ("sandbox", "http://[::1]:9", False, True),
        ("sandbox", "http://adgen.localhost:9", False, True),
        ("sandbox", "https://localhost.example.com", False, False),
        ("sandbox", "https://127.0.0.1.example.com", False, False),
        ("forbidden", THERE, True, False),
        ("forbidden", HERE, True, False),
        ("alowed", HERE, True, False),
        ("", HERE, True, False),
    ],
)
def test_which_paid_requests_are_allowed(spending: str, base_url: str, sandbox: bool, allowed: bool) -> None:
    asked = account(base_url, spending, sandbox=sandbox)
    if allowed:
        check_spending(asked)
        return
    with pytest.raises(SpendingForbidden, match=r"\[adgen\] spending is .*Nothing was sent"):
        check_spending(asked)


def test_an_account_that_says_nothing_may_spend() -> None:
    check_spending(Account("adsumo", "adsumo_default", THERE, Secret("k")))


def test_a_refusal_proves_that_nothing_started_and_no_retry_helps() -> None:
    error = SpendingForbidden("x")
    assert classify_submit_error(error, VENDOR.promises).nothing_started
    assert not error.retry_helps


async def test_the_wire_sends_no_paid_request_that_is_not_allowed() -> None:
    class Deaf(Wire):
        sent = 0

        async def _following_redirects(self, request: object) -> Answer:
            self.sent += 1
            return Answer(200, {}, b"{}")

    def call(**how: bool) -> Call[int]:
        return Call(method="POST", path="/x", endpoint="POST /x", parse=lambda answer: answer.status, **how)

    async with Deaf(VENDOR, account(THERE, "forbidden")) as wire:
        with pytest.raises(SpendingForbidden):
            await wire.call(call(paid=True))
        assert wire.sent == 0
        assert await wire.call(call(paid=True, collects=True)) == 200
        assert await wire.call(call(paid=False)) == 200
        assert wire.sent == 2
