# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Keys that say themselves when they end."""

from __future__ import annotations

import base64
import json

_LATEST = 1e11


def token_end(key: str) -> float | None:
    """
    Return the Unix time at which a key ends, where it is a JSON Web Token with that claim; else None.

    Nothing is verified: the vendor decides what it accepts.

    :param key: the key.
    """
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    end = claims.get("exp") if isinstance(claims, dict) else None
    if not isinstance(end, int | float) or isinstance(end, bool) or not 0 < end < _LATEST:
        return None
    return float(end)
