# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: `airflow adgen ...` where Airflow takes commands from providers, `python -m ...` everywhere."""
