# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A person approves a campaign: which answers count, and for what."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.campaigns import campaign_refresh
from airflow_provider_adgen.compat import TaskDeferred
from airflow_provider_adgen.core.errors import InvalidRequest
from tests.support.campaign import HERO
from tests.support.tasks import FakeStore

pytest.importorskip("airflow.sdk.execution_time.hitl", reason="Airflow asks people from 3.1 on")

if TYPE_CHECKING:
    from tests.conftest import Diary
    from tests.support.campaign import CampaignRig

ALL = {name: "success" for name in ("check", "plan", "generate", "draft", "review", "publish", "verdict")}
URL = "https://ads.example/spring/"


def approved(campaign: CampaignRig) -> dict[str, bool | None]:
    return {one["key"]: one["approved"] for one in campaign.manifest["items"]}


def test_what_a_person_approves_is_published(campaign: CampaignRig) -> None:
    assert campaign.go(review=True, gallery_url=URL, review_timeout=timedelta(days=2)) == ALL, campaign.errors
    [asked] = campaign.asked
    assert asked["options"] == ["Approve", "Reject"]
    assert "[Open the gallery](https://ads.example/spring/weekly-1/gallery.html)" in asked["body"]
    assert campaign.told("draft")["sha256"][:12] in asked["body"]
    assert (
        "Creatives: 3 completed.\n\nCredits of adsumo_default: 3 quoted, 3 charged (estimated), 0 refunded."
        in asked["body"]
    )
    assert list(asked["params"]) == ["reject_keys"]
    assert set(approved(campaign).values()) == {True}
    assert campaign.told("review")["by"] == "Ada"
    assert campaign.latest["run_id"] == "weekly-1"


def test_the_person_is_told_what_was_left_out(campaign: CampaignRig) -> None:
    path = campaign.folder / "feed.jsonl"
    path.write_text(f'{path.read_text()}{{"id": "P-9", "title": ""}}\n{{"id": "P-10", "title": "", "link": "no"}}\n')
    assert campaign.go(review=True, on_bad_row="skip") == ALL, campaign.errors
    [asked] = campaign.asked
    assert "Creatives: 3 completed; 2 rows of the catalogue were left out." in asked["body"]


def test_rejected_keys_stay_in_the_manifest_as_not_approved(campaign: CampaignRig, diary: Diary) -> None:
    campaign.approve("P-2/hero/1x1")
    assert campaign.go(review=True) == ALL, campaign.errors
    assert "The run ended well: 3 completed, 1 of them rejected." in diary.text()
    assert approved(campaign) == {"P-1/hero/1x1": True, "P-2/hero/1x1": False, "P-3/hero/1x1": True}


@pytest.mark.parametrize(("reuse", "paid"), [(True, 4), (False, 3)])
def test_a_clear_of_generate_pays_anew_for_what_was_rejected_where_creatives_are_reused(
    campaign: CampaignRig, reuse: bool, paid: int
) -> None:
    campaign.approve("P-2/hero/1x1")
    assert campaign.go(review=True, reuse=reuse) == ALL, campaign.errors
    campaign.approve()
    campaign.cleared("generate", "draft", "review", "publish", "verdict")
    assert campaign.go(review=True, reuse=reuse, begin="generate") == ALL, campaign.errors
    assert len(campaign.charges) == paid


@pytest.mark.parametrize("keys", [(), ("P-2/hero/1x1",)])
def test_a_draft_that_is_rejected_has_no_creative_that_is_approved(
    campaign: CampaignRig, keys: tuple[str, ...]
) -> None:
    campaign.approve(*keys, option="Reject")
    assert campaign.go(review=True, reuse=True, creative_events=True) == ALL | {"publish": "skipped"}, campaign.errors
    assert approved(campaign) == dict.fromkeys(("P-1/hero/1x1", "P-2/hero/1x1", "P-3/hero/1x1"), False)
    assert campaign.events == campaign.creative_events == []
    assert not (campaign.folder / "ads" / "latest.json").exists()


def test_a_creative_that_is_rejected_has_no_event(campaign: CampaignRig) -> None:
    campaign.approve("P-2/hero/1x1")
    assert campaign.go(review=True, creative_events=True) == ALL, campaign.errors
    assert [extra["key"] for _, extra in campaign.creative_events] == ["P-1/hero/1x1", "P-3/hero/1x1"]


def test_a_key_that_is_not_there_refuses(campaign: CampaignRig) -> None:
    campaign.approve("P-2/hero/1x1", "P-9/hero/1x1")
    states = campaign.go(review=True)
    assert states == ALL | {"review": "failed", "publish": "upstream_failed", "verdict": "failed"}
    assert "reject_keys names P-9/hero/1x1" in campaign.message("review")
    assert campaign.events == []
    assert set(approved(campaign).values()) == {None}


