# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Whether ``[adgen] spending`` allows a paid request: asked before an intent is written, and by the wire again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_adgen.core.account import is_loopback
from airflow_provider_adgen.core.errors import SpendingForbidden

if TYPE_CHECKING:
    from airflow_provider_adgen.core.account import Account

WORDS = ("allowed", "sandbox", "forbidden")
"""What ``[adgen] spending`` may be."""


def check_spending(account: Account) -> None:
    """
    Refuse a paid request that ``[adgen] spending`` does not allow.

    :param account: the account, with the word of the setting.
    :raises SpendingForbidden: it is not allowed, or the word is not known.
    """
    match account.spending:
        case "allowed":
            return
        case "sandbox":
            if account.sandbox or is_loopback(urlsplit(account.base_url).hostname or ""):
                return
            why = (
                f'[adgen] spending is "sandbox", and {account.host} (connection {account.conn_id!r}) is neither on '
                'this machine nor marked with "sandbox": true in the connection\'s extra'
            )
        case "forbidden":
            why = '[adgen] spending is "forbidden"'
        case unknown:
            # What was meant to forbid must not allow for a slip of the pen.
            why = f"[adgen] spending is {unknown!r}, which is none of {', '.join(WORDS)}"
    raise SpendingForbidden(
        f"A paid request to {account.vendor} was refused: {why}. Nothing was sent or charged for it. What is paid "
        "for already is still collected."
    )
