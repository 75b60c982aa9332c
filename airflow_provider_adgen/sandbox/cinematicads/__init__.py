# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds as documented at https://cinematicads.studio/en/api-docs."""
