# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What OpenLineage is told of a batch: needs its provider, which the extra ``openlineage`` installs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.operators import _lineage
from tests.support.batch import items
from tests.support.tasks import run_task

if TYPE_CHECKING:
    from tests.support.batch import BatchRig

pytest.importorskip("airflow.providers.openlineage.extractors", exc_type=ImportError)


def with_pictures(count: int) -> list[dict[str, Any]]:
    """Return items of two accounts, each with a picture of its own behind a signed link, and one they share."""
    return [
        {
            "key": f"k{number}",
            "choices": [
                {
                    "conn_id": "sume_default",
                    "request": {
                        "kind": "image",
                        "prompt": f"A bottle {number}",
                        "reference_image_urls": [
                            f"https://cdn.example/{number}.png?Signature=abc",
                            "https://cdn.example/logo.png",
                        ],
                    },
                },
                {
                    "conn_id": "adsumo_default",
                    "request": {
                        "kind": "text-to-image",
                        "prompt": "see s3://never/used.png",
                        "model": "fast",
                        "aspect_ratio": "1:1",
                    },
                },
            ],
        }
        for number in range(count)
    ]


@pytest.mark.parametrize("deferrable", [False, True])
def test_media_are_inputs_and_results_and_files_are_outputs(batch: BatchRig, deferrable: bool) -> None:
    operator = batch.batch(with_pictures(3), deferrable=deferrable)
    result = batch.run(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    assert sorted((one.namespace, one.name) for one in told.inputs) == [
        ("https://cdn.example", name) for name in ("0.png", "1.png", "2.png", "logo.png")
    ]
    assert (told.outputs[0].namespace, told.outputs[0].name) == ("file", result["results"].removeprefix("file://"))
    stored = {
        one["uri"].removeprefix("file://") for line in batch.lines().values() for one in line["generation"]["creatives"]
    }
    assert {one.name for one in told.outputs[1:]} == stored
    assert len(stored) == 3
    facet = told.run_facets["adgen"]
    assert (facet.items, facet.counts) == (3, {"completed": 3})
    assert facet.credits == {"sume_default": {**result["credits"]["sume_default"], "estimated": 0}}
    assert list(facet.credits) == ["sume_default"]
    assert (facet.inputs, facet.outputs) == (4, 4)
    assert "abc" not in json.dumps([(one.namespace, one.name) for one in told.inputs])


def test_a_file_of_items_is_the_first_input(batch: BatchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lineage, "MOST_DATASETS", 2)
    path = batch.folder / "items.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in with_pictures(3)))
    operator = batch.batch(f"file://{path}")
    batch.run(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    assert (told.inputs[0].namespace, told.inputs[0].name) == ("file", str(path))
    assert (len(told.inputs), told.run_facets["adgen"].inputs) == (2, 5)


def test_a_failed_batch_tells_what_it_stored(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo", times=2)
    operator = batch.batch(items(5))
    with pytest.raises((AirflowFailException, AdGenError)):
        batch.run(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    assert len(told.outputs) == 1 + 3
    facet = told.run_facets["adgen"]
    assert facet.counts == {"completed": 3, "failed": 2}
    assert facet.credits["adsumo_default"]["charged"] == sum(one["credits"] for one in batch.charges)


def test_datasets_are_limited_and_counted(batch: BatchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lineage, "MOST_DATASETS", 2)
    operator = batch.batch(with_pictures(3))
    batch.run(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    assert (len(told.inputs), len(told.outputs)) == (2, 2)
    assert told.outputs[0].name.endswith("results.jsonl")
    facet = told.run_facets["adgen"]
    assert (facet.inputs, facet.outputs) == (4, 4)


def test_the_leg_after_a_deferral_tells_it_too(batch: BatchRig) -> None:
    context = batch.context()
    with pytest.raises(TaskDeferred):
        batch.batch(with_pictures(2)).execute(context)
    later = batch.batch(with_pictures(2))
    run_task(later, context, passing=batch.clock.move, resumed=True)
    told = later.get_openlineage_facets_on_complete(None)
    assert len(told.inputs) == 3
    assert told.run_facets["adgen"].counts == {"completed": 2}


def test_a_batch_that_was_refused_tells_nothing(batch: BatchRig) -> None:
    operator = batch.batch([{"key": "k", "request": {"kind": "nothing"}}], conn_id="sume_default")
    with pytest.raises((AirflowFailException, AdGenError)):
        batch.run(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    assert (told.inputs, told.outputs) == ([], [])
    assert told.run_facets["adgen"].items == 0
    assert batch.batch([], max_in_flight=0).get_openlineage_facets_on_complete(None) is None
