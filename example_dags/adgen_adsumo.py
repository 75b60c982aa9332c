# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Have **Adsumo** film a presenter who speaks your script, and photograph the product in a style.

Creates the product at Adsumo (free), picks the account's first avatar and voice, checks that the account can pay for
everything, then makes the video and the photographs side by side and stores them. A 250-character script costs 20
credits; Adsumo documents no price for product shots, so the check counts what you say in `shot_credits`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from airflow_provider_adgen.operators.adsumo import (
    AdsumoCreateProductOperator,
    AdsumoProductShotOperator,
    AdsumoTalkingAvatarOperator,
)
from airflow_provider_adgen.operators.credits import CreditCheckOperator

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
FOLDER = "{{ params.destination }}/{{ run_id | replace(':', '-') | replace('+', '-') }}"


@dag(
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "destination": Param(f"file://{HOME}/adgen_adsumo", type="string", description="An object-storage path."),
        "script": Param(
            "Waking up is easier when the sun comes first. Meet the lamp that rises with you.", maxLength=250
        ),
        "picture": Param("https://www.adsumo.ai/opengraph-image.png", title="Public picture of the product"),
        "shot_credits": Param(4, type="integer", minimum=0, title="Credits to count for the product shots"),
    },
    doc_md=__doc__,
    tags=["adgen", "adsumo"],
)
def adgen_adsumo() -> None:
    """Build the DAG."""
    product: Any = AdsumoCreateProductOperator(
        task_id="create_product",
        name="Sunrise lamp",
        description="A bedside lamp that grows brighter for half an hour before you get up.",
        category="Home",
        image_url="{{ params.picture }}",
    )

    @task
    def plan(created: dict[str, str]) -> list[dict[str, object]]:
        """Choose who speaks, and return both requests."""
        from airflow_provider_adgen.hooks.adsumo import AdsumoHook

        hook = AdsumoHook()
        avatar, voice = next(hook.list_avatars()), next(hook.list_voices())
        speak = {"kind": "talking-avatar", "avatar_id": avatar.id, "avatar_type": "platform", "voice_id": voice.id}
        shots = {"kind": "product-shots", "product_id": created["id"], "style_id": "lifestyle-outdoor"}
        return [
            {**speak, "script": get_current_context()["params"]["script"]},
            {**shots, "model": "fast", "aspect_ratio": "1:1", "quantity": 2},
        ]

    planned: Any = plan(product.output)
    check = CreditCheckOperator(
        task_id="check_credits", conn_id="adsumo_default", requests=planned, assume_credits="{{ params.shot_credits }}"
    )
    # Templates read one value each; what they return is text, and is not rendered again.
    speak = "{{ ti.xcom_pull(task_ids='plan')[0]['%s'] }}"
    shots = "{{ ti.xcom_pull(task_ids='plan')[1]['%s'] }}"
    film = AdsumoTalkingAvatarOperator(
        task_id="film_presenter",
        avatar_id=speak % "avatar_id",
        avatar_type="platform",
        voice_id=speak % "voice_id",
        script=speak % "script",
        destination=f"{FOLDER}/presenter",
        deferrable=True,
    )
    photograph = AdsumoProductShotOperator(
        task_id="photograph_product",
        product_id=shots % "product_id",
        style_id=shots % "style_id",
        model="fast",
        aspect_ratio="1:1",
        quantity=2,
        destination=f"{FOLDER}/product",
        deferrable=True,
    )
    check >> [film, photograph]


adgen_adsumo()
