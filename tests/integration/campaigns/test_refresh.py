# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Campaigns from check to verdict, at the sandbox: what is made, paid, shown and published, and what turns red."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import Brief, run_folder
from airflow_provider_adgen.campaigns.made import Made
from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError
from tests.support.campaign import HERO

if TYPE_CHECKING:
    from tests.conftest import Diary
    from tests.support.campaign import CampaignRig

ALL = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}
MADE_NOTHING = dict.fromkeys(("generate", "draft", "publish", "verdict"), "skipped")
TWO = {"accounts": ["adsumo_default", "sume_default"]}


def test_a_campaign_makes_shows_and_publishes(campaign: CampaignRig, diary: Diary) -> None:
    assert campaign.go(max_credits=10) == ALL, campaign.errors
    assert len(campaign.charges) == 3
    assert "P-1/hero/1x1: Stored Creative 0 of adsumo job " in diary.text()
    assert [one["status"] for one in campaign.lines_of_run()] == ["completed"] * 3
    assert [one["key"] for one in campaign.manifest["items"]] == ["P-1/hero/1x1", "P-2/hero/1x1", "P-3/hero/1x1"]
    entry = {
        "run_id": "weekly-1",
        "logical_date": "2026-01-05T00:00:00+00:00",
        "manifest": f"{campaign.place}/weekly-1/manifest.json",
    }
    assert campaign.latest == entry
    assert campaign.events == [{**entry, "counts": {"completed": 3}}]
    assert campaign.plan["accounts"][0]["credits"] == 3


def test_titles_are_text_and_no_templates(campaign: CampaignRig) -> None:
    campaign.feed("{{ 6 * 7 }} {{ conn.adsumo_default.password }}")
    assert campaign.go() == ALL, campaign.errors
    assert campaign.paid_prompts() == ["A photo of {{ 6 * 7 }} {{ conn.adsumo_default.password }}."]


def test_what_is_missing_turns_the_run_red_and_what_there_is_is_published(campaign: CampaignRig) -> None:
    campaign.sandbox.fail_next("adsumo", times=1)
    states = campaign.go()
    assert states == ALL | {"generate": "failed", "verdict": "failed"}
    assert "campaign.generate did not end well: creatives are missing. What has a result is" in campaign.message(
        "verdict"
    )
    assert sorted(one["status"] for one in campaign.manifest["items"]) == ["completed", "completed", "failed"]
    assert campaign.latest["run_id"] == "weekly-1"
    [failed] = [one for one in campaign.lines_of_run() if one["status"] == "failed"]
    _, second, last = campaign.message("verdict").split("\n")
    assert second == f"{failed['key']} (failed): {failed['reason'].splitlines()[0]}"
    assert "results.jsonl, say which and why. Clear it to make what is missing." in last
    assert "pays anew for what failed, and with reuse for what a person rejected; other results are kept." in last

    campaign.cleared("generate", "draft", "publish", "verdict")
    assert campaign.go(begin="generate") == ALL, campaign.errors
    assert len(campaign.charges) == 4, "only what failed is paid for again"
    assert [event["counts"] for event in campaign.events] == [{"completed": 2, "failed": 1}, {"completed": 3}]


def test_a_red_verdict_names_the_first_items_and_what_was_left_out(campaign: CampaignRig) -> None:
    campaign.feed(*"ABCDEFGH")
    path = campaign.folder / "feed.jsonl"
    path.write_text(f'{path.read_text()}{{"id": "P-9", "title": "", "link": "no"}}\n')
    campaign.sandbox.fail_next("adsumo", times=8)
    states = campaign.go(on_bad_row="skip", on_over_budget="trim", max_credits=7)
    assert states["verdict"] == "failed"
    lines = campaign.message("verdict").split("\n")
    assert lines[0] == "campaign.generate did not end well: creatives are missing."
    assert lines[1] == (
        "1 row of the catalogue was left out; 1 creative did not fit into max_credits and was left out."
    )
    assert [line.partition(" ")[0] for line in lines[2:7]] == [f"P-{number}/hero/1x1" for number in range(1, 6)]
    assert lines[7] == "and 2 more items"


