# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The formats of product feeds: each module reads one thing, and ``campaigns.catalogue`` puts them together."""
