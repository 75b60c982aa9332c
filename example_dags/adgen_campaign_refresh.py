# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Refresh the ads of a product catalogue.

Reads a catalogue, checks that the account can pay for the whole plan, has **Adsumo** make one image and one video for
each product, stores them where no link expires, and writes a manifest of what was made and what it cost.

Each product is a mapped task of its own; a task that waits holds no worker; a retry never pays twice.

To try it without paying for much, set `limit` to 1. To run it on your own products, set `catalogue` to a feed whose
columns are named as in Google Merchant's product data specification, and `destination` to a place in your bucket, such
as `s3://aws_default@my-bucket/ads`. To refresh the ads on a schedule, give the DAG one: it has none, because each run
spends credits.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, ObjectStoragePath, Param, dag, get_current_context, task
from airflow.sdk.definitions.template import literal  # in 3.0 airflow.sdk itself does not offer it yet

from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator, AdsumoVideoOperator
from airflow_provider_adgen.operators.credits import CreditCheckOperator

CONN_ID = "{{ params.conn_id }}"
MANIFEST = Asset("adgen_campaign_manifest")

PARAMS = {
    "catalogue": Param(
        None,
        type=["null", "string"],
        title="Catalogue",
        description="A product feed, at any object-storage path. Empty: the small one that comes with this example.",
    ),
    "destination": Param(
        None,
        type=["null", "string"],
        title="Destination",
        description="Where to store the creatives: an object-storage path. Empty: adgen_campaigns in AIRFLOW_HOME.",
    ),
    "limit": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Limit",
        description="Make ads for the first products only. Empty: for all, of which Airflow maps 1024 by default.",
    ),
    "conn_id": Param("adsumo_default", type="string", title="Adsumo connection"),
    "image_model": Param("fast", enum=["fast", "pro"], title="Image model"),
    "image_resolution": Param("1k", enum=["1k", "2k", "4k"], title="Image resolution"),
    "video_model": Param("sora-2", type="string", title="Video model"),
    "video_seconds": Param(8, type="integer", minimum=1, title="Video length in seconds"),
    "video_credits": Param(
        40,
        type="integer",
        minimum=0,
        title="Credits to count for a video",
        description="Adsumo documents no price for AI videos, so the credit check counts this for each.",
    ),
}


