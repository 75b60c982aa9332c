# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds (https://cinematicads.studio): its request."""

from airflow_provider_adgen.vendors.cinematicads.requests import Workflow
from airflow_provider_adgen.vendors.cinematicads.vendor import VENDOR

__all__ = ["VENDOR", "Workflow"]
