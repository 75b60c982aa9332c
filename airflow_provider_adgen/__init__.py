# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""An Apache Airflow provider for AI ad generation at Adsumo, CutX, Sume and CinematicAds."""

from __future__ import annotations

from airflow_provider_adgen.core.version import VERSION

__version__ = VERSION
