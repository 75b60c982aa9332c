# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The campaign of the quickstart, as it stands: planned, made, and made again after a title has changed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.campaign import CampaignRig

if TYPE_CHECKING:
    import pytest

    from airflow_provider_adgen.sandbox import Sandbox

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "quickstart.md").read_text(encoding="utf-8")
STEP = PAGE.split("\n## 6. Your own catalogue\n")[1].split("\n## ")[0]
PUBLISHED = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}


def shown(language: str) -> str:
    """Return the block of the step in a language."""
    [text] = re.findall(rf"^```{language}\n(.*?)^```", STEP, re.MULTILINE | re.DOTALL)
    return str(text)


def test_the_steps_that_are_shown(
    sandbox: Sandbox, quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    campaign = CampaignRig(sandbox, monkeypatch, tmp_path)
    products, text = tmp_path / "products.csv", shown("text")
    code = shown("python").replace("/tmp/products.csv", str(products))  # noqa: S108 - what the page says
    code = code.replace("/tmp/ads/my_campaign", campaign.place)  # noqa: S108 - what the page says
    assert code.count(str(tmp_path)) == 2

    def as_shown() -> Any:
        names: dict[str, Any] = {}
        exec(compile(code, "docs/quickstart.md", "exec"), names)  # noqa: S102 - our own documentation
        names["dag"].get_task("campaign.generate").poll_interval = 0.05
        return names["dag"]

    campaign.make_dag = as_shown
    products.write_text(text)
    states = campaign.go(params={"dry_run": True})
    assert (states["check"], states["plan"], states["generate"]) == ("success", "success", "skipped")
    assert [item["key"] for item in campaign.lines_of("items.jsonl")] == ["desk-lamp/hero/1x1", "mug/hero/1x1"]
    assert campaign.charges == []

    campaign.begin_run("second", None)
    assert campaign.go(params={"dry_run": False}) == PUBLISHED, campaign.errors
    assert len(campaign.charges) == 2
    for name in ("plan.json", "manifest.json", "gallery.html"):
        assert f"`{name}`" in STEP
        assert (tmp_path / "ads" / "second" / name).is_file()
    assert campaign.latest["run_id"] == "second"

    products.write_text(text.replace("Desk lamp", "Reading lamp"))
    campaign.begin_run("third", None)
    assert campaign.go(params={"dry_run": False}) == PUBLISHED, campaign.errors
    assert campaign.paid_prompts()[2:] == ["Product photo of Reading lamp by Lumo. Soft daylight."]
