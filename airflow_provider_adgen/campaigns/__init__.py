# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Helpers for a campaign over a product catalogue: reading the catalogue, writing the manifest."""
