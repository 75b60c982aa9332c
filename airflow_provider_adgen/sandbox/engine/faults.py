# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Faults to inject: what goes wrong, where, and how often."""

from __future__ import annotations

import itertools
import time
from dataclasses import asdict, dataclass, field
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import Any

KINDS = {
    "drop": "close the connection without an answer",
    "status": "answer with an error status",
    "slow": "wait some real seconds",
    "truncate": "send half of the body (or `bytes` of it), then close the connection",
    "not_json": "answer 200 with an HTML page",
    "missing_fields": "leave fields out of the JSON answer",
    "patch": "merge values into the JSON answer",
    "redirect": "answer with a redirect",
    "expired_link": "hand out media links that have expired already; a media request is answered 403",
}


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong.

    :param kind: one of :data:`KINDS`.
    :param vendor: only this vendor's requests (media and uploads of a vendor are its requests too).
    :param method: only this HTTP method.
    :param path: only paths that match this pattern (``*`` matches anything), below the vendor's base URL, as
        ``/videos/*``, or in full, as ``/media/*``.
    :param account: only requests with a key of this account.
    :param times: how many requests it strikes; -1 for all.
    :param skip: how many matching requests it lets pass first.
    :param when: ``before`` the request was accepted (nothing happens, nothing is charged) or ``after`` (the job is
        started and charged, only the answer suffers). A drop or a slow answer is ``after`` by default, a status
        ``before``.
    :param status: the status of ``status`` (default 500) and ``redirect`` (default 302).
    :param retry_after: for ``status``: the seconds in its ``Retry-After``; none when None.
    :param http_date: write ``Retry-After`` as an HTTP date.
    :param message: the message of ``status``.
    :param body: the text of ``not_json``, or the raw body of ``status`` instead of the vendor's envelope.
    :param seconds: of ``slow``, in real time.
    :param bytes: how much of the body ``truncate`` sends; for ``slow``: how much is sent before it stalls.
    :param fields: for ``missing_fields``, dotted names (``job.id``).
    :param values: for ``patch``.
    :param location: of ``redirect``.
    :param reset: for ``drop``: reset the connection rather than close it.
    """

    kind: str
    vendor: str | None = None
    method: str | None = None
    path: str | None = None
    account: str | None = None
    times: int = 1
    skip: int = 0
    when: str = ""
    status: int = 0
    retry_after: float | None = None
    http_date: bool = False
    message: str = ""
    body: str | None = None
    seconds: float = 0.0
    bytes: int | None = None
    fields: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    location: str = ""
    reset: bool = False
    id: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        """Fill in the defaults and refuse what makes no sense.

        :raises ValueError: for an unknown kind or moment.
        """
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {self.kind!r}; known are {', '.join(KINDS)}")
        if not self.when:
            self.when = "before" if self.kind in ("status", "redirect") else "after"
        if self.when not in ("before", "after"):
            raise ValueError(f"when must be 'before' or 'after', not {self.when!r}")
        if not self.status:
            self.status = 302 if self.kind == "redirect" else 500

    def matches(self, vendor: str, method: str, path: str, full_path: str, account: str | None) -> bool:
        """Tell whether a request is one of those to strike."""
        if self.vendor is not None and self.vendor != vendor:
            return False
        if self.account is not None and self.account != account:
            return False
        if self.method is not None and self.method.upper() != method:
            return False
        return self.path is None or fnmatchcase(path, self.path) or fnmatchcase(full_path, self.path)

    def headers(self) -> dict[str, str]:
        """Give the headers that ``status`` answers with. The date is the machine's, as a real server's would be."""
        if self.retry_after is None:
            return {}
        return {"Retry-After": retry_after_header(self.retry_after, self.http_date)}

    def strikes(self, kind: str, when: str) -> bool:
        """Tell whether this is that fault at that moment."""
        return self.kind == kind and self.when == when


def retry_after_header(seconds: float, http_date: bool) -> str:
    """Write a ``Retry-After``: whole seconds, or an HTTP date that many seconds from now."""
    if not http_date:
        return str(max(0, -int(-seconds // 1)))
    return formatdate(time.time() + seconds, usegmt=True)


class Faults:
    """The faults that are set. A request is struck by at most one: the first set of those that match it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)

    def add(self, fault: Fault) -> Fault:
        """Set a fault."""
        fault.id = next(self._numbers)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove every fault."""
        self._faults.clear()

    def all(self) -> list[dict[str, Any]]:
        """List the faults that are set."""
        return [asdict(fault) for fault in self._faults]

    def take(self, vendor: str, method: str, path: str, full_path: str, account: str | None = None) -> Fault | None:
        """Give the fault that strikes this request, and count it."""
        for fault in self._faults:
            if not fault.matches(vendor, method, path, full_path, account):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.struck += 1
            if fault.times > 0:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
            return fault
        return None


def without(data: Any, name: str) -> Any:
    """Give JSON data without a field (a dotted name goes into objects, and into every item of a list)."""
    if isinstance(data, list):
        return [without(item, name) for item in data]
    if not isinstance(data, dict):
        return data
    first, _, rest = name.partition(".")
    if not rest:
        return {key: value for key, value in data.items() if key != first}
    return {key: without(value, rest) if key == first else value for key, value in data.items()}


def merged(data: Any, values: dict[str, Any]) -> Any:
    """Give JSON data with values merged into it."""
    if not isinstance(data, dict):
        return data
    result = dict(data)
    for key, value in values.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return result
