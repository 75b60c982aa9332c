# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
A submission was accepted, and the answer lacks the job's id: what a person is told of the vendor's list of jobs.

Whoever is told that there is no such job dismisses the submission, and pays again. So a list says "none" only where the
vendor's page lets it say that.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.operators.adsumo import AdsumoTextToSpeechOperator
from airflow_provider_adgen.operators.cinematicads import CinematicAdsWorkflowOperator
from airflow_provider_adgen.operators.sume import SumeImageOperator
from tests.support.tasks import FakeStore, run_task, task_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.contract.conftest import Pages

LATER = "2099-01-01T00:00:00Z"


def said(operator: Any) -> str:
    with pytest.raises(AirflowFailException) as stopped:
        run_task(operator, task_context(FakeStore()))
    return str(stopped.value)


def listed(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(rows), "has_more": False, "next_cursor": None}


def test_sume_jobs_that_do_not_say_what_they_make(pages_of: Callable[[str], Pages]) -> None:
    # The page says that jobs show "public status and output fields only", and not under which names.
    pages = pages_of("sume")
    pages.say("POST", "/images/generations", {"object": "image_generation", "status": "queued"})
    film = {"id": "job_film", "type": "video_generation", "status": "queued", "created_at": LATER}
    pages.say("GET", "/jobs", listed({"id": "job_it", "object": "job", "status": "queued", "created_at": LATER}, film))
    told = said(SumeImageOperator(task_id="t", conn_id="page", prompt="a shoe"))
    assert "job_it (queued" in told
    assert "job_film" not in told


def test_a_list_that_is_longer_than_what_is_looked_at(pages_of: Callable[[str], Pages]) -> None:
    pages = pages_of("sume")
    pages.say("POST", "/images/generations", {"object": "image_generation", "status": "queued"})
    old = [
        {"id": f"job_{n}", "type": "image_generation", "status": "completed", "created_at": f"20{n // 10:02}-01-01"}
        for n in range(250)
    ]
    # The order of the list is not documented.
    for rows, whole in ((old + old + old[:1], False), (old[::-1] * 2, False), (old, True)):
        pages.say("GET", "/jobs", listed(*rows))
        told = said(SumeImageOperator(task_id="t", conn_id="page", prompt="a shoe"))
        assert ("None of the vendor's jobs was created since then" in told) == whole
        assert ("look for the job at the vendor, too" in told) == (not whole)
    newest_first = [{**row, "created_at": f"20{20 - n // 100:02}-01-01"} for n, row in enumerate(old + old + old)]
    pages.say("GET", "/jobs", listed(*newest_first))
    told = said(SumeImageOperator(task_id="t", conn_id="page", prompt="a shoe"))
    assert "None of the vendor's jobs was created since then (500 jobs of its list were looked at)." in told


@pytest.mark.parametrize(
    "project",
    [
        {"id": "it", "title": "Sale"},
        {"id": "it", "type": "Static Ad", "createdAt": LATER},
        {"id": "it", "type": "staticad", "date": datetime.now(UTC).date().isoformat()},
    ],
    ids=["no type", "label", "day"],
)
def test_cinematicads_projects_in_any_shape(pages_of: Callable[[str], Pages], project: dict[str, Any]) -> None:
    # The page says of projects that they are sorted by date, and nothing of their fields.
    pages = pages_of("cinematicads")
    pages.say("POST", "/api/workflow", {"success": True, "message": "Workflow queued", "cost": 1})
    film = {"id": "film", "type": "cinematic", "status": "completed", "createdAt": LATER}
    pages.say("GET", "/api/user/projects", {"success": True, "data": [project, film]})
    told = said(CinematicAdsWorkflowOperator(task_id="t", conn_id="page", workflow_type="staticad"))
    assert "it (processing" in told
    assert "film (" not in told


def test_adsumo_lists_no_voiceovers(pages_of: Callable[[str], Pages]) -> None:
    # GET /generations has the types talking-avatar, ai-video and image.
    pages = pages_of("adsumo")
    pages.say("POST", "/voiceovers/text-to-speech", {"status": "completed"})
    pages.say("GET", "/generations", {"data": [], "pagination": {"total": 0, "limit": 100, "offset": 0}})
    told = said(AdsumoTextToSpeechOperator(task_id="t", conn_id="page", text="Hello", voice_id="v"))
    assert "Adsumo's list of jobs shows none of kind voice." in told
    assert "None of the vendor's jobs" not in told
    assert [one.method for one in pages.asked] == ["POST"]
