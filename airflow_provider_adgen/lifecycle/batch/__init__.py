# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Many paid generations in one task; each of them lives as :mod:`airflow_provider_adgen.lifecycle.generation` says."""
