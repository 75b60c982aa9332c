# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Under which web address people reach what is kept in object storage. Nothing here is signed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow_provider_adgen.core.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


def parse_destination_urls(text: str) -> dict[str, str]:
    """
    Read ``[adgen] destination_urls``.

    :param text: JSON: ``{"s3://ads": "https://ads.example.com"}``.
    :raises InvalidRequest: it is something else, or an address cannot be linked to.
    """
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(url, str) for url in value.values()):
        raise InvalidRequest(
            '[adgen] destination_urls cannot be read. It is a JSON object: {"s3://ads": "https://ads.example.com"}.'
        )
    for path, url in value.items():
        if not linkable(url):
            raise InvalidRequest(
                f"[adgen] destination_urls names an address for {path!r} that cannot be linked to. It must begin with "
                "https:// or http://, and hold no user, query or fragment."
            )
    return value


def web_address(uri: str, urls: Mapping[str, str]) -> str | None:
    """
    Return the address under which people reach a stored file; None where nobody said so.

    :param uri: its path, as ``ObjectStoragePath`` takes it, or a path of this machine. The connection in it does not
        count.
    :param urls: addresses by path; of several that hold the file, the longest path counts.
    """
    wanted = _plain(uri)
    found: tuple[str, str] = ("", "")
    for path, url in urls.items():
        folder = _plain(path)
        if (wanted == folder or wanted.startswith(f"{folder}/")) and len(folder) > len(found[0]) and linkable(url):
            found = folder, url
    folder, url = found
    return f"{url.rstrip('/')}{quote(wanted[len(folder) :])}" if url else None


def linkable(url: str) -> bool:
    """Return whether an address may be shown as a link: http(s), and without anything that could be a secret."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and "@" not in parts.netloc and not set("?#") & set(url)


def _plain(uri: str) -> str:
    """Return a path without its connection and without slashes at its end."""
    scheme, mark, rest = str(uri).strip().partition("://")
    if not mark:
        scheme, rest = "file", os.path.abspath(os.path.expanduser(scheme))
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{f'{slash}{path}'.rstrip('/')}"
