# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest has an entry for each item, adds up for each account, and holds no link that opens anything."""

from __future__ import annotations

import json

import pytest

from airflow_provider_adgen.campaigns import build_manifest
from airflow_provider_adgen.campaigns.manifest import manifest_text, result_of
from tests.support.creatives import creative, generation, item, result

SIGNED = "https://cdn.example.com/x.png?X-Amz-Signature=s3cret"


def image(uri="s3://ads/i.png", **cost):
    return generation("image", creative("image", uri), credits={"quoted": 1, "charged": None, "refunded": None, **cost})


def test_an_entry_says_what_was_asked_who_made_it_and_where_it_is():
    asked = {"kind": "text-to-image", "prompt": "A lamp."}
    lamp = item("LMP/hero/1x1", request=asked, title="Lamp", locale="de", format="1:1", season="spring")
    media = {"s3://ads/i.png": {"width": 512, "height": 640, "seconds": None}}
    manifest = build_manifest({"run_id": "r"}, [lamp], [result(lamp, "completed", image())], media=media)
    assert manifest["schema"] == 2
    assert manifest["run"] == {"run_id": "r"}
    assert manifest["items"] == [
        {
            "key": "LMP/hero/1x1",
            "product": {"id": "LMP", "title": "Lamp"},
            "brief": "hero",
            "locale": "de",
            "format": "1:1",
            "kind": "image",
            "status": "completed",
            "reason": None,
            "origin": "made",
            "approved": None,
            "vendor": "adsumo",
            "conn_id": "adsumo_default",
            "choice": 0,
            "id": "job-image",
            "created_at": "2026-01-01T00:00:00+00:00",
            "completed_at": "2026-01-01T00:01:00+00:00",
            "credits": {"quoted": 1, "charged": None, "refunded": None},
            "request": asked,
            "creatives": [
                {
                    "kind": "image",
                    "uri": "s3://ads/i.png",
                    "media_type": "image/x",
                    "size": 12345,
                    "sha256": "ab" * 32,
                    "width": 512,
                    "height": 640,
                    "seconds": None,
                }
            ],
            "variants": [],
            "meta": {"season": "spring"},
        }
    ]


def test_the_request_is_that_of_the_choice_that_made_it():
    tried = item("LMP/hero", request={"kind": "image", "prompt": "first"})
    tried["choices"].append({"conn_id": "sume_default", "request": {"kind": "image", "prompt": "second"}})
    [entry] = build_manifest({}, [tried], [result(tried, "completed", image(), choice=1)])["items"]
    assert (entry["choice"], entry["request"]["prompt"]) == (1, "second")


def test_an_item_of_a_batch_without_choices_has_its_request():
    one = {"key": "a", "conn_id": "adsumo_default", "request": {"kind": "image", "prompt": "only"}}
    line = {"key": "a", "status": "completed", "choice": 0, "conn_id": "adsumo_default", "generation": image()}
    [entry] = build_manifest({}, [one], [line])["items"]
    assert entry["request"]["prompt"] == "only"
    assert entry["product"] == {"id": None, "title": None}


def test_items_without_a_result_are_listed_with_the_reason():
    items = [item(f"P{number}/hero") for number in range(5)]
    refund = {**image(), "status": "failed", "creatives": []}
    results = [
        result(items[0], "completed", image()),
        result(items[1], "reused", image()),
        result(items[2], "failed", refund, reason="The vendor says: no."),
        result(items[3], "waiting", None, conn_id=None, choice=None, reason="Its turn has not come."),
    ]
    manifest = build_manifest({}, items, results)
    assert manifest["missing"] == [
        {"key": "P2/hero", "status": "failed", "reason": "The vendor says: no."},
        {"key": "P3/hero", "status": "waiting", "reason": "Its turn has not come."},
        {"key": "P4/hero", "status": "missing", "reason": "The results say nothing of it."},
    ]
    assert [entry["origin"] for entry in manifest["items"]] == ["made", "reused", None, None, None]
    assert manifest["totals"] == {
        "items": 5,
        "made": 1,
        "reused": 1,
        "missing": 3,
        "products": 5,
        "creatives": 2,
        "bytes": 2 * 12345,
        "statuses": {"completed": 1, "failed": 1, "missing": 1, "reused": 1, "waiting": 1},
    }


