# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m airflow_provider_adgen ledger show ...``: the commands, for an Airflow without commands of providers."""

from __future__ import annotations

from airflow_provider_adgen.cli.definition import main

if __name__ == "__main__":
    main()
