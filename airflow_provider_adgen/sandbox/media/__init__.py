# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Real images, videos and sounds for the sandbox's results, and the storage host that serves them."""
