# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: `airflow adgen ...` where Airflow supports commands of providers, `python -m ...` everywhere."""
