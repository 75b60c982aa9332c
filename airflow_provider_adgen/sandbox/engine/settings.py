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
    # How many jobs an account may have running at once (429 beyond): a number, or a dictionary by account ("*" for the
    # rest). None: any number. Only Sume documents such a limit; at the others it is the sandbox's own.
    "active_limit": None,
    # The Retry-After of that 429 in seconds; None: none.
    "active_retry_after": None,
    # Real seconds that an answer is late for each request of the second before. Requests that are refused for their key
    # or their rate neither count nor wait.
    "slow_per_request": 0,
    # Real seconds that an answer is late for each job that the vendor has running, over all accounts.
    "slow_per_job": 0,
    # The most real seconds that these two together make an answer late.
    "slow_at_most": 10,
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
    # Whether all files of one form and ratio are the same: thousands of downloads then take no time to draw.
    "shared": False,
    # The minimum size of a file in bytes, to test large downloads.
    "min_bytes": 0,
}


class Settings:
    """Values by section ("media" or a vendor's name), with defaults.

    :param defaults: every section with every name it knows.
    """

    def __init__(self, defaults: Mapping[str, Mapping[str, Any]]) -> None:
        self._defaults = defaults
        self.clear()

    def clear(self) -> None:
        """Go back to the defaults."""
        self._values = {section: dict(values) for section, values in self._defaults.items()}

    def get(self, section: str, name: str) -> Any:
        """Return one value."""
        return self._values[section][name]

    def all(self) -> dict[str, dict[str, Any]]:
        """Return every value."""
        return self._values

    def update(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Change values. A dictionary is merged into the dictionary that was set before.

        :raises ValueError: for a section or a name that does not exist; nothing is changed then.
        """
        for section, names in values.items():
            if section not in self._values:
                raise ValueError(f"unknown section {section!r}; known are {', '.join(self._values)}")
            for name in names:
                if name not in self._values[section]:
                    known = ", ".join(sorted(self._values[section]))
                    raise ValueError(f"{section} has no setting {name!r}; it has {known}")
        for section, names in values.items():
            for name, value in names.items():
                old = self.get(section, name)
                both = isinstance(old, dict) and isinstance(value, Mapping)
                self._values[section][name] = {**old, **value} if both else value
