# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A paid analysis is more than what goes through XCom: the whole of it is stored."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus
from airflow_provider_adgen.delivery.store import store_generation


def _text(uri: str) -> str:
    return Path(uri.removeprefix("file://")).read_text()


async def test_an_analysis_is_stored_whole_and_without_links(tmp_path: Path) -> None:
    said = {"hooks": ["look " * 2000], "source": "https://media.example.com/a?signature=1", "mood": "bright"}
    generation = Generation(vendor="sume", id="job_1", kind="analysis", status=GenerationStatus.COMPLETED, details=said)

    async def refetch() -> Generation:
        return generation

    stored = await store_generation(generation, str(tmp_path), refetch=refetch)

    (file,) = stored.creatives
    content = json.loads(_text(str(file.uri)))
    assert content["details"] == {"hooks": said["hooks"], "mood": "bright"}
    assert len(json.dumps(stored.to_xcom(urls=False)["details"])) < 4096