def test_what_is_rejected_is_not_published_and_the_run_is_over(campaign: CampaignRig) -> None:
    campaign.approve(option="Reject")
    assert campaign.go(review=True) == ALL | {"publish": "skipped"}
    assert campaign.events == []
    assert campaign.told("verdict")["published"] is False


def test_without_an_answer_nothing_is_published(campaign: CampaignRig) -> None:
    campaign.answer = {"error": "no answer", "error_type": "timeout"}
    states = campaign.go(review=True, review_timeout=5)
    assert states == ALL | {"review": "failed", "publish": "upstream_failed", "verdict": "failed"}
    assert "Nobody answered in time. Nothing is published." in campaign.message("review")
    assert campaign.message("verdict") == (
        "campaign.review did not end well: the creatives are made, and not published. Clear the task that failed, and "
        "those after it; what was made is not paid for again."
    )


def test_an_answer_does_not_count_if_the_results_changed_meanwhile(campaign: CampaignRig) -> None:
    campaign.sandbox.fail_next("adsumo", times=1)
    tasks = campaign.tasks(review=True)

    def make_what_is_missing() -> None:
        campaign.meanwhile = lambda: None
        campaign.cleared("generate")
        campaign.step("generate", tasks["generate"])

    campaign.meanwhile = make_what_is_missing
    states = campaign.go(review=True)
    assert states["review"] == "failed"
    assert "The results changed after somebody was asked" in campaign.message("review")
    assert campaign.events == []


def test_an_approval_is_for_one_draft(campaign: CampaignRig) -> None:
    campaign.sandbox.fail_next("adsumo", times=1)
    campaign.go(review=True)
    assert len(campaign.events) == 1
    campaign.cleared("generate", "draft", "publish")
    tasks = campaign.tasks(review=True)
    campaign.step("generate", tasks["generate"])
    campaign.step("draft", tasks["draft"])
    with pytest.raises(Exception, match="The approval is for another draft than the one"):
        campaign.step("publish", tasks["publish"])
    assert len(campaign.events) == 1
    assert campaign.go(begin="review", review=True) == ALL, campaign.errors
    assert len(campaign.events) == 2


def test_a_retry_waits_for_the_answer_to_the_question_that_stands(campaign: CampaignRig) -> None:
    from airflow.providers.standard.triggers.hitl import HITLTrigger

    campaign.store = FakeStore()
    assert campaign.go(review=True) == ALL, campaign.errors
    assert len(campaign.asked) == 1
    tasks = campaign.tasks(review=True)

    campaign.step("review", tasks["review"])
    assert len(campaign.asked) == 1, "asking again would take the answer away"
    [_, wait] = campaign.waits
    assert isinstance(wait, TaskDeferred)
    assert isinstance(wait.trigger, HITLTrigger)
    assert campaign.told("review")["approved"] is True

    campaign.cleared("review")
    campaign.step("review", tasks["review"])
    assert len(campaign.asked) == 2, "after a clear somebody is asked again"


def test_a_retry_asks_again_if_the_draft_is_another_one(campaign: CampaignRig) -> None:
    campaign.store = FakeStore()
    campaign.sandbox.fail_next("adsumo", times=1)
    campaign.go(review=True)
    tasks = campaign.tasks(review=True)
    campaign.cleared("generate", "draft")
    campaign.step("generate", tasks["generate"])
    campaign.step("draft", tasks["draft"])
    campaign.step("review", tasks["review"])
    assert len(campaign.asked) == 2


def test_a_review_has_retries_whatever_the_dag_says(campaign: CampaignRig) -> None:
    assert campaign.tasks(review=True)["review"].retries == 5
    with DAG("careful", schedule=None, default_args={"retries": 0, "retry_delay": timedelta(minutes=2)}) as dag:
        campaign_refresh(
            catalogue="feed.csv", briefs=[HERO], accounts=["adsumo_default"], destination=campaign.place, review=True
        )
    review = dag.get_task("campaign.review")
    assert (review.retries, review.retry_delay) == (5, timedelta(minutes=2))
    assert dag.get_task("campaign.generate").retries == 0


def test_an_answer_that_airflow_does_not_take_is_not_asked_for_again(campaign: CampaignRig) -> None:
    campaign.answer = {"error": "reject_keys: no list", "error_type": "validation"}
    states = campaign.go(review=True)
    assert states["review"] == "failed"
    assert "The answer cannot be used: reject_keys: no list." in campaign.message("review")


def test_a_dry_run_asks_nobody(campaign: CampaignRig) -> None:
    states = campaign.go(review=True, dry_run=True)
    assert (states["review"], states["verdict"]) == ("skipped", "skipped")
    assert campaign.asked == []


def test_an_airflow_without_such_a_page_refuses_the_dag(campaign: CampaignRig, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "airflow_provider_adgen.campaigns.reviewing", None)
    with pytest.raises(InvalidRequest, match="review=True needs Airflow"):
        campaign.tasks(review=True)
