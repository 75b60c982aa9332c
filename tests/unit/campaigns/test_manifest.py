# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest adds up, and holds no link that opens anything."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_adgen.campaigns.manifest import build_manifest, describe_product, manifest_text


def generation(kind: str, size: int, **cost: int | None) -> dict[str, Any]:
    """Return what an operator returns."""
    return {
        "schema": 1,
        "vendor": "adsumo",
        "id": f"job-{kind}",
        "job_ids": [f"job-{kind}"],
        "kind": kind,
        "status": "completed",
        "created_at": "2026-01-01T00:00:00+00:00",
        "completed_at": None,
        "creatives": [
            {
                "kind": kind,
                "url": "https://cdn.example.com/x?signature=s3cret",
                "expires_at": None,
                "uri": f"file:///ads/{kind}",
                "media_type": f"{kind}/x",
                "size": size,
                "sha256": "ab" * 32,
            }
        ],
        "variants": [],
        "credits": {"quoted": None, "charged": None, "refunded": None, **cost},
        "error": None,
        "progress": None,
        "details": {"result_url": "https://cdn.example.com/x?signature=s3cret"},
    }


def test_sums_count_what_the_vendor_told_and_say_what_they_leave_out():
    """An unknown price is never counted as nothing."""
    product = {"id": "A-1", "title": "Lamp", "extra": {"color": "oak"}}
    made = [
        ({"kind": "text-to-image", "prompt": "a lamp"}, generation("image", 100, quoted=1, charged=1)),
        ({"kind": "ai-video", "prompt": "a lamp", "duration": 8}, generation("video", 900, charged=40)),
    ]
    manifest = build_manifest({"run_id": "r"}, [describe_product(product, made), describe_product(product, made)])
    assert manifest["schema"] == 1
    assert manifest["run"] == {"run_id": "r"}
    assert manifest["totals"] == {
        "products": 2,
        "generations": 4,
        "creatives": 4,
        "bytes": 2000,
        "credits": {"quoted": 2, "charged": 82, "refunded": None},
        "untold": {"quoted": 2, "charged": 0, "refunded": 4},
        "vendors": {
            "adsumo": {
                "generations": 4,
                "credits": {"quoted": 2, "charged": 82, "refunded": None},
                "untold": {"quoted": 2, "charged": 0, "refunded": 4},
            }
        },
    }


def test_each_vendor_has_its_own_sums():
    """They add up to the totals; a task without a result is counted as one of which nothing is told."""
    copy = {**generation("copy", 0, quoted=1, charged=2, refunded=1), "vendor": "cutx", "creatives": []}
    made = [({"kind": "text-to-image"}, generation("image", 1, quoted=4)), ({"kind": "copy"}, copy)]
    totals = build_manifest({}, [describe_product({}, [*made, ({"kind": "ai-video"}, None)])])["totals"]
    assert totals["generations"] == 3
    assert totals["credits"] == {"quoted": 5, "charged": 2, "refunded": 1}
    assert totals["untold"] == {"quoted": 1, "charged": 2, "refunded": 2}
    assert {name: one["credits"] for name, one in totals["vendors"].items()} == {
        "adsumo": {"quoted": 4, "charged": None, "refunded": None},
        "cutx": {"quoted": 1, "charged": 2, "refunded": 1},
        "unknown": {"quoted": None, "charged": None, "refunded": None},
    }


def test_a_product_keeps_its_row_and_lists_its_creatives():
    """Whoever reads the manifest needs neither the catalogue nor XCom."""
    made = [({"kind": "text-to-image", "prompt": "a lamp"}, generation("image", 100, quoted=1))]
    described = describe_product({"id": "A-1", "extra": {"color": "oak"}}, made)
    assert described["id"] == "A-1"
    assert described["extra"] == {"color": "oak"}
    [one] = described["generations"]
    assert one["request"] == {"kind": "text-to-image", "prompt": "a lamp"}
    assert one["creatives"] == [
        {"kind": "image", "uri": "file:///ads/image", "media_type": "image/x", "size": 100, "sha256": "ab" * 32}
    ]
    assert one["credits"] == {"quoted": 1, "charged": None, "refunded": None}


def test_no_signed_link_gets_in():
    """Neither a creative's link nor one in the request or in what else the vendor said."""
    request = {"kind": "ai-video", "prompt": "a lamp", "image": "https://up.example.com/i?signature=s3cret"}
    text = manifest_text(build_manifest({}, [describe_product({"id": "A-1"}, [(request, generation("video", 1))])]))
    assert "s3cret" not in text
    assert json.loads(text)["products"][0]["generations"][0]["request"]["prompt"] == "a lamp"


def test_the_file_can_be_read_by_people():
    """Titles stay as they are written."""
    assert "高山茶" in manifest_text(build_manifest({}, [describe_product({"title": "高山茶"}, [])]))
