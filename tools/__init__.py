# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Scripts for developing this package; none of them is installed with it."""
