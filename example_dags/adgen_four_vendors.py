# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Send the same brief to **all four vendors** and look at what each makes of it.

Each vendor makes one upright video, in a task that waits without a worker; CutX also writes the copy. Every result is
the same dictionary, whichever vendor made it, so that one manifest, and one page, has them all side by side. The
accounts are checked before anything is spent; where a vendor documents no price, the check counts `assume_credits`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import ObjectStoragePath, Param, dag, get_current_context, task
from airflow.sdk.definitions.template import literal  # in 3.0 airflow.sdk itself does not offer it yet

from airflow_provider_adgen.operators.adsumo import AdsumoVideoOperator
from airflow_provider_adgen.operators.cinematicads import CinematicAdsWorkflowOperator
from airflow_provider_adgen.operators.credits import CreditCheckOperator
from airflow_provider_adgen.operators.cutx import CutxCopyOperator, CutxVideoOperator
from airflow_provider_adgen.operators.sume import SumeVideoOperator

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
FOLDER = "{{ params.destination }}/{{ run_id | replace(':', '-') | replace('+', '-') }}"


def requests_of(brief: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what each task asks of its vendor."""
    text, cutx = brief["text"], brief["cutx"]
    return {
        "adsumo": {"kind": "ai-video", "model": "sora-2", "prompt": text, "aspect_ratio": "9:16", "duration": 8},
        "cutx": {"kind": "video", **cutx, "script": text, "aspect_ratio": "9:16"},
        "sume": {"kind": "video", "prompt": text, "aspect_ratio": "9:16", "duration": 8},
        "cinematicads": {"kind": "workflow", "workflow_type": "cinematic", "concept": text, "formats": ["9:16"]},
        "copy": {"kind": "copy", **cutx, "platform": "tiktok", "format": "hook", "tone": "playful"},
    }


def as_text(check: dict[str, Any]) -> dict[str, Any]:
    """Keep Airflow from rendering what is mapped: a brief is text, and ``{{ ... }}`` in it must stay harmless."""
    return {**check, "requests": literal(check["requests"])}


@dag(
    schedule=None,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "destination": Param(f"file://{HOME}/adgen_four_vendors", type="string", description="An object-storage path."),
        "title": Param("Trail shoe", type="string"),
        "brand": Param("Nordkraft", type="string"),
        "text": Param(
            "A trail shoe splashes through a puddle at sunrise and grips wet rock. Run where the road ends.",
            type="string",
            minLength=10,
            maxLength=1000,
            title="Brief",
        ),
        "assume_credits": Param(40, type="integer", minimum=0, title="Credits to count where no price is documented"),
    },
    doc_md=__doc__,
    tags=["adgen", "adsumo", "cutx", "sume", "cinematicads"],
)
def adgen_four_vendors() -> None:
    """Build the DAG."""

    @task
    def plan() -> dict[str, Any]:
        """Return the brief, and the CutX product that it is about: CutX makes ads of products it knows."""
        from airflow_provider_adgen.hooks.cutx import CutxHook

        params = get_current_context()["params"]
        hook = CutxHook()
        project = next(hook.list_projects())
        product = next(hook.list_products(project_id=project.id))
        return {
            "title": params["title"],
            "brand": params["brand"],
            "text": params["text"],
            "cutx": {"project_id": project.id, "product_id": product.id},
        }

    @task
    def checks(brief: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the arguments of one credit check for each account."""
        asked = requests_of(brief)
        return [
            {"conn_id": "adsumo_default", "requests": [asked["adsumo"]]},
            {"conn_id": "cutx_default", "requests": [asked["cutx"], asked["copy"]]},
            {"conn_id": "sume_default", "requests": [asked["sume"]]},
            {"conn_id": "cinematicads_default", "requests": [asked["cinematicads"]]},
        ]

    @task
    def write_manifest(brief: dict[str, Any], folder: str, made: dict[str, Any]) -> dict[str, Any]:
        """Write down what each vendor made of the brief, where it is and what it cost; and a page that shows it."""
        from airflow_provider_adgen.campaigns.gallery import render_gallery
        from airflow_provider_adgen.campaigns.manifest import build_manifest, manifest_text, result_of
        from airflow_provider_adgen.campaigns.media import read_all_media

        context = get_current_context()
        run = {
            "dag_id": context["dag_run"].dag_id,
            "run_id": context["run_id"],
            "written_at": datetime.now(UTC).isoformat(),
        }
        meta = {"product_id": "brief", "title": brief["title"], "brand": brief["brand"]}
        items, results = [], []
        for name, request in requests_of(brief).items():
            conn_id = "cutx_default" if name == "copy" else f"{name}_default"
            item = {"key": name, "choices": [{"conn_id": conn_id, "request": request}], "meta": {**meta, "brief": name}}
            items.append(item)
            results.append(result_of(item, made[name]))
        stored = [one["uri"] for line in results for one in (line["generation"] or {}).get("creatives", ())]
        manifest = build_manifest(run, items, results, media=read_all_media(filter(None, stored)))
        path = ObjectStoragePath(folder) / "manifest.json"
        path.write_text(manifest_text(manifest), encoding="utf-8")
        page = render_gallery(manifest, base=folder)
        (ObjectStoragePath(folder) / "gallery.html").write_text(page, encoding="utf-8")
        return {"manifest": str(path), "totals": manifest["totals"], "credits": manifest["credits"]}

    brief: Any = plan()
    wanted: Any = checks(brief)
    check = CreditCheckOperator.partial(
        task_id="check_credits",
        assume_credits="{{ params.assume_credits }}",
        map_index_template="{{ task.conn_id }}",
    ).expand_kwargs(wanted.map(as_text))

    adsumo = AdsumoVideoOperator(
        task_id="adsumo",
        model="sora-2",
        prompt=brief["text"],
        aspect_ratio="9:16",
        duration=8,
        destination=f"{FOLDER}/adsumo",
        deferrable=True,
    )
    cutx = CutxVideoOperator(
        task_id="cutx",
        project_id="{{ ti.xcom_pull(task_ids='plan')['cutx']['project_id'] }}",
        product_id="{{ ti.xcom_pull(task_ids='plan')['cutx']['product_id'] }}",
        script=brief["text"],
        aspect_ratio="9:16",
        destination=f"{FOLDER}/cutx",
        deferrable=True,
    )
    copy = CutxCopyOperator(
        task_id="cutx_copy",
        project_id="{{ ti.xcom_pull(task_ids='plan')['cutx']['project_id'] }}",
        product_id="{{ ti.xcom_pull(task_ids='plan')['cutx']['product_id'] }}",
        platform="tiktok",
        format="hook",
        tone="playful",
        destination=f"{FOLDER}/cutx_copy",
    )
    sume = SumeVideoOperator(
        task_id="sume",
        prompt=brief["text"],
        aspect_ratio="9:16",
        duration=8,
        destination=f"{FOLDER}/sume",
        deferrable=True,
    )
    cinematicads = CinematicAdsWorkflowOperator(
        task_id="cinematicads",
        workflow_type="cinematic",
        concept=brief["text"],
        formats=["9:16"],
        destination=f"{FOLDER}/cinematicads",
        deferrable=True,
    )
    check >> [adsumo, cutx, copy, sume, cinematicads]
    made: Any = {
        "adsumo": adsumo.output,
        "cutx": cutx.output,
        "sume": sume.output,
        "cinematicads": cinematicads.output,
        "copy": copy.output,
    }
    write_manifest(brief, FOLDER, made)


adgen_four_vendors()
