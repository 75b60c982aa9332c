# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Signed links to media, as of a storage host: anybody who has a link may read the file until it expires."""

from __future__ import annotations

import hmac
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.sandbox.engine.clock import Clock


class Links:
    """Makes and checks links. Every link is new: two requests for one file give two links with their own expiry.

    :param secret: what they are signed with.
    """

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret.encode()
        self._clock = clock
        self._numbers = itertools.count(1)

    def _signature(self, method: str, path: str, expires: int, number: str) -> str:
        text = f"{method}\n{path}\n{expires}\n{number}".encode()
        return hmac.digest(self._secret, text, "sha256").hex()

    def sign(self, path: str, seconds: float, method: str = "GET") -> str:
        """Return the path with a query that allows this method for a number of seconds."""
        expires = int(self._clock.now() + seconds)
        number = format(next(self._numbers), "x")
        signature = self._signature(method, path, expires, number)
        return f"{path}?X-Sandbox-Expires={expires}&X-Sandbox-Link={number}&X-Sandbox-Signature={signature}"

    def problem(self, method: str, path: str, query: Mapping[str, str]) -> str | None:
        """Check a link.

        :return: what is wrong with it, or None.
        """
        expires, number = query.get("X-Sandbox-Expires", ""), query.get("X-Sandbox-Link", "")
        given = query.get("X-Sandbox-Signature", "")
        if not expires.isdigit() or not hmac.compare_digest(
            self._signature("GET" if method == "HEAD" else method, path, int(expires), number), given
        ):
            return "SignatureDoesNotMatch"
        return "Request has expired" if self._clock.now() >= int(expires) else None