def test_what_left_the_list_follows_with_what_its_result_tells():
    gone, here = item("OLD/hero"), item("NEW/hero")
    left_out = {"key": "NEW/reel", "status": "skipped", "reason": "It does not fit into max_credits."}
    results = [result(gone, "removed", image()), result(here, "completed", image()), left_out]
    entries = build_manifest({}, [here], results)["items"]
    assert [(entry["key"], entry["status"], entry["origin"]) for entry in entries] == [
        ("NEW/hero", "completed", "made"),
        ("OLD/hero", "removed", "made"),
        ("NEW/reel", "skipped", None),
    ]
    assert entries[1]["product"] == {"id": "OLD", "title": "Title of OLD"}


def test_copy_is_a_result_without_a_file():
    one = item("LMP/text")
    variant = {"hook": "Light.", "body": "Tea & time", "cta": "Buy", "hashtags": ["tea"]}
    made = generation("copy", vendor="cutx", variants=[variant])
    [entry] = build_manifest({}, [one], [result(one, "completed", made)])["items"]
    assert (entry["origin"], entry["variants"]) == ("made", [variant])


def test_a_failed_item_has_the_vendor_of_its_account():
    made, failed = item("A/hero"), item("B/hero")
    manifest = build_manifest({}, [made, failed], [result(made, "completed", image()), result(failed, "refused")])
    assert [entry["vendor"] for entry in manifest["items"]] == ["adsumo", "adsumo"]


def test_credits_are_summed_for_each_account_alone_and_what_is_not_told_is_counted():
    items = [item(f"P{number}/hero", conn_id="adsumo_default" if number < 3 else "cutx_default") for number in range(5)]
    results = [
        result(items[0], "completed", image(charged=3)),
        result(items[1], "completed", image(quoted=4)),
        result(items[2], "reused", image(charged=100)),
        result(items[3], "completed", image(quoted=None)),
        result(items[4], "waiting"),
    ]
    assert build_manifest({}, items, results)["credits"] == {
        "adsumo_default": {
            "quoted": 5,
            "charged": 3,
            "refunded": None,
            "estimated": 0,
            "untold": {"quoted": 0, "charged": 1, "refunded": 2},
        },
        "cutx_default": {
            "quoted": None,
            "charged": None,
            "refunded": None,
            "estimated": 0,
            "untold": {"quoted": 1, "charged": 1, "refunded": 1},
        },
    }


def test_what_the_batch_has_counted_goes_before_the_sums():
    one = item("A/hero")
    counted = {
        "adsumo_default": {"quoted": 9, "charged": 7, "refunded": 2, "estimated": 6},
        "sume_default": {"quoted": 20, "charged": 0, "refunded": 0},
    }
    told = build_manifest({}, [one], [result(one, "completed", image())], credits=counted)["credits"]
    assert told["adsumo_default"] == {
        **counted["adsumo_default"],
        "untold": {"quoted": 0, "charged": 1, "refunded": 1},
    }
    assert told["sume_default"]["quoted"] == 20


def test_warnings_are_named_up_to_a_hundred_and_counted():
    assert build_manifest({}, [], [])["warnings"] == {"count": 0, "texts": []}
    plan = {"catalogue": {"warnings": [f"see {SIGNED}"] * 120, "warning_count": 500}}
    warnings = build_manifest({}, [], [], plan=plan)["warnings"]
    assert (warnings["count"], len(warnings["texts"])) == (500, 100)
    assert "s3cret" not in json.dumps(warnings)


