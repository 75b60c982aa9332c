# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Run whenever `adgen_campaign_refresh` has published, and write `upload.csv` beside its manifest.

That file lists the creatives that nobody has rejected, for an ad platform's bulk upload. It costs nothing.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_provider_adgen.campaigns import campaign_asset

with DAG(
    "adgen_campaign_follow", schedule=[campaign_asset("adgen_campaign_refresh")], doc_md=__doc__, tags=["adgen"]
) as dag:

    @task
    def list_creatives(triggering_asset_events: Any = None) -> dict[str, int]:
        """Return how many creatives each list has, by its path."""
        listed = {}
        for manifest in {one.extra["manifest"] for events in triggering_asset_events.values() for one in events}:
            path = ObjectStoragePath(manifest)
            items = json.loads(path.read_text(encoding="utf-8"))["items"]
            approved = [one for one in items if one["origin"] and one["approved"] is not False]
            rows = [(one["key"], creative["uri"]) for one in approved for creative in one["creatives"]]
            text = io.StringIO()
            csv.writer(text).writerows([("key", "file"), *rows])
            (path.parent / "upload.csv").write_text(text.getvalue(), encoding="utf-8")
            listed[str(path.parent / "upload.csv")] = len(rows)
        return listed

    list_creatives()