def image_request(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what the credit check prices for a product's image."""
    return {"kind": "text-to-image", **entry["image"]}


def video_request(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what the credit check prices for a product's video."""
    return {"kind": "ai-video", **entry["video"]}


def campaign_items(entry: dict[str, Any], conn_id: str) -> list[dict[str, Any]]:
    """Return what the manifest calls a product's image and its video."""
    product = entry["product"]
    about = {name: product[name] for name in ("title", "brand", "price", "currency", "link")}
    items = []
    for brief, request in (("image", image_request(entry)), ("video", video_request(entry))):
        meta = {**about, "product_id": product["id"], "brief": brief, "format": request["aspect_ratio"]}
        choice = {"conn_id": conn_id, "request": request}
        items.append({"key": f"{product['id']}/{brief}", "choices": [choice], "meta": meta})
    return items


def image_arguments(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of one mapped image task."""
    return as_text({**entry["image"], "destination": entry["folder"]})


def video_arguments(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of one mapped video task."""
    return as_text({**entry["video"], "destination": entry["folder"]})


def as_text(arguments: dict[str, Any]) -> dict[str, Any]:
    """Keep Airflow from rendering them: what a catalogue says is text, and ``{{ ... }}`` in it must stay harmless."""
    return {name: literal(value) for name, value in arguments.items()}


@dag(
    schedule=None,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params=PARAMS,
    doc_md=__doc__,
    tags=["adgen", "adsumo"],
)
def adgen_campaign_refresh() -> None:
    """Build the DAG."""

    @task(retries=0)  # a catalogue that is wrong does not mend itself
    def plan_campaign() -> list[dict[str, Any]]:
        """Read and check the catalogue; return for each product what is to be made, and where it goes."""
        from airflow_provider_adgen.campaigns import read_catalogue
        from airflow_provider_adgen.campaigns.texts import shorten
        from airflow_provider_adgen.delivery.names import safe

        context = get_current_context()
        params = context["params"]
        source = params["catalogue"] or str(Path(__file__).with_name("adgen_campaign_catalogue.csv"))
        home = os.environ.get("AIRFLOW_HOME", "~/airflow")
        destination = params["destination"] or f"file://{Path(home, 'adgen_campaigns').expanduser()}"
        products = read_catalogue(source).products

        plan = []
        for product in products[: params["limit"]]:
            subject = f"{product.title} by {product.brand}" if product.brand else product.title
            scene = f"{subject}. {shorten(product.description, 300)}".strip()
            plan.append(
                {
                    "product": product.to_dict(),
                    "folder": f"{destination.rstrip('/')}/{safe(context['run_id'])}/{safe(product.id)}",
                    "image": {
                        "prompt": f"Product photo for an ad: {scene} Soft daylight, calm background, no lettering.",
                        "model": params["image_model"],
                        "aspect_ratio": "1:1",
                        "resolution": params["image_resolution"],
                    },
                    "video": {
                        "prompt": f"Short product ad: {scene} The camera moves slowly around it, no lettering.",
                        "model": params["video_model"],
                        "aspect_ratio": "9:16",
                        "duration": params["video_seconds"],
                    },
                }
            )
        return plan

    @task(outlets=[MANIFEST])
    def write_manifest(plan: Any, images: Any, videos: Any) -> dict[str, Any]:
        """Write down what was made for each product, where it is and what it cost."""
        from airflow_provider_adgen.campaigns.manifest import build_manifest, manifest_text, result_of
        from airflow_provider_adgen.campaigns.media import read_all_media

        context = get_current_context()
        run = {
            "dag_id": context["dag_run"].dag_id,
            "run_id": context["run_id"],
            "catalogue": context["params"]["catalogue"] or "example",
            "written_at": datetime.now(UTC).isoformat(),
        }
        items, results = [], []
        for entry, *made in zip(plan, images, videos, strict=True):
            for item, generation in zip(campaign_items(entry, context["params"]["conn_id"]), made, strict=True):
                items.append(item)
                results.append(result_of(item, generation))
        stored = [one["uri"] for line in results for one in (line["generation"] or {}).get("creatives", ())]
        manifest = build_manifest(run, items, results, media=read_all_media(filter(None, stored)))
        path = ObjectStoragePath(plan[0]["folder"]).parent / "manifest.json"
        path.write_text(manifest_text(manifest), encoding="utf-8")

        summary = {"manifest": str(path), "totals": manifest["totals"], "credits": manifest["credits"]}
        context["outlet_events"][MANIFEST].extra = summary
        return summary

    plan = plan_campaign()
    whole_plan: Any = plan.map(image_request).concat(plan.map(video_request))

    check_credits = CreditCheckOperator(
        task_id="check_credits",
        conn_id=CONN_ID,
        requests=whole_plan,
        assume_credits="{{ params.video_credits }}",
    )
    make_images = AdsumoTextToImageOperator.partial(
        task_id="make_image",
        conn_id=CONN_ID,
        deferrable=True,
        map_index_template="{{ task.destination.rpartition('/')[2] }}",
    ).expand_kwargs(plan.map(image_arguments))
    make_videos = AdsumoVideoOperator.partial(
        task_id="make_video",
        conn_id=CONN_ID,
        deferrable=True,
        map_index_template="{{ task.destination.rpartition('/')[2] }}",
    ).expand_kwargs(plan.map(video_arguments))

    check_credits >> [make_images, make_videos]
    write_manifest(plan, make_images.output, make_videos.output)


adgen_campaign_refresh()
