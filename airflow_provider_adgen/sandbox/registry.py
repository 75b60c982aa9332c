# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The vendors that the sandbox serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen.sandbox.adsumo.api import Adsumo
from airflow_provider_adgen.sandbox.cinematicads.api import CinematicAds
from airflow_provider_adgen.sandbox.cutx.api import CutX
from airflow_provider_adgen.sandbox.sume.api import Sume

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.frame.vendor import Vendor


def make_vendors() -> list[Vendor]:
    """Make one of each."""
    return [Adsumo(), CutX(), Sume(), CinematicAds()]
