# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the page about moving to a campaign shows, as it stands: each step, and the import of what is paid for."""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import build_manifest
from airflow_provider_adgen.campaigns.manifest import manifest_text, result_of
from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator
from airflow_provider_adgen.operators.batch import GenerateBatchOperator
from airflow_provider_adgen.operators.generate import GenerateOperator
from tests.support.tasks import run_task, task_context

if TYPE_CHECKING:
    from tests.support.campaign import CampaignRig

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "migration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ALL = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}
KEYS = ["P-1/hero/1x1", "P-2/hero/1x1", "P-3/hero/1x1"]


class Team:
    """The team of the page: its DAGs as they are shown, but for the places."""

    def __init__(self, campaign: CampaignRig) -> None:
        self.campaign = campaign
        campaign.make_dag = self.spring

    def names(self, *marks: str) -> dict[str, Any]:
        """Run the blocks that hold *marks*, one after the other; return the names that they define."""
        found: dict[str, Any] = {}
        places = {
            "s3://aws_default@shop/feed.csv": self.campaign.catalogue,
            "s3://aws_default@ads/spring": self.campaign.place,
            "s3://aws_default@ads/lamps/{{ run_id }}": f"file://{self.campaign.folder}/lamps",
        }
        for mark in marks:
            [text] = [block for block in BLOCKS if mark in block]
            for shown, here in places.items():
                text = text.replace(shown, here)
            exec(compile(text, "migration.md", "exec"), found)  # noqa: S102 - our own documentation
        return found

    def mapped(self, **more: Any) -> list[dict[str, Any]]:
        """Run the mapped tasks of the first DAG; return what they return."""
        dag = self.names('DAG("lamps"')["dag"]
        fixed = {**dag.get_task("make_image").partial_kwargs, "deferrable": False, "poll_interval": 0.05, **more}
        made = []
        for number, arguments in enumerate(dag.get_task("plan").python_callable()):
            task = AdsumoTextToImageOperator(**{**fixed, "task_id": f"image-{number}"}, **arguments)
            made.append(run_task(task, task_context(task_id=task.task_id), passing=self.campaign.clock.move))
        return made

    def spring(self) -> Any:
        dag = self.names('DAG("spring"')["dag"]
        dag.get_task("campaign.generate").poll_interval = 0.05
        return dag

    def go(self, run_id: str, *, dry: bool = False, limit: int | None = None) -> dict[str, str]:
        """Trigger the campaign with its params."""
        self.campaign.begin_run(run_id, None)
        return self.campaign.go(params={"dry_run": dry, "limit": limit})

    def import_them(self, paid: dict[str, Any], *, conn_id: str = "adsumo_default") -> None:
        names = self.names("def import_creatives")
        items = self.campaign.lines_of("items.jsonl")
        library = f"{self.campaign.place}/_adgen/library"
        names["import_creatives"](library, items, paid, conn_id, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def team(campaign: CampaignRig) -> Team:
    return Team(campaign)


def test_a_campaign_reuses_what_the_batch_of_step_two_has_made(team: Team, campaign: CampaignRig) -> None:
    dag = team.names('DAG("lamps_in_a_batch"')["dag"]
    batch = dag.get_task("make_images")
    batch.items, batch.poll_interval = dag.get_task("plan").python_callable(), 0.05
    context = task_context(dag_id="lamps_in_a_batch", task_id="make_images")
    assert run_task(batch, context, passing=campaign.clock.move)["counts"]["completed"] == 3
    assert team.go("weekly-1") == ALL, campaign.errors
    assert len(campaign.charges) == 3
    assert [(line["key"], line["status"]) for line in campaign.lines_of_run()] == [(key, "reused") for key in KEYS]


def test_a_campaign_does_not_find_what_mapped_operators_have_made(team: Team, campaign: CampaignRig) -> None:
    team.mapped()
    assert team.go("weekly-1") == ALL, campaign.errors
    assert len(campaign.charges) == 6


def test_the_rollout_pays_for_each_creative_once(team: Team, campaign: CampaignRig) -> None:
    campaign.feed("Lamp", "Chair", "Table", "Sofa", "Shelf")
    dry = team.go("dry", dry=True)
    assert (dry["plan"], dry["generate"], dry["verdict"]) == ("success", "skipped", "skipped")
    assert {"accounts", "passed_over", "catalogue"} <= set(campaign.plan)
    assert campaign.charges == []
    assert team.go("first", limit=3) == ALL, campaign.errors
    assert len(campaign.charges) == 3
    assert team.go("all") == ALL, campaign.errors
    assert len(campaign.charges) == 5


def test_what_mapped_operators_have_made_can_be_imported(team: Team, campaign: CampaignRig) -> None:
    made = team.mapped()
    team.go("dry", dry=True)
    team.import_them(dict(zip(KEYS[:2], made, strict=False)))
    team.go("dry-again", dry=True)
    planned = {one["key"]: (one["reused"], one["credits"]) for one in campaign.plan["items"]}
    assert planned == {KEYS[0]: (True, 0), KEYS[1]: (True, 0), KEYS[2]: (False, 1)}
    assert team.go("weekly-1") == ALL, campaign.errors
    assert len(campaign.charges) == 4
    shown = {one["key"]: one for one in campaign.manifest["items"]}
    assert [shown[key]["origin"] for key in KEYS] == ["reused", "reused", "made"]
    assert shown[KEYS[0]]["creatives"][0]["uri"] == made[0]["creatives"][0]["uri"]


def test_an_import_may_be_repeated_and_is_of_one_account(team: Team, campaign: CampaignRig) -> None:
    made = team.mapped()
    team.go("dry", dry=True)
    team.import_them(dict(zip(KEYS, made, strict=True)), conn_id="sume_default")
    team.go("other", dry=True)
    assert campaign.told("plan")["reused"] == 0
    for _ in range(2):
        team.import_them(dict(zip(KEYS, made, strict=True)))
    team.go("mine", dry=True)
    assert campaign.told("plan")["reused"] == 3


def test_what_was_never_stored_is_refused(team: Team, campaign: CampaignRig) -> None:
    made = team.mapped(destination=None)
    team.go("dry", dry=True)
    with pytest.raises(DownloadError, match="has no stored result"):
        team.import_them(dict(zip(KEYS, made, strict=True)))


def test_the_task_that_imports_from_a_manifest(team: Team, campaign: CampaignRig, tmp_path: Path) -> None:
    made = team.mapped()
    items = [
        {"key": f"P-{number}/image", "choices": [{"conn_id": "adsumo_default", "request": {}}]} for number in (1, 2, 3)
    ]
    results = [result_of(item, one) for item, one in zip(items, [*made[:2], None], strict=True)]
    old = tmp_path / "manifest.json"
    old.write_text(manifest_text(build_manifest({}, items, results)), encoding="utf-8")
    team.go("dry", dry=True)
    dag = team.names("def import_creatives", 'DAG("import_lamps"')["dag"]
    params = {"items": f"{campaign.place}/dry/items.jsonl", "manifest": f"file://{old}"}
    dag.get_task("import_once").python_callable(params=params)
    assert team.go("weekly-1") == ALL, campaign.errors
    assert len(campaign.charges) == 4
    assert [json.loads(line)["key"] for line in (tmp_path / "ads/dry/items.jsonl").read_text().splitlines()] == KEYS


def test_the_defaults_after_a_clear_are_as_the_page_says() -> None:
    for operator, default in ((GenerateOperator, "fresh"), (GenerateBatchOperator, "missing")):
        assert inspect.signature(operator).parameters["on_clear"].default == default
        assert f'`on_clear="{default}"`' in PAGE
