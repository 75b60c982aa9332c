# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Campaigns: many creatives for many products."""

from __future__ import annotations

from airflow_provider_adgen.campaigns.results import read_results

__all__ = ["read_results"]
