# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a campaign takes: a large shop is planned in a minute, and its DAG file is parsed like any other."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.large_plan import CHANGED, ROWS

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[3]

EMPTY = """
from airflow.sdk import DAG

with DAG("spring", schedule="@weekly", catchup=False):
    pass
"""

CAMPAIGN = """
from airflow.sdk import DAG
from airflow_provider_adgen.campaigns import Brief, campaign_refresh

with DAG("spring", schedule="@weekly", catchup=False):
    campaign_refresh(
        catalogue="s3://aws_default@shop/feed.xml",
        briefs=[
            Brief("hero", kind="image", prompt="Photo of {title}.", formats=["1:1"], options={"adsumo": {"model": "fast"}}),
            Brief("reel", kind="video", prompt="Short ad: {title}.", formats=["9:16"], duration=8),
        ],
        accounts=["adsumo_default", "sume_default"],
        destination="s3://aws_default@ads/spring",
        max_credits={"adsumo_default": 600, "sume_default": 400},
        assume_credits={"adsumo_default": {"ai-video": 40}, "sume_default": 20},
        reuse=True,
    )
"""  # noqa: E501 - a DAG file

PARSE = """
import sys, time
text = open(sys.argv[1]).read()
began = time.process_time()
exec(compile(text, sys.argv[1], "exec"), {"__name__": "dag"})
print(time.process_time() - began)
"""


def run(*arguments: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=os.environ | more, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_fifty_thousand_products_are_planned_against_a_library_of_fifty_thousand(tmp_path: Path) -> None:
    connections = {
        f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT": json.dumps(
            {"conn_type": vendor, "host": f"https://{vendor}.example", "password": "key"}
        )
        for vendor in ("adsumo", "sume")
    }
    run("-m", "tests.support.large_plan", "library", str(tmp_path), **connections)
    told: dict[str, Any] = json.loads(
        run("-m", "tests.support.large_plan", "plan", str(tmp_path), **connections).splitlines()[-1]
    )
    assert (told["count"], told["reused"]) == (ROWS, ROWS - CHANGED)
    assert told["credits"] == {"adsumo_default": CHANGED, "sume_default": 0}
    print(f"{told['seconds']:.1f} s of CPU time, {told['megabytes']} MB")
    assert told["seconds"] < 60
    assert told["megabytes"] < 430


@pytest.mark.slow
def test_the_dag_file_of_a_campaign_is_parsed_like_an_empty_one(tmp_path: Path) -> None:
    seconds: dict[str, list[float]] = {"empty": [], "campaign": []}
    files = {"empty": EMPTY, "campaign": CAMPAIGN}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    for number in range(6):
        for name, found in seconds.items():
            took = float(run("-c", PARSE, str(tmp_path / f"{name}.py")).splitlines()[-1])
            if number:  # the first of each writes compiled modules
                found.append(took)
    empty, campaign = (statistics.median(found) for found in seconds.values())
    print(f"empty {empty:.2f} s, campaign {campaign:.2f} s: {campaign / empty:.2f} times")
    assert campaign <= 1.3 * empty
