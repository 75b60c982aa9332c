# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Airflow is told about Example Ads. Every Airflow component reads it when it starts: it imports nothing heavy."""

from __future__ import annotations

from typing import Any

from airflow_provider_adgen.get_provider_info import connection_type


def get_provider_info() -> dict[str, Any]:
    """Return the connection type and its form."""
    return {
        "package-name": "adgen-vendor-exampleads",
        "name": "Example Ads",
        "description": "Ads of Example Ads.",
        "versions": ["0.1.0"],
        "connection-types": [
            connection_type(
                "exampleads",
                title="Example Ads",
                hook="adgen_exampleads_airflow.ExampleAdsHook",
                key="exads_...",
                base_url="https://api.ads.example/v1",
            )
        ],
    }
