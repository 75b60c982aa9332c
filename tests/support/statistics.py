# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Airflow's statistics, as a test reads them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen import compat

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest


class Statistics:
    """
    Stands for Airflow's statistics and keeps what it is told.

    :param patch: puts it in their place.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.counters: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}
        self.tags: dict[str, Mapping[str, str]] = {}
        patch.setattr(compat, "statistics", lambda: self)

    def incr(self, name: str, number: int, *, tags: Mapping[str, str]) -> None:
        self.counters[name] += number
        self.tags[name] = tags

    def gauge(self, name: str, value: float, *, tags: Mapping[str, str]) -> None:
        self.gauges[name] = value
        self.tags[name] = tags

    def timing(self, name: str, value: Any, *, tags: Mapping[str, str]) -> None:
        self.tags[name] = tags
