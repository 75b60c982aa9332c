# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark: what waiting costs, measured beside other providers. ``make bench`` runs it."""
