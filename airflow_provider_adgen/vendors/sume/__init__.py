# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume (https://www.sume.so, public API v1): its requests."""

from airflow_provider_adgen.vendors.sume.requests import AdVideo, FaceSwap, Image, ReferenceAnalysis, Video
from airflow_provider_adgen.vendors.sume.vendor import VENDOR

__all__ = ["VENDOR", "AdVideo", "FaceSwap", "Image", "ReferenceAnalysis", "Video"]
