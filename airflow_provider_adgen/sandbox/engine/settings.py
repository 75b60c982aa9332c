# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Settings that a test may change while the sandbox runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Every vendor has these besides its own.
COMMON: dict[str, Any] = {
    # Seconds a job takes: a number, or a dictionary by job type ("*" for the rest). None: the vendor's typical
    # durations divided by the sandbox's speed.
    "job_seconds": None,
    # Class of endpoint -> [requests, seconds], or None for no limit; "*" stands for every class that is not named.
    "rate_limits": {},
    # The Retry-After of a rate limit: "seconds", "date" or "none".
    "retry_after": "seconds",
    # How many seconds a signed media link is valid; None for ever.
    "link_seconds": 3600,
    # Whether a body with a field that is not documented is refused (else it is ignored).
    "strict_fields": False,
}

MEDIA: dict[str, Any] = {
    # Host (or host:port) of media links. None: the other name of this machine than the request used
    # (localhost for 127.0.0.1 and the reverse), so that media come from a second host, as they do at a vendor.
    "host": None,
    # Whether Range requests are answered with a part; otherwise every download is whole.
    "ranges": True,
    # Whether an ETag is sent.
    "etag": True,
    # The minimum size of a file in bytes, to test large downloads.
    "min_bytes": 0,
}


class Settings:
    """Values by section ("media" or a vendor's name), with defaults.

    :param defaults: every section with every name it knows.
    """

    def __init__(self, defaults: Mapping[str, Mapping[str, Any]]) -> None:
        self._defaults = {section: dict(values) for section, values in defaults.items()}
        self._changed: dict[str, dict[str, Any]] = {}

    def get(self, section: str, name: str) -> Any:
        """Return one value."""
        changed = self._changed.get(section)
        if changed is not None and name in changed:
            return changed[name]
        return self._defaults[section][name]

    def update(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Change values. ``rate_limits`` and ``job_seconds`` dictionaries are merged into what was set before.

        :raises ValueError: for a section or a name that does not exist; nothing is changed then.
        """
        for section, names in values.items():
            if section not in self._defaults:
                raise ValueError(f"unknown section {section!r}; known are {', '.join(self._defaults)}")
            for name in names:
                if name not in self._defaults[section]:
                    known = ", ".join(sorted(self._defaults[section]))
                    raise ValueError(f"{section} has no setting {name!r}; it has {known}")
        for section, names in values.items():
            target = self._changed.setdefault(section, {})
            for name, value in names.items():
                old = self.get(section, name)
                both = isinstance(old, dict) and isinstance(value, Mapping)
                target[name] = {**old, **value} if both else value

    def changed(self) -> dict[str, dict[str, Any]]:
        """Return what differs from the defaults, to be kept over a restart."""
        return self._changed

    def all(self) -> dict[str, dict[str, Any]]:
        """Return every value."""
        return {section: {**names, **self._changed.get(section, {})} for section, names in self._defaults.items()}

    def clear(self) -> None:
        """Go back to the defaults."""
        self._changed.clear()
