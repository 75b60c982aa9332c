# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo shows: a campaign in which something goes wrong, and its next run after one product has changed."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.ledger.stores import item_folder
from tools.demo_report import say_credits
from tools.demo_stage import say
from tools.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tools.airflow_api import Run
    from tools.demo_stage import Ended, Stage

EXAMPLES = ROOT / "example_dags"
CAMPAIGN = "adgen_campaign_refresh"
CATALOGUE = "adgen_campaign_catalogue.csv"

REFUSED = "mug"
"""Adsumo refuses what mentions it: one product."""

CHANGED = ("LMP-014", "Halden desk lamp", "Halden reading lamp")
"""The product that changes between the runs: its id, its title, and its new title."""


@dataclass(frozen=True)
class Shown:
    """
    A run of the campaign.

    :param ended: the run and its cost.
    :param manifest: what it made.
    :param gallery: the page that shows it.
    """

    ended: Ended
    manifest: dict[str, Any]
    gallery: Path

    def keys(self, origin: str | None) -> set[str]:
        """Return the keys of what was ``made``, of what was ``reused``, or of what is missing (None)."""
        return {one["key"] for one in self.manifest["items"] if one["origin"] == origin}

    @property
    def told(self) -> dict[str, int]:
        """What the manifest and the gallery say that each vendor has charged, less refunds."""
        return {name: one["charged"] - one["refunded"] for name, one in self._costs.items()}

    @property
    def estimated(self) -> dict[str, int]:
        """The part of that which is a price, because the vendor does not tell what it charges."""
        return {name: one["estimated"] for name, one in self._costs.items()}

    @property
    def _costs(self) -> dict[str, dict[str, int]]:
        return {name.removesuffix("_default"): one for name, one in self.manifest["credits"].items()}

    @property
    def rejected(self) -> set[str]:
        """The keys that a person rejected."""
        return {one["key"] for one in self.manifest["items"] if one["approved"] is False}


def reviewed_examples(folder: Path) -> Path:
    """Copy the examples to a folder, the campaign with a review; return the folder."""
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / f"{CAMPAIGN}.py"
    file.write_text(file.read_text(encoding="utf-8").replace("review=False", "review=True"), encoding="utf-8")
    return folder


def show_campaign(stage: Stage) -> bool:
    """Run the campaign twice and say what came of it; return whether all of it is as it is meant to be."""
    catalogue = stage.home / CATALOGUE
    text = (EXAMPLES / CATALOGUE).read_text(encoding="utf-8")
    catalogue.write_text(text, encoding="utf-8")
    stage.sandbox.fault(
        "status", "adsumo", method="POST", status=400, contains=REFUSED, times=-1, message="This is not allowed in ads."
    )
    stage.sandbox.fail_next("sume", type="video_generation", message="The video could not be rendered.")

    say("First run: an image and a video of each of 4 products, for at most 50 credits of Adsumo and 100 of Sume.")
    say(f"Adsumo is going to refuse the {REFUSED}, and one job of Sume is going to fail.")
    first = _run(stage, "first", catalogue, fails={"campaign.generate", "campaign.verdict"})
    if first is None:
        return False
    say("  The run is red, and has to be: a creative is missing. What has a result is kept.\n")
    _say_troubles(first)

    product, old, new = CHANGED
    catalogue.write_text(text.replace(old, new), encoding="utf-8")
    say(f"\nSecond run: in the catalogue, {old!r} is now {new!r}.")
    second = _run(stage, "second", catalogue, fails=set())
    if second is None:
        return False
    made = second.keys("made")
    changed = {one["key"] for one in second.manifest["items"] if one["product"]["id"] == product}
    missing, rejected = first.keys(None) - changed, first.rejected - changed
    for keys, why in ((changed, "its product has changed"), (missing, "it was missing"), (rejected, "it was rejected")):
        for key in sorted(keys & made):
            say(f"  Paid for, because {why}: {key}")
    say(f"  Used again, for nothing: the other {len(second.keys('reused'))} creatives.\n")
    wrong = made ^ (changed | missing | rejected)
    if wrong:
        say(f"  Something else than that was paid for, or not made. It is about {', '.join(sorted(wrong))}.")
    good = stage.ledgers_agree() and not wrong
    for name, one in (("First", first), ("Second", second)):
        agrees = one.told == one.ended.paid
        good = good and agrees
        say(f"\n  {name} run  {say_credits(one.ended.paid)}")
        say(f"    The gallery {'agrees' if agrees else 'does NOT agree'}: {say_credits(one.told, one.estimated)}.")
        say(f"    {one.gallery.as_uri()}")
    return good


def _run(stage: Stage, run_id: str, catalogue: Path, *, fails: set[str]) -> Shown | None:
    """Run the campaign; return None where other tasks fail than are meant to, after saying so."""
    conf = {"catalogue": str(catalogue), "destination": f"file://{stage.creatives}"}
    folder = stage.creatives / run_id

    def ask(run: Run, task_id: str) -> None:
        say(f"\n  The run waits until somebody has looked at {(folder / 'gallery.html').as_uri()}")
        say("  and has chosen Approve or Reject here (no login is needed):")
        say(f"    {stage.airflow.base_url}/dags/{run.dag_id}/runs/{run_id}/tasks/{task_id}/required_actions")
        say("  What is named under 'Keys to reject' is made again by the next run.\n")

    ended = stage.run(CAMPAIGN, run_id, conf, when_asked=ask)
    if {one["task_id"] for one in ended.run.tasks() if one["state"] == "failed"} != fails:
        stage.say_failures(ended)
        return None
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return Shown(ended, manifest, folder / "gallery.html")


def _say_troubles(shown: Shown) -> None:
    """Say what was refused and what failed, and why."""
    refusals = {
        parts[-1]: attempt.reason
        for parts, record in shown.ended.records.found.items()
        for attempt in record.attempts
        if attempt.phase == "withdrawn"
    }
    for one in shown.manifest["items"]:
        said = f"{one['key']} ({one['product']['title']})"
        if one["origin"] is None:
            say(f"  {one['status'].capitalize()}: {said}. {one['reason']}")
        elif item_folder(one["key"]) in refusals:
            say(f"  Moved to {get_vendor(one['vendor']).title}: {said}. {refusals[item_folder(one['key'])]}")
