# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A field that extra_fields replaces can be anything. Counting the files may not fail once the job is paid for."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.requests import note_missing_files
from airflow_provider_adgen.core.vocabulary import Creative, Generation
from airflow_provider_adgen.vendors.adsumo.requests import TextToImage


def test_a_paid_result_is_delivered(make_rig, monkeypatch) -> None:
    rig = make_rig()
    # A vendor that reads "2" as 2, which the sandbox does not.
    body = TextToImage.body
    monkeypatch.setattr(TextToImage, "body", lambda self: {**body(self), "quantity": int(body(self)["quantity"])})
    operator = rig.operator(extra_fields={"quantity": "2"})  # a template renders to text
    errors = []
    for _ in range(3):
        try:
            assert rig.run(operator)["status"] == "completed"
            break
        except TypeError as error:
            errors.append(error)
            rig.retry()
    assert not errors, "it is paid for, and no retry ever delivers it"


@pytest.mark.parametrize("value", ["2", {"a": 1}, [2], 3])
@pytest.mark.parametrize(
    ("vendor", "kind", "name", "extra"),
    [
        ("adsumo", "text-to-image", "quantity", {"prompt": "x", "model": "fast", "aspect_ratio": "1:1"}),
        ("sume", "image", "n", {"prompt": "x"}),
        ("sume", "image", "image_count", {"prompt": "x"}),
        ("cinematicads", "workflow", "formats", {"type": "x", "prompt": "x"}),
    ],
)
def test_expected_files_of_replaced(vendor, kind, name, extra, value) -> None:
    request = get_vendor(vendor).parse_request({"kind": kind, "extra_fields": {**extra, name: value}})
    generation = Generation(
        vendor=vendor,
        id="1",
        job_ids=("1",),
        kind="image",
        status="completed",
        creatives=[Creative(kind="image", url="https://a.b/c")],
    )
    assert note_missing_files(request, generation) is None
