# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Finds a vendor by its name, in the entry point group ``airflow_provider_adgen.vendors``."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points

from airflow_provider_adgen.core.errors import NOTHING_SENT, InvalidRequest
from airflow_provider_adgen.core.vendor import Vendor

GROUP = "airflow_provider_adgen.vendors"


def vendor_names() -> list[str]:
    """Return the names of all registered vendors."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


@lru_cache(maxsize=64)
def get_vendor(name: str) -> Vendor:
    """
    Return the vendor registered under *name*, which is also its connection type.

    :raises InvalidRequest: none is registered under that name, or what is registered is not a vendor.
    """
    for entry in entry_points(group=GROUP, name=name):
        vendor = entry.load()
        if not isinstance(vendor, Vendor):
            raise InvalidRequest(f"The entry point {name!r} of group {GROUP} is not a Vendor.")
        return vendor
    known = ", ".join(vendor_names()) or "none"
    raise InvalidRequest(
        f"No AI-ad vendor is registered for connection type {name!r}; registered are: {known}.",
        advice=NOTHING_SENT,
    )
