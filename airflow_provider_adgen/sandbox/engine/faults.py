# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Faults to inject: what goes wrong, where, and how often."""

from __future__ import annotations

import codecs
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
    "missing_fields": "leave fields out of the JSON answer, or out of every event of a stream",
    "patch": "merge values into the JSON answer, or into every event of a stream",
    "wrong_file": "answer 200 with something else than the file: `content` says what",
    "fewer_files": "hand out only the first `files` links where an answer lists several",
    "redirect": "answer with a redirect",
    "expired_link": "hand out media links that have expired already; a media request is answered 403",
}

# What `wrong_file` can answer with: the Content-Type and the body.
CONTENTS = {
    "html": ("text/html", "<html><body>Bad gateway</body></html>"),
    "text": ("text/plain", "Not ready"),
    "hls": ("application/vnd.apple.mpegurl", "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4.0,\nsegment-0.ts\n#EXT-X-ENDLIST\n"),
    "svg": ("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'),
    "empty": ("application/octet-stream", ""),
}


@dataclass(slots=True)
class Fault:
    """One fault.

    :param kind: one of :data:`KINDS`.
    :param vendor: only this vendor's requests, with the media and the uploads of that vendor.
    :param method: only this HTTP method.
    :param path: only paths that match this pattern (``*`` matches anything), below the vendor's base URL, as
        ``/videos/*``, or in full, as ``/media/*``.
    :param account: only requests with a key of this account.
    :param contains: only requests whose body, as it is sent, contains this text.
    :param times: how many requests it strikes; -1 for all.
    :param skip: how many matching requests pass first.
    :param when: ``before`` the request is accepted (nothing happens, nothing is charged) or ``after`` (the job is
        started and charged, only the answer suffers). The default is ``before`` for ``status`` and ``redirect``, and
        ``after`` for the other kinds.
    :param status: the status of ``status`` (default 500) and ``redirect`` (default 302).
    :param retry_after: the ``Retry-After`` of ``status``: seconds, or any text, which is sent as it is; none when None.
    :param http_date: write the seconds of ``retry_after`` as an HTTP date; negative seconds give a date in the past.
    :param headers: headers of the answer; each replaces the one of the same name. ``Content-Type`` is one of them.
    :param message: the message of ``status``.
    :param body: the text of ``not_json`` or ``wrong_file``, or the raw body of ``status`` instead of the vendor's
        envelope.
    :param charset: the charset of what ``patch``, ``not_json`` or ``wrong_file`` sends (default UTF-8). The characters
        of ``patch`` are then not escaped. ``Content-Type`` names the charset unless ``headers`` says otherwise. With
        ``latin-1`` each character up to U+00FF becomes one byte, so any bytes can be sent.
    :param content: what ``wrong_file`` sends: html (the default), text, hls, svg or empty.
    :param files: how many links ``fewer_files`` leaves (default 1).
    :param seconds: how long ``slow`` waits, in real time.
    :param bytes: how much of the body ``truncate`` sends; for ``slow``: how much is sent before the pause.
    :param fields: the fields that ``missing_fields`` leaves out, as dotted names (``job.id``).
    :param values: what ``patch`` merges in. NaN, lone surrogates and integers of any size are allowed.
    :param location: the target of ``redirect``.
    :param reset: for ``drop``: reset the connection rather than close it.
    """

    kind: str
    vendor: str | None = None
    method: str | None = None
    path: str | None = None
    account: str | None = None
    contains: str | None = None
    times: int = 1
    skip: int = 0
    when: str = ""
    status: int = 0
    retry_after: float | str | None = None
    http_date: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    message: str = ""
    body: str | None = None
    charset: str | None = None
    content: str = "html"
    files: int = 1
    seconds: float = 0.0
    bytes: int | None = None
    fields: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    location: str = ""
    reset: bool = False
    id: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        """Fill in the defaults and check the values.

        :raises ValueError: for an unknown kind, moment, content or charset.
        """
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {self.kind!r}; known are {', '.join(KINDS)}")
        if not self.when:
            self.when = "before" if self.kind in ("status", "redirect") else "after"
        if self.when not in ("before", "after"):
            raise ValueError(f"when must be 'before' or 'after', not {self.when!r}")
        if self.content not in CONTENTS:
            raise ValueError(f"unknown content {self.content!r}; known are {', '.join(CONTENTS)}")
        if self.charset is not None:
            codecs.lookup(self.charset)
        if not self.status:
            self.status = 302 if self.kind == "redirect" else 500

    def matches(self, vendor: str, method: str, path: str, full_path: str, account: str | None) -> bool:
        """Return whether a request is one of those to strike."""
        if self.vendor is not None and self.vendor != vendor:
            return False
        if self.account is not None and self.account != account:
            return False
        if self.method is not None and self.method.upper() != method:
            return False
        return self.path is None or fnmatchcase(path, self.path) or fnmatchcase(full_path, self.path)

    def refusal_headers(self) -> dict[str, str]:
        """Return the ``Retry-After`` of ``status``. A date is the machine's, as a real server's would be."""
        if self.retry_after is None:
            return {}
        if isinstance(self.retry_after, str):
            return {"Retry-After": self.retry_after}
        return {"Retry-After": retry_after_header(self.retry_after, self.http_date)}

    def strikes(self, kind: str, when: str) -> bool:
        """Return whether the fault is of this kind and strikes at this moment."""
        return self.kind == kind and self.when == when


def retry_after_header(seconds: float, http_date: bool) -> str:
    """Write a ``Retry-After``: whole seconds, or an HTTP date that many seconds from now."""
    if not http_date:
        return str(max(0, -int(-seconds // 1)))
    return formatdate(time.time() + seconds, usegmt=True)


class Faults:
    """The faults that are set. At most one strikes a request: of those that match, the one that was set first."""

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

    def take(
        self, vendor: str, method: str, path: str, full_path: str, account: str | None = None, body: bytes = b""
    ) -> Fault | None:
        """Return the fault that strikes this request, if any, and count it."""
        for fault in self._faults:
            if not fault.matches(vendor, method, path, full_path, account):
                continue
            if fault.contains is not None and fault.contains.encode() not in body:
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
