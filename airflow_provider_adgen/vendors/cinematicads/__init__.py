# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds (https://cinematicads.studio): request, models, endpoints."""

from __future__ import annotations

from airflow_provider_adgen.vendors.cinematicads.models import (
    Analytics,
    BatchStatus,
    Brand,
    Health,
    KnowledgeItem,
    ModelsStatus,
    Project,
    Stats,
    WorkflowEvent,
)
from airflow_provider_adgen.vendors.cinematicads.requests import Models, Workflow
from airflow_provider_adgen.vendors.cinematicads.vendor import VENDOR

__all__ = [
    "VENDOR",
    "Analytics",
    "BatchStatus",
    "Brand",
    "Health",
    "KnowledgeItem",
    "Models",
    "ModelsStatus",
    "Project",
    "Stats",
    "Workflow",
    "WorkflowEvent",
]
