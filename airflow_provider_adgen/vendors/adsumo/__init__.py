# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo (https://www.adsumo.ai, API v1): its requests."""

from airflow_provider_adgen.vendors.adsumo.requests import (
    AiVideo,
    ProductShots,
    TalkingAvatar,
    TemplateVideo,
    TextToImage,
    TextToSpeech,
)
from airflow_provider_adgen.vendors.adsumo.vendor import VENDOR

__all__ = ["VENDOR", "AiVideo", "ProductShots", "TalkingAvatar", "TemplateVideo", "TextToImage", "TextToSpeech"]
