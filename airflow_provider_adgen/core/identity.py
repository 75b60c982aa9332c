# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The identities of a task, of its request (with the idempotency key made of both), and of a creative to use again."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote_plus, urlsplit, urlunsplit

# The namespace of our UUIDs of version 5.
_NAMESPACE = uuid.UUID("6f0a0f6e-3f3c-5d0e-9a53-0f6b1f3f2d11")


@dataclass(frozen=True)
class TaskIdentity:
    """
    The task that pays, without its try number.

    :param dag_id: the DAG.
    :param run_id: its run.
    :param task_id: the task.
    :param map_index: position of a mapped task, -1 otherwise.
    :param region: loop iteration of a task in a looping group (Airflow 3.4), None otherwise.
    :param slot: more than 0 where one task owns several jobs.
    :param item: the item's key in a batch, None otherwise; it stands where the slot stands.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    region: str | None = None
    slot: int = 0
    item: str | None = None

    def __str__(self) -> str:
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        which = f", item {self.item!r}" if self.item is not None else ""
        return f"{self.dag_id}.{self.task_id}{mapped} in run {self.run_id}{which}"


@dataclass(frozen=True, slots=True)
class CreativeIdentity:
    """
    What tells creatives apart that are used again: the same identity is the same picture, film or text.

    :param digest: SHA-256 of the item's key, the request, the vendor and the host.
    :param key: the item's key.
    :param vendor: the vendor's name.
    :param host: the host of its API.
    """

    digest: str
    key: str
    vendor: str
    host: str


def _mapped(value: Any, address: Callable[[SplitResult], str]) -> Any:
    """Return a JSON value in which *address* has rewritten each string that is a URL."""
    if isinstance(value, str) and "://" in value and len(value.split()) == 1:  # a prompt may begin with a URL
        try:
            parts = urlsplit(value)
        except ValueError:
            return value
        return address(parts) if parts.scheme else value
    if isinstance(value, dict):
        return {str(key): _mapped(item, address) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, address) for item in value]
    return value


def canonical(value: Any) -> Any:
    """Return a JSON value with query strings and fragments cut off its URLs: signed links differ from day to day."""
    return _mapped(value, lambda parts: urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")))


def unsigned(value: Any) -> Any:
    """
    Return a JSON value with only the signatures taken out of its URLs, and their fragments.

    The rest of a query stays: a shop's ``?v=3`` is another picture than its ``?v=2``.
    """
    return _mapped(
        value, lambda parts: urlunsplit((parts.scheme, parts.netloc, parts.path, _unsigned_query(parts.query), ""))
    )


_SIGNS_PREFIX = ("x-amz-", "x-goog-", "x-oss-", "q-sign-")
_SIGNS = frozenset(
    {
        "signature",
        "sig",
        "hmac",
        "token",
        "access_token",
        "auth_token",
        "security-token",
        "expires",
        "expiry",
        "exp",
        "awsaccesskeyid",
        "googleaccessid",
        "ossaccesskeyid",
        "key-pair-id",
    }
)
# These mean something else elsewhere. They belong to a signature only beside one.
_SIGNS_BESIDE = {
    "signature": frozenset({"policy"}),
    # A shared access signature.
    "sig": frozenset(
        {"sv", "ss", "srt", "sp", "st", "se", "sr", "sip", "spr", "sdd", "skoid", "sktid", "skt", "ske", "sks", "skv"}
    ),
    "q-signature": frozenset({"q-ak", "q-key-time", "q-header-list", "q-url-param-list", "q-signature"}),
}


def _unsigned_query(query: str) -> str:
    pairs = [(pair, unquote_plus(pair.partition("=")[0]).lower()) for pair in query.split("&")]
    names = {name for _, name in pairs}
    beside = frozenset[str]().union(*(more for mark, more in _SIGNS_BESIDE.items() if mark in names))
    return "&".join(
        pair for pair, name in pairs if not (name in _SIGNS or name in beside or name.startswith(_SIGNS_PREFIX))
    )


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form."""
    return _sha256(canonical(value))


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def creative_identity(key: str, kind: str, body: dict[str, Any], vendor: str, host: str) -> CreativeIdentity:
    """
    Return the identity under which a creative is remembered in a library.

    :param key: the item's key.
    :param kind: the request's word.
    :param body: the request in the vendor's own names.
    :param vendor: the vendor's name.
    :param host: the host of its API.
    """
    host = host.lower()
    text = _sha256({"key": key, "kind": kind, "body": unsigned(body), "vendor": vendor, "host": host})
    return CreativeIdentity(text, key, vendor, host)


def field_hashes(kind: str, body: dict[str, Any], vendor: str, host: str, conn_id: str) -> dict[str, str]:
    """Return a short hash per field, so that changed ones can be named without keeping their values."""
    everything = {**body, "(kind)": kind, "(vendor)": vendor, "(host)": host, "(connection)": conn_id}
    return {name: digest(value)[:12] for name, value in everything.items()}


def fingerprint(kind: str, body: dict[str, Any], vendor: str, host: str, conn_id: str) -> str:
    """Return the hash of a request and its account. The account's key is not part of it."""
    return digest({"kind": kind, "body": body, "vendor": vendor, "host": host, "conn_id": conn_id})


def changed_fields(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Return the names of the fields whose hashes differ."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def idempotency_key(
    identity: TaskIdentity, *, epoch: int, fingerprint: str, answered: int, seed: str | None = None
) -> str:
    """
    Return the key of an attempt. The same attempt has the same key, in whichever process it is made again.

    :param identity: the task.
    :param epoch: changes when a user clears the task.
    :param fingerprint: the request and account.
    :param answered: earlier attempts that the vendor answered.
    :param seed: the user's own word in place of DAG, run and task; mapped tasks still differ.
    """
    who = [seed] if seed is not None else [identity.dag_id, identity.run_id, identity.task_id]
    place = [identity.map_index, identity.region, identity.slot if identity.item is None else identity.item]
    text = json.dumps([who, place, epoch, fingerprint, answered], separators=(",", ":"))
    return str(uuid.uuid5(_NAMESPACE, text))
