# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo as documented at https://www.adsumo.ai/docs/api/v1."""
