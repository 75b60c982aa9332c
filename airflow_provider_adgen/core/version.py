# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The version, in a module that imports nothing."""

VERSION = "0.1.0"
