# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume's Public API v1 as documented at https://docs.sume.so (not its UGC 1.0 nor its sume.com platform API)."""
