# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX (documented at https://cutx-docs.pages.dev): requests, models, endpoints."""

from __future__ import annotations

from airflow_provider_adgen.vendors.cutx.models import Product, ProductImage, Project, User
from airflow_provider_adgen.vendors.cutx.requests import Copy, StaticAd, Video
from airflow_provider_adgen.vendors.cutx.vendor import VENDOR

__all__ = ["VENDOR", "Copy", "Product", "ProductImage", "Project", "StaticAd", "User", "Video"]
