# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume (https://www.sume.so, public API v1): requests, models, endpoints."""

from __future__ import annotations

from airflow_provider_adgen.vendors.sume.models import (
    Asset,
    AssetUpload,
    Avatar,
    Brand,
    BrandImage,
    Job,
    KeyOwner,
    Upload,
    Uploaded,
)
from airflow_provider_adgen.vendors.sume.requests import AdVideo, FaceSwap, Image, ReferenceAnalysis, Video
from airflow_provider_adgen.vendors.sume.vendor import VENDOR

__all__ = [
    "VENDOR",
    "AdVideo",
    "Asset",
    "AssetUpload",
    "Avatar",
    "Brand",
    "BrandImage",
    "FaceSwap",
    "Image",
    "Job",
    "KeyOwner",
    "ReferenceAnalysis",
    "Upload",
    "Uploaded",
    "Video",
]
