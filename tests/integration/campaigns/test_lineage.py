# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What OpenLineage is told of a campaign: from the catalogue to what is published, without a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.campaign import CampaignRig

pytest.importorskip("airflow.providers.openlineage.extractors", exc_type=ImportError)


def told(campaign: CampaignRig, **arguments: Any) -> dict[str, tuple[list[str], list[str]]]:
    """Run a campaign; return the inputs and outputs that each step tells, below its folder."""
    tasks = campaign.tasks(**arguments)
    found = {}
    for name, task in tasks.items():
        campaign.step(name, task)
        tell = getattr(task, "get_openlineage_facets_on_complete", None)
        if tell is not None:
            lineage = tell(None)
            found[name] = tuple([_below(campaign, one) for one in many] for many in (lineage.inputs, lineage.outputs))
    return found


def _below(campaign: CampaignRig, dataset: Any) -> str:
    assert dataset.namespace == "file"
    return str(dataset.name).removeprefix(f"{campaign.folder}/")


def test_each_step_reads_what_another_one_stored(campaign: CampaignRig) -> None:
    found = told(campaign)
    results = "ads/weekly-1/_adgen/runs/spring/weekly-1/campaign%2Egenerate/-1/results.jsonl"
    run = "ads/weekly-1"
    assert found.keys() == {"plan", "generate", "draft", "publish"}
    assert found["plan"] == (["feed.jsonl"], [f"{run}/plan.json", f"{run}/items.jsonl"])
    inputs, outputs = found["generate"]
    assert inputs == [f"{run}/items.jsonl"]
    assert (outputs[0], len(outputs)) == (results, 4)
    assert found["draft"] == ([results], [f"{run}/manifest.json", f"{run}/gallery.html"])
    assert found["publish"] == ([results, f"{run}/manifest.json"], ["ads/latest.json"])


def test_an_approval_writes_manifest_and_gallery_again(campaign: CampaignRig) -> None:
    pytest.importorskip("airflow.sdk.execution_time.hitl", reason="Airflow asks people from 3.1 on")
    _, outputs = told(campaign, review=True)["publish"]
    assert outputs == ["ads/weekly-1/manifest.json", "ads/weekly-1/gallery.html", "ads/latest.json"]
