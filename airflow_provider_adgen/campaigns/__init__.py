# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a campaign over a product catalogue needs besides operators: reading the catalogue, writing the manifest."""
