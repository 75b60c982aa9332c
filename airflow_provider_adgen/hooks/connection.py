# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Reads an Airflow connection into a :class:`Account`, refusing what would be wrong before anything is sent."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from airflow_provider_adgen import metrics
from airflow_provider_adgen.core.account import DEFAULT_TIMEOUT, Account, base_url
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import NOTHING_SENT, InvalidRequest
from airflow_provider_adgen.core.requests import validation_sentence
from airflow_provider_adgen.core.scrub import Secret
from airflow_provider_adgen.core.tokens import token_end
from airflow_provider_adgen.settings import spending

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_adgen.core.vendor import Vendor


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class _Extra(BaseModel):
    """The connection's extra fields that this package knows; others are left alone."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    timeout: float = Field(default=DEFAULT_TIMEOUT, gt=0, le=3600)
    requests_per_minute: float | None = Field(default=None, gt=0)
    verify: bool | str = True
    webhook_secret: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    allow_http: bool = False
    auth: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)] | None = None
    log_poll_loop: float | None = Field(default=None, gt=0)
    sandbox: bool = False
    budget_group: str = ""

    @field_validator("*", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: Any, info: Any) -> Any:
        # The connection form saves untouched fields as null or as an empty string.
        if value is None or value == "":
            return cls.model_fields[info.field_name].get_default(call_default_factory=True)
        return value

    @field_validator("headers", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str) and value.strip():
            try:
                return json.loads(value)
            except ValueError:
                raise ValueError("must be a JSON object of header names and values") from None
        return value

    @field_validator("headers")
    @classmethod
    def _no_auth(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if name.lower() in {"authorization", "x-api-key", "host", "content-length", "transfer-encoding"}:
                raise ValueError(f"must not set {name}; the key belongs into the password field")
            if name.lower() == "idempotency-key":
                raise ValueError(f"must not set {name}: every generation would be answered with the first one")
            # Whatever could not be sent is refused here, before a submission is recorded as intended.
            if not _HEADER_NAME.fullmatch(name) or not text.isascii() or (text and not text.isprintable()):
                raise ValueError("must hold names of letters, digits and dashes, and printable ASCII values")
        return value

    @field_validator("verify", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return value.strip().lower() == "true"
        return value


def read_account(connection: Connection, vendor: Vendor) -> Account:
    """
    Read *connection* for *vendor*.

    :raises InvalidRequest: it is of another vendor's type, has no key, or an extra field is wrong; no value is shown.
    """
    conn_id = connection.conn_id
    if (connection.conn_type or "").replace("-", "_") != vendor.name:
        raise InvalidRequest(
            f"Connection {conn_id!r} is of type {connection.conn_type!r}, but this needs one of type {vendor.name!r} "
            f"({vendor.title}).",
            advice=NOTHING_SENT,
        )
    key = (connection.password or "").strip()
    if not key:
        raise InvalidRequest(
            f"Connection {conn_id!r} has no password: put the {vendor.title} {vendor.key_form} there.",
            advice=NOTHING_SENT,
        )
    if not key.isascii() or not key.isprintable() or any(character.isspace() for character in key):
        raise InvalidRequest(
            f"The password of connection {conn_id!r} holds characters that no {vendor.key_form} has (spaces, line "
            "breaks or non-ASCII).",
            advice=NOTHING_SENT,
        )
    try:
        extra = _extra(connection.extra, vendor)
    except ValueError as error:
        raise InvalidRequest(f"The extra of connection {conn_id!r} is {error}.", advice=NOTHING_SENT) from None
    account = Account(
        vendor=vendor.name,
        conn_id=conn_id,
        base_url=base_url(
            _address(connection, vendor),
            default=vendor.default_base_url,
            vendor=vendor.title,
            port=connection.port,
            allow_http=extra.allow_http,
        ),
        key=Secret(key),
        webhook_secret=Secret(extra.webhook_secret) if extra.webhook_secret else None,
        **extra.model_dump(exclude={"allow_http", "webhook_secret", "budget_group"}),
        spending=spending(),
        budget_group=extra.budget_group.strip(),
    )
    if (end := token_end(key)) is not None:
        tags = {"vendor": vendor.name, "conn_id": conn_id}
        metrics.gauge(metrics.KEY_SECONDS_LEFT, max(0.0, end - SYSTEM.now()), tags)
    return account


def _extra(text: str | None, vendor: Vendor) -> _Extra:
    try:
        raw = json.loads(text) if text else {}
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(raw, dict):
        raise ValueError("not a JSON object")
    try:
        extra = _Extra.model_validate(raw)
    except ValidationError as error:
        raise ValueError(f"wrong: {validation_sentence(error)}") from None
    if extra.auth is not None and extra.auth not in vendor.auth_schemes:
        raise ValueError(f"wrong: auth must be {' or '.join(vendor.auth_schemes)} for {vendor.title}")
    return extra


def _address(connection: Connection, vendor: Vendor) -> str | None:
    """Return the host with its path. Of ``adsumo://:key@host/api/v1`` Airflow puts the path into ``schema``."""
    host, schema = (connection.host or "").strip(), (connection.schema or "").strip().strip("/")
    if not schema:
        return host
    if not host:
        raise InvalidRequest(
            f"Connection {connection.conn_id!r} has a path (its schema) and no host: put the whole base URL of "
            f"{vendor.title} into the host.",
            advice=NOTHING_SENT,
        )
    if schema.lower() in {"http", "https"}:  # as connections of Airflow's HTTP provider have it
        return host if "://" in host else f"{schema.lower()}://{host}"
    return f"{host.rstrip('/')}/{schema}"
