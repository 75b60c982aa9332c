# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Fewer files than were asked and paid for: both numbers are told."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.core.requests import build_request, note_missing_files
from airflow_provider_adgen.core.vocabulary import Generation
from airflow_provider_adgen.vendors.adsumo.requests import AiVideo, ProductShots, TextToImage
from airflow_provider_adgen.vendors.cinematicads.requests import Workflow
from airflow_provider_adgen.vendors.sume.requests import Image

EIGHT = build_request(TextToImage, {"prompt": "x", "model": "pro", "aspect_ratio": "1:1", "quantity": 8})


def generation(*kinds: str, status: str = "completed") -> Generation:
    creatives = [{"kind": kind, "url": f"https://e.example/{index}"} for index, kind in enumerate(kinds)]
    return Generation.model_validate(
        {
            "vendor": "adsumo",
            "id": "gen_1",
            "kind": "image",
            "status": status,
            "creatives": creatives,
            "details": {"type": "text-to-image"},
        }
    )


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        (TextToImage, {"prompt": "x", "model": "pro", "aspect_ratio": "1:1"}, 1),
        (TextToImage, {"prompt": "x", "model": "pro", "aspect_ratio": "1:1", "quantity": "8"}, 8),
        (ProductShots, {"product_id": "p", "style_id": "s", "model": "pro", "aspect_ratio": "1:1", "quantity": 4}, 4),
        (AiVideo, {"prompt": "x", "model": "sora-2"}, None),
        (Workflow, {"workflow_type": "cinematic", "formats": "9:16,1:1,16:9"}, 3),
        (Workflow, {"workflow_type": "cinematic"}, None),
        (Workflow, {"workflow_type": "painpoint", "formats": "9:16,1:1"}, None),
        (Image, {"prompt": "x", "image_count": 3}, 3),
        (Image, {"prompt": "x", "n": 2}, 2),
        (Image, {"prompt": "x"}, None),
    ],
)
def test_a_request_says_how_many_files_it_asks_for(model, fields, expected):
    assert build_request(model, fields).expected_files() == expected


def test_both_numbers_are_in_the_warning_and_in_the_result():
    one = generation("image")
    warning = note_missing_files(EIGHT, one)
    assert warning is not None
    assert warning.startswith("adsumo job gen_1 asked for 8 files, and its result has 1.")
    assert one.to_xcom(urls=False)["details"] == {
        "type": "text-to-image",
        "files_missing": {"asked": 8, "told": 1},
    }


@pytest.mark.parametrize(
    "one",
    [
        generation(*["image"] * 8),
        generation(*["image"] * 9),
        generation("archive"),
        generation(status="failed"),
        generation(status="processing"),
    ],
)
def test_nothing_is_said_where_nothing_is_missing(one):
    assert note_missing_files(EIGHT, one) is None
    assert "files_missing" not in one.details


def test_nothing_is_said_where_no_number_was_asked_for():
    assert note_missing_files(build_request(Image, {"prompt": "x"}), generation()) is None
