# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads when a CutX token ends: a JWT that is valid for 7 days (page Authentication).

It is decoded and not verified, because only CutX has the secret; nothing of it but its end is ever shown.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import pendulum

from airflow_provider_adgen.core.safe_json import loads

SOON = 48 * 3600.0
"""Seconds before a token's end from which on it is warned about: a daily DAG says so at least once."""

_ADVICE = "CutX documents no way to renew one: log in at CutX and put the new token into the connection's password."


def ends_at(token: str) -> pendulum.DateTime | None:
    """Return when *token* ends; None for what is no JWT or names no end. Never raises."""
    claims = _claims(token)
    end = claims.get("exp") if claims is not None else None
    if not isinstance(end, int | float) or isinstance(end, bool) or not 0 < end < 1e11 or not math.isfinite(end):
        return None
    return pendulum.from_timestamp(end)


def warning(key: str, now: float) -> str | None:
    """
    Return a sentence about a token that has ended or soon will.

    :param key: the token.
    :param now: Unix time.
    """
    end = ends_at(key)
    if end is None or end.timestamp() - now > SOON:
        return None
    if end.timestamp() <= now:
        return f"The token ended at {end.to_iso8601_string()}, so CutX refuses it. {_ADVICE}"
    hours = max(1, round((end.timestamp() - now) / 3600))
    return f"The token ends at {end.to_iso8601_string()}, in about {hours} h. {_ADVICE}"


def refusal(token: str, now: float) -> str | None:
    """
    Return a sentence that says why CutX may have refused *token*, where the token itself tells.

    :param token: the token.
    :param now: Unix time.
    """
    if _claims(token) is None:
        return (
            "The password does not look like CutX's token, which is a JWT: three parts joined by dots, the value of "
            "the cookie cutx_token."
        )
    end = ends_at(token)
    return warning(token, now) if end is not None and end.timestamp() <= now else None


def _claims(token: str) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        value = loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:  # not a JWT: it says nothing about itself
        return None
    return value if isinstance(value, dict) else None
