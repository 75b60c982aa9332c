# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Marks a page as written by a program, so that a number changed by hand shows."""

from __future__ import annotations

import hashlib
import re

_HEAD = "<!-- Written by `make bench`: do not edit. Every number was measured. -->\n\n"
_SEAL = re.compile(r"\n<!-- seal: ([0-9a-f]{64}) -->\n\Z")


def sealed(text: str) -> str:
    """Return a page with its mark and its seal."""
    page = _HEAD + text
    return f"{page}\n<!-- seal: {hashlib.sha256(page.encode()).hexdigest()} -->\n"


def is_whole(page: str) -> bool:
    """Whether a page is as it was written."""
    found = _SEAL.search(page)
    return found is not None and hashlib.sha256(page[: found.start()].encode()).hexdigest() == found[1]
