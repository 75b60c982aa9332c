# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of one connected account: where it is, how to authenticate, how to behave towards it."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from airflow_provider_adgen.core.errors import NOTHING_SENT, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.core.scrub import Secret

# One per account and process: each wire of an account sees the same.
_states: dict[tuple[str, str, str], dict[str, Any]] = {}

_USUAL_PORTS = {"http": 80, "https": 443}

DEFAULT_TIMEOUT = 60.0
"""Seconds a request may take in all, a paid submission too."""


@dataclass(frozen=True)
class Account:
    """
    One connected account.

    :param vendor: the vendor's name.
    :param conn_id: the Airflow connection it came from.
    :param base_url: where the API is, without a trailing slash.
    :param key: the key or token; it never shows itself.
    :param timeout: seconds a request may take in all.
    :param requests_per_minute: a limit of the user's own for this process, or None.
    :param verify: True, False, or the path of a CA bundle.
    :param headers: further headers for the vendor's host (never sent to a storage host).
    :param webhook_secret: the secret the vendor signs webhooks with, where it has one.
    :param auth: how the key is sent, where the connection says it: one of the vendor's ``auth_schemes``.
    :param log_poll_loop: seconds between two views of the triggerer's poll loop in its tasks' logs; None for none.
    :param spending: the word of ``[adgen] spending``: ``allowed``, ``sandbox`` or ``forbidden``; any other refuses.
    :param sandbox: the connection says that nothing at this address costs money.
    :param budget_group: the name of the budget that pays for it; empty for that of the connection itself.
    """

    vendor: str
    conn_id: str
    base_url: str
    key: Secret
    timeout: float = DEFAULT_TIMEOUT
    requests_per_minute: float | None = None
    verify: bool | str = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    webhook_secret: Secret | None = None
    auth: str | None = None
    log_poll_loop: float | None = None
    spending: str = "allowed"
    sandbox: bool = False
    budget_group: str = ""

    @property
    def budget(self) -> str:
        """The key in ``[adgen] budgets`` that it is under."""
        return self.budget_group or self.conn_id

    @property
    def state(self) -> dict[str, Any]:
        """What this process keeps in mind of the account for its vendor; the vendor says what is in it."""
        return _states.setdefault((self.vendor, self.base_url, self.key_tag), {})

    @property
    def host(self) -> str:
        """Host and port, for messages and the account's identity."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def key_tag(self) -> str:
        """A short hash of the key: tells that it changed, tells nothing about it."""
        return hashlib.sha256(b"adgen key tag:" + self.key.reveal().encode()).hexdigest()[:12]


def base_url(host: str | None, *, default: str | None, vendor: str, port: int | None = None, allow_http: bool) -> str:
    """
    Return the base URL of a connection: its host in lower case, without the scheme's usual port.

    :param host: what the user typed; no scheme means https.
    :param default: the vendor's documented base URL, if there is one.
    :param vendor: the vendor's name, for messages.
    :param port: the connection's port field, if it was set.
    :param allow_http: accept plain http to any host.
    :raises InvalidRequest: no host is known, it is not a URL, or it is plain http to another machine.
    """
    text = (host or "").strip() or (default or "")
    if not text:
        raise InvalidRequest(
            f"The {vendor} connection has no host. {vendor} documents no address of its API, so set the connection's "
            "host to the base URL of your account.",
            advice=NOTHING_SENT,
        )
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        readable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:  # brackets that do not close, a port that is no number
        readable = False
    if not readable:
        raise InvalidRequest(f"The {vendor} connection's host is not an http(s) address.", advice=NOTHING_SENT)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidRequest(
            f"The {vendor} connection's host must hold no user, password, query or fragment: put the key into the "
            "password field.",
            advice=NOTHING_SENT,
        )
    if parts.scheme == "http" and not allow_http and not is_loopback(parts.hostname or ""):
        raise InvalidRequest(
            f"The {vendor} connection would send its key over plain http to {parts.hostname}. Use https, or set "
            '"allow_http": true in the connection\'s extra if that network is yours. Nothing was sent.'
        )
    # One form of each host, however it is written: budgets, records and the library tell accounts apart by it.
    name = str(parts.hostname)
    netloc = f"[{name}]" if ":" in name else name
    if (port := parts.port or port) and port != _USUAL_PORTS[parts.scheme]:
        netloc = f"{netloc}:{port}"
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
