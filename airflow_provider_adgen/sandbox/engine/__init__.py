# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the four vendors' sandboxes share: accounts, credits, jobs over time, faults, rate limits, links and storage."""
