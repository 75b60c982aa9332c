# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Make an image and a video of **every product of a catalogue**. The next run pays only for what is new or has changed.

Any of the four vendors makes them: the accounts are used in their order, each for at most the credits that its param
says. With 0 it makes nothing new. Delete those that you have no connection for. `[adgen] ledger_path` must be set.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_provider_adgen.campaigns import Brief, campaign_refresh

CREDITS = {"adsumo_default": 50, "sume_default": 100, "cutx_default": 0, "cinematicads_default": 0}
SCENE = "{title} in soft daylight, calm background, no lettering."
# What only some vendors take goes into options: CutX speaks a script where the others show a scene.
HERO = {"adsumo": {"model": "fast"}, "cinematicads": {"workflow_type": "staticad", "concept": SCENE}}
REEL = {
    "adsumo": {"model": "sora-2", "prompt": SCENE},
    "sume": {"prompt": SCENE},
    "cutx": {"script": "This is {title}. Have a look at it in our shop."},
    "cinematicads": {"workflow_type": "cinematic", "concept": SCENE},
}

with DAG(
    "adgen_campaign_refresh",
    schedule=None,
    max_active_runs=1,
    default_args={"retries": 2},
    params={
        "catalogue": Param(str(Path(__file__).with_name("adgen_campaign_catalogue.csv")), type="string"),
        "destination": Param(f"file://{Path.home()}/adgen_campaign", type="string", title="An object-storage path"),
        "limit": Param(None, type=["null", "integer"], minimum=1, title="Only the first products"),
        "dry_run": Param(False, type="boolean", title="Only plan"),
        **{name: Param(most, type="integer", minimum=0, title=f"Credits of {name}") for name, most in CREDITS.items()},
    },
    doc_md=__doc__,
    tags=["adgen"],
) as dag:
    campaign_refresh(
        catalogue="{{ params.catalogue }}",
        briefs=[
            Brief("hero", kind="image", prompt=SCENE, formats=["1:1"], options=HERO),
            Brief("reel", kind="video", formats=["9:16"], options=REEL),
        ],
        accounts=list(CREDITS),
        destination="{{ params.destination }}",
        limit="{{ params.limit or '' }}",
        max_credits={name: f"{{{{ params.{name} }}}}" for name in CREDITS},
        # Neither vendor documents these prices.
        assume_credits={"adsumo_default": {"ai-video": 20}, "sume_default": {"image": 4, "video": 15}},
        reuse=True,
        review=False,  # True: a person approves before anything is published (Airflow 3.1)
        dry_run="{{ params.dry_run }}",
        deferrable=True,
    )
