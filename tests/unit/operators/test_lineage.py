# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What OpenLineage is told: needs its provider, which the extra ``openlineage`` installs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.operators.download import DownloadCreativesOperator
from airflow_provider_adgen.operators.generate import GenerateOperator
from tests.support.rig import SIGNATURE

if TYPE_CHECKING:
    from tests.support.rig import Rig

pytest.importorskip("airflow.providers.openlineage.extractors", exc_type=ImportError)


@pytest.mark.parametrize("deferrable", [False, True])
def test_stored_files_are_outputs_and_the_job_a_facet(rig: Rig, deferrable: bool) -> None:
    operator = rig.operator(deferrable=deferrable, destination=rig.destination)
    assert operator.get_openlineage_facets_on_start().outputs == []
    result = rig.run(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    uri = result["creatives"][0]["uri"]
    assert [(one.namespace, one.name) for one in told.outputs] == [("file", uri.removeprefix("file://"))]
    facet = told.run_facets["adgen"]
    assert (facet.vendor, facet.jobIds, facet.request) == ("adsumo", result["job_ids"], "text-to-image")
    assert (facet.creditsQuoted, facet.status) == (result["credits"]["quoted"], "completed")


def test_media_are_inputs_without_their_signatures() -> None:
    operator = GenerateOperator(
        task_id="make",
        conn_id="any",
        request={
            "kind": "x",
            "prompt": "see https://a.example/b c",
            "image_url": f"https://user:pw@cdn.example/i/1.png?{SIGNATURE}=abc#f",
            "more": [{"source": "s3://conn@bucket/a/b.mp4"}, 7],
        },
    )
    told = operator.get_openlineage_facets_on_start()
    assert [(one.namespace, one.name) for one in told.inputs] == [
        ("https://cdn.example", "i/1.png"),
        ("s3://bucket", "a/b.mp4"),
    ]
    assert not told.run_facets
    assert "abc" not in json.dumps([(one.namespace, one.name) for one in told.inputs])


def test_a_download_tells_its_files_and_its_job(rig: Rig) -> None:
    made = rig.run(rig.operator(wait_for_completion=False))
    rig.clock.move(600)
    fields = {"conn_id": "adsumo_default", "generation_id": made["id"], "destination": rig.destination}
    operator = DownloadCreativesOperator(task_id="store", **fields)
    assert operator.get_openlineage_facets_on_complete(None).outputs == []
    result = rig.run(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    uri = result["creatives"][0]["uri"]
    assert told.inputs == []
    assert [(one.namespace, one.name) for one in told.outputs] == [("file", uri.removeprefix("file://"))]
    assert (told.run_facets["adgen"].jobIds, told.run_facets["adgen"].status) == ([made["id"]], "completed")


def test_links_that_were_not_stored_are_no_outputs(rig: Rig) -> None:
    operator = rig.operator()
    rig.run(operator)
    assert operator.get_openlineage_facets_on_complete(None).outputs == []
