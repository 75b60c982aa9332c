# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The vendors that the sandbox serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.adsumo.api import Adsumo
from airflow_provider_adgen.sandbox.cinematicads.api import CinematicAds
from airflow_provider_adgen.sandbox.cutx.api import CutX
from airflow_provider_adgen.sandbox.engine import rules
from airflow_provider_adgen.sandbox.sume.api import Sume

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.vendor import Vendor


def default_settings() -> dict[str, dict[str, Any]]:
    """Return every setting with its default, by section."""
    return rules.default_settings(make_vendors())


def make_vendors() -> list[Vendor]:
    """Make one of each."""
    return [Adsumo(), CutX(), Sume(), CinematicAds()]
