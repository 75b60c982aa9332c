# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What ``python -m tools.generate_docs`` is made of: each module makes the text of one subject from the code."""
