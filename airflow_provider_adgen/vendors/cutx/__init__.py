# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX: requests, models, endpoints."""

from __future__ import annotations

from airflow_provider_adgen.vendors.cutx.models import Product, Project, User
from airflow_provider_adgen.vendors.cutx.requests import Copy, StaticAd, Video
from airflow_provider_adgen.vendors.cutx.vendor import VENDOR

__all__ = ["VENDOR", "Copy", "Product", "Project", "StaticAd", "User", "Video"]
