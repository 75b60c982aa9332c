# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX (documented at https://cutx-docs.pages.dev): its requests."""

from airflow_provider_adgen.vendors.cutx.requests import Copy, StaticAd, Video
from airflow_provider_adgen.vendors.cutx.vendor import VENDOR

__all__ = ["VENDOR", "Copy", "StaticAd", "Video"]
