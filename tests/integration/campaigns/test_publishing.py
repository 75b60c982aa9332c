# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which run is the latest one, however late and however many at once are published."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import creative_asset, latest, publishing
from airflow_provider_adgen.campaigns.latest import Latest, marker_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.campaign import CampaignRig


def entry(run_id: str, moment: str = "2026-01-05T00:00:00+00:00") -> dict[str, str]:
    return {"run_id": run_id, "logical_date": moment, "manifest": f"file:///ads/{run_id}/manifest.json"}


def test_an_older_run_does_not_replace_a_newer_one(campaign: CampaignRig) -> None:
    campaign.begin_run("new", datetime(2026, 1, 12, tzinfo=UTC))
    campaign.go()
    assert campaign.told("publish")["latest"] is True
    campaign.begin_run("old", datetime(2026, 1, 5, tzinfo=UTC))
    assert campaign.go()["verdict"] == "success"
    assert campaign.told("publish")["latest"] is False
    assert campaign.latest["run_id"] == "new"
    assert [event["run_id"] for event in campaign.events] == ["new", "old"], "each publication is an event"


def test_each_creative_has_an_event_of_its_own_if_that_is_wanted(campaign: CampaignRig) -> None:
    campaign.go(reuse=True)
    assert campaign.creative_events == []
    campaign.begin_run("weekly-2", datetime(2026, 1, 12, tzinfo=UTC))
    campaign.feed("Lamp", "Armchair", "Table")
    campaign.go(reuse=True, creative_events=True)
    assert {name for name, _ in campaign.creative_events} == {"adgen_creatives.spring.campaign"}
    told = [extra for _, extra in campaign.creative_events]
    assert [(one["key"], one["origin"]) for one in told] == [
        ("P-2/hero/1x1", "made"),
        ("P-1/hero/1x1", "reused"),
        ("P-3/hero/1x1", "reused"),
    ]
    files = {one["key"]: one["creatives"][0]["uri"] for one in campaign.manifest["items"]}
    assert {one["key"]: one["uri"] for one in told} == files
    assert told[0]["manifest"] == campaign.latest["manifest"]
    assert campaign.events[-1]["counts"] == {"completed": 1, "reused": 2}, "the manifest has its event all the same"


def test_at_most_100_creatives_have_an_event_and_the_log_says_so(
    campaign: CampaignRig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert publishing.MOST_EVENTS == 100
    monkeypatch.setattr(publishing, "MOST_EVENTS", 2)
    campaign.go(creative_events=True)
    assert len(campaign.creative_events) == 2
    told = capsys.readouterr().out + caplog.text  # Airflow 3.0 logs with the standard library
    assert "2 of 3 creatives have an event of their own" in told


def test_airflow_takes_the_events_of_creatives(campaign: CampaignRig) -> None:
    """Its own class takes several events of one asset; Airflow 3.0 keeps only extras whose values it can hash."""
    context = pytest.importorskip("airflow.sdk.execution_time.context")
    campaign.go(creative_events=True)
    publish = campaign.tasks(creative_events=True)["publish"]
    assert [one.name for one in publish.outlets] == [
        "adgen_campaign.spring.campaign",
        "adgen_creatives.spring.campaign",
    ]
    accessor = context.OutletEventAccessors()[publish.outlets[1]]
    for _, extra in campaign.creative_events:
        accessor.add(creative_asset("spring"), extra=extra)
    assert len({frozenset(one.extra.items()) for one in accessor.asset_alias_events}) == 3
    assert {one.dest_asset_key.name for one in accessor.asset_alias_events} == {"adgen_creatives.spring.campaign"}


def test_a_run_without_a_logical_date_counts_by_when_it_was_to_run(campaign: CampaignRig) -> None:
    campaign.go()
    campaign.begin_run("by-hand", None)
    campaign.go()
    assert campaign.latest["run_id"] == "by-hand"
    assert campaign.latest["logical_date"] == "2026-02-01T00:00:00+00:00"


def test_a_newer_run_that_publishes_in_between_stays_on_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = entry("old"), entry("new", "2026-01-12T00:00:00+00:00")
    write = latest.create_object
    written: list[str] = []

    def interrupted(fs: Any, folder: str, name: str, text: bytes) -> None:
        if name == latest.LATEST and not written:
            written.append(name)
            assert Latest(str(tmp_path)).publish(new) == new
        write(fs, folder, name, text)

    monkeypatch.setattr(latest, "create_object", interrupted)
    assert Latest(str(tmp_path)).publish(old) == new
    assert '"new"' in (tmp_path / "latest.json").read_text()


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    assert Latest(f"file://{tmp_path}").publish(entry("one")) == Latest(f"file://{tmp_path}/").publish(entry("one"))
    assert len(list((tmp_path / "_adgen" / "published").iterdir())) == 1


def test_a_storage_that_fails_is_said_without_a_guess(tmp_path: Path) -> None:
    (tmp_path / "_adgen").write_text("not a folder")
    with pytest.raises(Exception, match=r"could not be published to .* Nothing was charged; a retry publishes again\."):
        Latest(str(tmp_path)).publish(entry("one"))


def test_markers_sort_by_time_and_not_by_text() -> None:
    earlier = marker_name(entry("b", "2026-01-05T23:30:00+00:00"))
    later = marker_name(entry("a", "2026-01-05T22:31:00-02:00"))
    assert earlier < later
    assert marker_name(entry("b", "1969-12-31T00:00:00+00:00")) < earlier