def test_a_verdict_without_readable_results_says_so(campaign: CampaignRig, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign.sandbox.fail_next("adsumo", times=3)
    assert campaign.go()["generate"] == "failed"
    monkeypatch.setattr(run_folder, "read_items", _out_of_order)
    campaign.go(begin="verdict")
    assert "creatives are missing.\nWhich, cannot be said here: The storage is down." in campaign.message("verdict")


def test_what_an_earlier_try_left_does_not_hide_a_failure_after_a_clear(campaign: CampaignRig) -> None:
    assert campaign.go() == ALL, campaign.errors
    (campaign.folder / "feed.jsonl").write_text("no feed\n")
    campaign.cleared(*ALL)
    states = campaign.go()
    left_out = {"generate": "upstream_failed", "draft": "skipped", "publish": "skipped"}
    assert states == ALL | {"plan": "failed", "verdict": "failed"} | left_out
    assert "campaign.plan failed, so nothing was made and nothing was charged in this try." in campaign.message(
        "verdict"
    )
    assert len(campaign.events) == 1


def test_a_draft_that_cannot_be_written_after_a_clear_turns_the_run_red(
    campaign: CampaignRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert campaign.go() == ALL, campaign.errors

    def full(*_given: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Made, "write", full)
    campaign.cleared("generate", "draft", "publish", "verdict")
    states = campaign.go(begin="generate")
    assert states == ALL | {"draft": "failed", "publish": "upstream_failed", "verdict": "failed"}
    assert campaign.message("verdict").startswith("campaign.draft did not end well.")


def test_what_earlier_tries_made_is_published_although_the_last_one_could_not_begin(
    campaign: CampaignRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow deletes the XComs of a try when the next one begins."""
    campaign.sandbox.fail_next("adsumo", times=1)
    tasks = campaign.tasks()
    for name in ("check", "plan"):
        campaign.step(name, tasks[name])
    with pytest.raises(AirflowFailException):
        campaign.step("generate", tasks["generate"])
    with monkeypatch.context() as storage:
        storage.setattr(run_folder, "read_json", _out_of_order)
        with pytest.raises(AdGenError, match="storage is down"):
            campaign.step("generate", campaign.tasks()["generate"])
    campaign.states["generate"] = "failed"
    states = campaign.go(begin="draft")
    assert states == ALL | {"generate": "failed", "verdict": "failed"}
    assert sorted(one["status"] for one in campaign.manifest["items"]) == ["completed", "completed", "failed"]
    assert "What has a result is published." in campaign.message("verdict")
    assert len(campaign.events) == 1


def _out_of_order(_uri: str) -> None:
    raise AdGenError("The storage is down.")


def items_of_my_own(campaign: CampaignRig, items: Any) -> dict[str, str]:
    """Run a campaign whose DAG says in place of the task plan what is to be made."""
    tasks = campaign.tasks()
    campaign.step("check", tasks["check"])
    campaign.states["plan"] = "success"
    generate = tasks["generate"]
    generate.items, generate.plan = items, None
    with suppress(AdGenError, AirflowFailException):
        campaign.step("generate", generate)
    campaign.states.setdefault("generate", "failed")
    return campaign.go(begin="draft")


def test_a_list_of_items_takes_the_place_of_the_plan(campaign: CampaignRig) -> None:
    request = {"kind": "text-to-image", "prompt": "A lamp {{ 6 * 7 }}", "model": "fast", "aspect_ratio": "1:1"}
    given = [
        {"key": "a", "choices": [{"conn_id": "adsumo_default", "request": request}], "meta": {"title": "A"}},
        {"key": "b", "conn_id": "adsumo_default", "request": request},
        {"conn_id": "adsumo_default", "request": {**request, "prompt": "No key"}},
    ]
    states = items_of_my_own(campaign, given)
    assert {name: states[name] for name in ("draft", "publish", "verdict")} == dict.fromkeys(
        ("draft", "publish", "verdict"), "success"
    ), campaign.errors
    assert sorted(campaign.paid_prompts()) == ["A lamp {{ 6 * 7 }}", "A lamp {{ 6 * 7 }}", "No key"]
    assert [one["key"] for one in campaign.manifest["items"]][:2] == ["a", "b"]
    assert campaign.manifest["totals"]["made"] == 3


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "items must be a list of dictionaries or the path of a JSONL file, not NoneType"),
        (7, "items must be a list of dictionaries or the path of a JSONL file, not int"),
        ({"key": "a"}, "an item is a dictionary with a request or choices"),
    ],
)
def test_what_is_no_list_of_items_is_refused(campaign: CampaignRig, given: Any, told: str) -> None:
    tasks = campaign.tasks()
    generate = tasks["generate"]
    generate.items, generate.plan = given, None
    with pytest.raises(AirflowFailException, match=told):
        campaign.step("generate", generate)


def test_where_nothing_has_a_result_nothing_is_published(campaign: CampaignRig) -> None:
    campaign.sandbox.fail_next("adsumo", times=3)
    states = campaign.go()
    assert states == ALL | {"generate": "failed", "draft": "skipped", "publish": "skipped", "verdict": "failed"}
    assert campaign.events == []
    assert not (campaign.folder / "ads" / "latest.json").exists()


def test_a_share_that_may_be_missing_is_the_batchs_to_judge(campaign: CampaignRig) -> None:
    campaign.sandbox.fail_next("adsumo", times=1)
    assert campaign.go(fail_when=0.5) == ALL, campaign.errors


def test_a_clear_of_draft_and_publish_publishes_again_and_pays_nothing(campaign: CampaignRig) -> None:
    campaign.go()
    campaign.cleared("draft", "publish", "verdict")
    assert campaign.go(begin="draft") == ALL
    assert len(campaign.charges) == 3
    assert len(campaign.events) == 2 and campaign.events[0] == campaign.events[1]


def test_an_account_with_documented_prices_needs_none_assumed(campaign: CampaignRig) -> None:
    limits = {"adsumo_default": 2, "sume_default": 40}
    assert campaign.go(max_credits=limits, assume_credits={"sume_default": 20}, **TWO) == ALL, campaign.errors
    assert [line["conn_id"] for line in campaign.lines_of_run()] == ["adsumo_default", "adsumo_default", "sume_default"]


# --- dry runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [True, "true", "Yes", " on ", "1", "{{ params.dry }}"])
def test_a_dry_run_only_plans(campaign: CampaignRig, word: object) -> None:
    states = campaign.go(dry_run=word, params={"dry": "yes"})
    assert states == ALL | MADE_NOTHING, campaign.errors
    assert campaign.charges == []
    assert campaign.posts() == []
    plan = campaign.plan
    assert plan["dry_run"] is True
    assert [(one["key"], one["conn_id"], one["credits"]) for one in plan["items"]] == [
        (f"P-{number}/hero/1x1", "adsumo_default", 1) for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("broken", ["check", "plan"])
def test_what_fails_before_anything_is_made_turns_the_run_red_and_is_named(
    campaign: CampaignRig, broken: str, *, dry: bool
) -> None:
    if broken == "check":
        campaign.connect(password="adsumo_sk_other")
    else:
        (campaign.folder / "feed.jsonl").write_text("no feed\n")
    states = campaign.go(dry_run=dry)
    assert (states[broken], states["generate"], states["verdict"]) == ("failed", "upstream_failed", "failed")
    assert campaign.message("verdict") == (
        f"campaign.{broken} failed, so nothing was made and nothing was charged in this try. Its log says why. Mend "
        "that, then clear it and the tasks after it."
    )
    assert campaign.charges == []


@pytest.mark.parametrize("word", ["{{ params.dry }}"])
@pytest.mark.parametrize("rendered", ["", "None", "maybe", "nope"])
def test_a_word_that_is_not_clear_refuses_everything(campaign: CampaignRig, word: str, rendered: str) -> None:
    states = campaign.go(dry_run=word, params={"dry": rendered})
    assert states["check"] == states["verdict"] == "failed"
    assert "not clearly true or false" in campaign.message("check")
    assert set(states.values()) == {"failed", "upstream_failed"}
    assert "not clearly true or false" in campaign.message("verdict")
    assert campaign.posts() == []


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_an_account_that_is_out_fails_the_run(campaign: CampaignRig) -> None:
    campaign.connect(password="adsumo_sk_other")
    states = campaign.go(**TWO)
    assert states["check"] == "failed"
    assert "An account of this campaign cannot take part. Nothing was charged. adsumo_default: " in campaign.message(
        "check"
    )
    assert campaign.charges == []


@pytest.mark.parametrize("why", ["refused", "without a word", "forbidden", "empty"])
def test_an_account_that_is_out_is_dropped_if_that_is_wanted(campaign: CampaignRig, why: str) -> None:
    if why == "refused":
        campaign.connect(password="adsumo_sk_other")
    elif why == "without a word":
        campaign.sandbox.fault("status", "adsumo", status=401, times=-1, body="")
    elif why == "forbidden":
        campaign.sandbox.set_account("adsumo", status="forbidden")
    else:
        campaign.sandbox.set_credits("adsumo", 0)
    assert campaign.go(on_account_out="drop", **TWO) == ALL, campaign.errors
    assert campaign.told("check", "accounts") == ["sume_default"]
    assert {line["conn_id"] for line in campaign.lines_of_run()} == {"sume_default"}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "drop"},
        {"kind": "status", "status": 403, "body": "<html>proxy</html>"},
    ],
    ids=["outage", "lost", "proxy"],
)
def test_an_outage_moves_nothing(campaign: CampaignRig, fault: dict[str, object]) -> None:
    campaign.sandbox.fault(vendor="adsumo", times=-1, **fault)
    states = campaign.go(on_account_out="drop", **TWO)
    assert states["check"] == "failed"
    assert campaign.charges == []


def test_without_any_account_the_run_fails(campaign: CampaignRig) -> None:
    campaign.sandbox.set_credits("adsumo", 0)
    assert campaign.go(on_account_out="drop")["check"] == "failed"
    assert "No account of this campaign can take part" in campaign.message("check")


def test_a_short_balance_is_no_reason_to_leave_an_account_out(campaign: CampaignRig) -> None:
    campaign.sandbox.set_credits("adsumo", 1)
    states = campaign.go(on_account_out="drop", **TWO)
    assert states["check"] == "success"
    assert campaign.told("check", "accounts") == TWO["accounts"]


def test_a_key_that_ends_within_the_run_is_out_and_never_dropped(
    campaign: CampaignRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_adgen.core import tokens

    soon = datetime(2033, 1, 1, tzinfo=UTC).timestamp()
    monkeypatch.setattr(tokens, "token_end", lambda key: soon if key.startswith("adsumo") else None)
    assert campaign.go(**TWO)["check"] == "success", "it ends long after the run"
    campaign.clock.move(soon - campaign.clock.now() - 3600)
    campaign.begin_run("weekly-2", None)
    states = campaign.go(on_account_out="drop", **TWO)
    assert states["check"] == "failed"
    assert "its key ends at 2033-01-01T00:00:00+00:00" in campaign.message("check")


# --- plan -------------------------------------------------------------------------------------------------------------


def test_a_plan_that_costs_too_much_is_refused_or_trimmed(campaign: CampaignRig) -> None:
    assert campaign.go(max_credits=2)["plan"] == "failed"
    assert "1 of 3 creatives do not fit" in campaign.message("plan")
    assert campaign.charges == []
    campaign.begin_run("weekly-2", None)
    assert campaign.go(max_credits=2, on_over_budget="trim") == ALL, campaign.errors
    assert len(campaign.charges) == 2
    assert [one["key"] for one in campaign.plan["trimmed"]] == ["P-3/hero/1x1"]
    skipped = campaign.manifest["skipped"]["creatives"]
    assert skipped["keys"] == ["P-3/hero/1x1"]
    assert skipped["count"] == 1 and skipped["reasons"][0].startswith("P-3/hero/1x1: adsumo_default: it costs 1, and 2")


def test_rows_that_were_skipped_are_in_verdict_manifest_and_gallery(campaign: CampaignRig, diary: Diary) -> None:
    path = campaign.folder / "feed.jsonl"
    path.write_text(f'{path.read_text()}{{"id": "P-9", "title": ""}}\n', encoding="utf-8")
    assert campaign.go(on_bad_row="skip") == ALL, campaign.errors
    rows = campaign.manifest["skipped"]["rows"]
    assert rows["problems"] == 1 and rows["reasons"] == campaign.plan["catalogue"]["problems"]
    assert rows["reasons"][0].startswith("line 4 (P-9): ")
    assert campaign.plan["catalogue"]["bad_rows"] == 1
    assert "The run ended well: 3 completed; 1 row of the catalogue was left out." in diary.text()
    assert rows["reasons"][0] in (campaign.folder / "ads" / campaign.run_id / "gallery.html").read_text()


def test_a_column_that_the_feed_or_a_row_lacks_refuses_the_plan(campaign: CampaignRig) -> None:
    by_brand = {"briefs": [replace(HERO, prompt="Photo of {title} by {brand}. Soft daylight.")]}
    path = campaign.folder / "feed.jsonl"
    path.write_text('{"id": "1", "title": "Lamp", "link": ""}\n{"id": "2", "title": "Chair", "link": ""}\n')
    assert campaign.go(**by_brand)["plan"] == "failed"
    told = "brief 'hero' uses {brand}, which no row of it has; its columns are id, title, link"
    assert told in campaign.message("plan")

    path.write_text('{"id": "1", "title": "Lamp", "brand": ""}\n{"id": "2", "title": "Chair"}\n')
    assert campaign.go(**by_brand)["plan"] == "failed"
    assert "line 2 (product 2): brief 'hero' uses {brand}, a column that this row does not" in campaign.message("plan")
    assert campaign.charges == []

    path.write_text('{"id": "1", "title": "Lamp", "brand": ""}\n{"id": "2", "title": "Chair", "brand": null}\n')
    assert campaign.go(**by_brand) == ALL, campaign.errors
    prompts = {"Photo of Lamp by. Soft daylight.", "Photo of Chair by. Soft daylight."}
    assert {*campaign.paid_prompts()} == prompts, "an empty value is left out"
    read = campaign.plan["catalogue"]
    assert read["warning_count"] == 1
    assert campaign.manifest["warnings"] == {"count": 1, "texts": read["warnings"]}
    assert read["warnings"][0].startswith("2 creatives of brief 'hero': {brand} is empty for 1, 2, and left out of")


def test_a_prompt_of_which_nothing_is_left_is_not_bought_without(campaign: CampaignRig) -> None:
    path = campaign.folder / "feed.jsonl"
    rows = '{"id": "1", "title": "Lamp", "hint": "", "link": "https://shop.example/1"}\n'
    path.write_text(rows + rows.replace('"1"', '"2"').replace('""', '"In a forest"'))
    brief = Brief("s", "image", "{hint}", formats=["1:1"])
    assert campaign.go(briefs=[brief], accounts=["cutx_default"])["plan"] == "failed"
    assert "line 1 (product 1): brief 's' cannot be made: its prompt is empty" in campaign.message("plan")
    assert campaign.go(briefs=[replace(brief, where={"hint": "?*"})], accounts=["cutx_default"]) == ALL, campaign.errors
    assert campaign.paid_prompts() == ["In a forest"]


def test_a_plan_says_how_much_it_does_not_show(campaign: CampaignRig) -> None:
    path = campaign.folder / "feed.csv"
    bad = "".join(f"x{number},T,bad\n" for number in range(150))
    path.write_bytes(f"id,title,price\n1,L\xe4mp,5\n{bad}".encode("latin-1"))
    campaign.catalogue = str(path)
    campaign.go(on_bad_row="skip", dry_run=True)
    read = campaign.plan["catalogue"]
    assert (len(read["problems"]), read["problem_count"], read["warning_count"]) == (100, 150, 1)
    assert "Windows-1252" in read["warnings"][0]


def test_a_header_word_of_the_shop_is_told_by_its_field(campaign: CampaignRig) -> None:
    path = campaign.folder / "feed.csv"
    path.write_text("Handle,Title,Vendor,Variant Price,Status,Image Src\nlamp,Lamp,Lumo,5,active,\n")
    campaign.catalogue = str(path)
    brief = replace(HERO, prompt="{title} for {Variant Price}")
    assert campaign.go(briefs=[brief], columns="shopify")["plan"] == "failed"
    assert "brief 'hero' uses {Variant Price}: it is {price} here" in campaign.message("plan")


@pytest.mark.parametrize("limit", ["{{ params.limit or '' }}", "{{ params.limit }}", " "])
def test_a_limit_that_is_not_set_is_none_and_the_word_none_is_no_number(campaign: CampaignRig, limit: str) -> None:
    states = campaign.go(limit=limit, dry_run=True, params={"limit": None})
    if limit == "{{ params.limit }}":
        assert states["plan"] == "failed"
        assert "at least 1. A template of None renders the word None: write {{ ... or '' }}" in campaign.message("plan")
    else:
        assert campaign.told("plan")["count"] == 3


@pytest.mark.parametrize("most", ["{{ params.most }}", "{{ params.most or '' }}"])
def test_a_template_of_nothing_takes_no_limit_of_credits_away(campaign: CampaignRig, most: str) -> None:
    campaign.go(max_credits=most, params={"most": None})
    assert "A template rendered to nothing here" in campaign.message("plan")
    assert campaign.charges == []


def test_a_plan_of_nothing_is_refused(campaign: CampaignRig) -> None:
    assert campaign.go(max_credits=0, on_over_budget="trim")["plan"] == "failed"
    assert "Nothing is planned: nothing fits into max_credits" in campaign.message("plan")
    none = Brief("hero", kind="image", prompt="x", where={"brand": "Nobody"}, options={"adsumo": {"model": "fast"}})
    campaign.begin_run("weekly-2", None)
    assert campaign.go(briefs=[none])["plan"] == "failed"
    assert "no product of the catalogue has a brief" in campaign.message("plan")
    assert 'brief \'hero\': no product (3 looked at) matches where={"brand": "Nobody"}' in campaign.message("plan")


def test_two_campaigns_do_not_share_a_folder(campaign: CampaignRig) -> None:
    campaign.go()
    states = campaign.go(group_id="other")
    assert states["plan"] == "failed"
    assert "holds the plan of another campaign: run weekly-1 of task campaign.plan of DAG spring" in campaign.message(
        "plan"
    )
    assert len(campaign.charges) == 3


def test_5000_items_do_not_go_through_xcom(campaign: CampaignRig) -> None:
    campaign.feed(*(f"Lamp {number}" for number in range(500)))
    campaign.go(dry_run=True)
    assert campaign.told("plan", "count") is None
    assert campaign.told("plan")["count"] == 500
    assert len(str(campaign.xcom)) < 3000


@pytest.mark.parametrize(("currency", "prompt"), [("EUR", "Lamp: 29.90 EUR."), (None, "Lamp: 29.90.")])
def test_prices_of_an_export_without_a_currency_have_the_one_that_is_given(
    campaign: CampaignRig, currency: str | None, prompt: str
) -> None:
    (campaign.folder / "feed.jsonl").write_text("Handle,Title,Variant Price\nlamp,Lamp,29.90\n")
    priced = replace(HERO, prompt="{title}: {price} {currency}.")
    assert campaign.go(briefs=[priced], columns="shopify", currency=currency) == ALL, campaign.errors
    assert campaign.paid_prompts() == [prompt]


# --- products that the vendor must know -------------------------------------------------------------------------------


AD = Brief("ad", kind="image", prompt="A photo of {title}.", formats=["1:1"], options={"cutx": {"style": "lifestyle"}})


def test_the_vendor_is_told_of_products_before_the_first_submission_and_once(campaign: CampaignRig) -> None:
    cutx = {"briefs": [AD], "accounts": ["cutx_default"]}
    assert campaign.go(dry_run=True, **cutx)["generate"] == "skipped"
    made = lambda: [  # noqa: E731
        one for one in campaign.sandbox.requests("cutx", method="POST") if "products" in one["path"]
    ]
    assert made() == [], "a dry run makes none"
    assert "of_product" in str([*campaign.lines_of("items.jsonl")])
    campaign.begin_run("weekly-2", None)
    assert campaign.go(**cutx) == ALL, campaign.errors
    told = made()
    assert told
    paid = [one for one in campaign.sandbox.requests("cutx", method="POST") if "products" not in one["path"]]
    assert max(one["seq"] for one in told) < max(one["seq"] for one in paid)
    assert len(campaign.charges) == 3
    campaign.begin_run("weekly-3", None)
    listed = len(campaign.sandbox.requests("cutx", method="GET", path="*products*"))
    assert campaign.go(**cutx) == ALL, campaign.errors
    assert made() == told
    assert len(campaign.sandbox.requests("cutx", method="GET", path="*products*")) == listed, (
        "nor are they sought again"
    )


def test_a_destination_may_be_a_plain_path_of_this_machine(campaign: CampaignRig) -> None:
    place = campaign.place.removeprefix("file://")
    assert campaign.go(briefs=[AD], accounts=["cutx_default"], destination=f"{place}/") == ALL, campaign.errors
    assert campaign.latest["manifest"] == f"{campaign.place}/weekly-1/manifest.json"
    assert len(list((campaign.folder / "ads" / "_adgen" / "vendor_products").iterdir())) == 1
