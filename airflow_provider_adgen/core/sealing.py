# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Encrypts a result that a vendor tells only once, so that it can go from one process to another through readable places.

Airflow logs a trigger's event whole, and a record is a file: a signed link may stand in neither. Both processes hold
the account's key. What is encrypted with it can be read by those who could ask the vendor anyway, and by nobody else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.vocabulary import Generation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.core.account import Account


def seal(generation: Generation, account: Account) -> str:
    """Return *generation*, links included, so that only a holder of the account's key can read it."""
    from cryptography.fernet import Fernet  # Airflow's own choice; not at module level: it takes long to import

    text = json.dumps(generation.to_xcom(urls=True))
    return Fernet(_key(account, generation.job_ids)).encrypt(text.encode()).decode()


def unseal(sealed: str, account: Account, job_ids: Sequence[str]) -> Generation | None:
    """
    Return what was sealed about these jobs; None where it cannot be read: the account's key was changed since.

    :param sealed: what :func:`seal` returned.
    :param job_ids: all jobs of the generation.
    """
    from cryptography.fernet import Fernet, InvalidToken  # as above

    try:
        text = Fernet(_key(account, job_ids)).decrypt(sealed.encode())
        return Generation.from_xcom(json.loads(text))
    except (InvalidToken, ValueError):
        return None


def together(asked: Generation, heard: Generation | None) -> Generation:
    """
    Return what is known of a job.

    :param asked: what the vendor says now.
    :param heard: how it was heard to end, if it was; that counts where the vendor now says less.
    """
    if heard is None or (asked.finished and not (asked.succeeded and heard.succeeded)):
        return asked
    return asked if asked.finished and len(asked.creatives) >= len(heard.creatives) else heard


def _key(account: Account, job_ids: Sequence[str]) -> bytes:
    subject = b"adgen sealed result:" + ",".join(job_ids).encode()
    return base64.urlsafe_b64encode(hmac.new(account.key.reveal().encode(), subject, hashlib.sha256).digest())
