# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo (https://www.adsumo.ai, API v1): requests, models, endpoints."""

from __future__ import annotations

from airflow_provider_adgen.vendors.adsumo.models import Avatar, Product, Voice, WebhookEvent
from airflow_provider_adgen.vendors.adsumo.requests import (
    AiVideo,
    ProductShots,
    TalkingAvatar,
    TemplateVideo,
    TextToImage,
    TextToSpeech,
)
from airflow_provider_adgen.vendors.adsumo.vendor import VENDOR

__all__ = [
    "VENDOR",
    "AiVideo",
    "Avatar",
    "Product",
    "ProductShots",
    "TalkingAvatar",
    "TemplateVideo",
    "TextToImage",
    "TextToSpeech",
    "Voice",
    "WebhookEvent",
]