def test_what_the_plan_left_out_is_named_up_to_a_hundred_and_counted():
    assert build_manifest({}, [], [])["skipped"] == {
        "rows": {"problems": 0, "reasons": []},
        "creatives": {"count": 0, "keys": [], "reasons": []},
    }
    plan = {
        "catalogue": {"problems": [f"line {n} (P-{n}): see {SIGNED}" for n in range(2, 102)], "problem_count": 5000},
        "trimmed": [{"key": f"P-{n}/hero", "reason": "it costs 1"} for n in range(150)],
    }
    skipped = build_manifest({}, [], [], plan=plan)["skipped"]
    assert (skipped["rows"]["problems"], len(skipped["rows"]["reasons"])) == (5000, 100)
    assert (skipped["creatives"]["count"], len(skipped["creatives"]["reasons"])) == (150, 100)
    assert skipped["rows"]["reasons"][0].startswith("line 2 (P-2): see ")
    assert skipped["creatives"]["reasons"][0] == "P-0/hero: it costs 1"
    assert skipped["creatives"]["keys"] == [f"P-{n}/hero" for n in range(100)]
    assert "s3cret" not in json.dumps(skipped)


def test_who_was_approved_and_who_was_not():
    items = [item("A/hero"), item("B/hero"), item("C/hero")]
    manifest = build_manifest({}, items, [], approvals={"A/hero": True, "B/hero": False})
    assert [entry["approved"] for entry in manifest["items"]] == [True, False, None]
    with pytest.raises(ValueError, match="items that the campaign does not have: D/hero"):
        build_manifest({}, items, [], approvals={"D/hero": False})


def test_no_signed_link_gets_in():
    """Neither by a creative, nor by a request, a title, what the author noted, a reason, or the run."""
    one = item(
        "A/hero",
        request={"kind": "image", "prompt": f"A lamp as in {SIGNED} here", "image": SIGNED, "more": [{"u": SIGNED}]},
        title=f"Lamp {SIGNED}",
        image_link=SIGNED,
        link="https://user:s3cret@shop.example.com/lamp?token=s3cret#s3cret",
    )
    made = image(SIGNED)
    made["creatives"][0]["url"] = SIGNED
    line = result(one, "failed", made, reason=f"GET {SIGNED} answered 403")
    run = {
        "catalogue": "s3://aws_default@shop/feed.xml?versionId=1",
        "other": "https://me:s3cret@x.example.com/f?s3cret",
    }
    manifest = build_manifest(run, [one], [line])
    text = manifest_text(manifest)
    assert "s3cret" not in text
    assert manifest["run"] == {"catalogue": "s3://aws_default@shop/feed.xml", "other": "https://x.example.com/f"}
    [entry] = manifest["items"]
    assert entry["creatives"][0]["uri"] is None
    assert entry["request"]["prompt"] == "A lamp as in https://cdn.example.com/… here"
    assert entry["meta"] == {"image_link": "https://cdn.example.com/x.png", "link": "https://shop.example.com/lamp"}


def test_a_long_prompt_is_kept_whole():
    one = item("A/hero", request={"kind": "image", "prompt": "word " * 2000})
    [entry] = build_manifest({}, [one], [result(one, "completed", image())])["items"]
    assert entry["request"]["prompt"] == "word " * 2000


def test_a_task_of_its_own_gives_a_line_like_a_batch_does():
    one = item("A/hero", conn_id="sume_default")
    manifest = build_manifest({}, [one], [result_of(one, image())])
    assert [(entry["status"], entry["conn_id"]) for entry in manifest["items"]] == [("completed", "sume_default")]
    assert build_manifest({}, [one], [result_of(one, None)])["missing"] == [
        {"key": "A/hero", "status": "failed", "reason": "Its task has no result."}
    ]


def test_the_file_can_be_read_by_people_and_by_programs():
    text = manifest_text(build_manifest({}, [item("A/hero", title="高山茶")], []))
    assert "高山茶" in text
    assert json.loads(text)["items"][0]["product"]["title"] == "高山茶"
