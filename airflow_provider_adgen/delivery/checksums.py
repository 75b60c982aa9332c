# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Checksums that a storage host sends in the headers of a file."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BYTES = {"sha256": 32, "md5": 16}
_PAIR = re.compile(r"\s*([A-Za-z0-9-]+)=:?([A-Za-z0-9+/=]+):?")


def announced(headers: Mapping[str, str]) -> dict[str, bytes]:
    """
    Return the checksums of the whole file that an answer's headers hold, by algorithm (``sha256``, ``md5``).

    The headers are ``Repr-Digest``, ``Digest``, Amazon's ``x-amz-checksum-sha256``, Google's ``x-goog-hash`` and
    ``Content-MD5``. A header that cannot be read is ignored.

    :param headers: headers of an answer with the whole file, names in lower case.
    """
    claims = [("md5", headers.get("content-md5", "")), ("sha256", headers.get("x-amz-checksum-sha256", ""))]
    lists = ["repr-digest", "digest"]
    # Google sends the hash of the stored bytes. Where it decompresses them on the way, other bytes arrive.
    if headers.get("x-goog-stored-content-encoding", "identity") == "identity":
        lists.append("x-goog-hash")
    for name in lists:
        for item in headers.get(name, "").split(","):
            pair = _PAIR.fullmatch(item.rstrip())
            if pair is not None:
                claims.append((pair[1].lower().replace("sha-256", "sha256"), pair[2]))
    found: dict[str, bytes] = {}
    for algorithm, text in claims:
        value = _decoded(text)
        if value is not None and len(value) == _BYTES.get(algorithm):
            found[algorithm] = value
    return found


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
