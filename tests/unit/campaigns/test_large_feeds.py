# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Fifty thousand products, in a process of its own: in less than a minute, and in less than 500 MB."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROWS = 50_000
TEXT = "<p>A dimmable desk lamp of oak &amp; brass, made to last.</p>" * 12

MEASURE = """
import json, re, resource, sys, time
from airflow_provider_adgen.campaigns import read_catalogue
started = time.process_time()
found = read_catalogue(sys.argv[1])
seconds = time.process_time() - started
if sys.platform == "linux":  # ru_maxrss counts what the parent had when it started this process
    with open("/proc/self/status") as file:
        peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", file.read())[1]) >> 10
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20
print(json.dumps([len(found.products), seconds, peak]))
"""


def rows() -> Iterator[dict[str, str]]:
    for number in range(ROWS):
        yield {
            "id": f"SKU-{number}",
            "title": f"Lamp {number}",
            "description": TEXT,
            "link": f"https://shop.example.com/{number}?utm_source=feed",
            "image_link": f"https://shop.example.com/{number}.jpg",
            "price": f"{number}.99 EUR",
            "availability": "in_stock",
            **{f"custom_label_{label}": "" for label in range(5)},
        }


def as_csv() -> Iterator[str]:
    for number, row in enumerate(rows()):
        if not number:
            yield ",".join(row) + "\n"
        yield ",".join(f'"{value}"' for value in row.values()) + "\n"


def as_json() -> Iterator[str]:
    return (json.dumps(row) + "\n" for row in rows())


def as_xml() -> Iterator[str]:
    yield '<rss xmlns:g="http://base.google.com/ns/1.0"><channel>\n'
    for row in rows():
        yield f"<item>{''.join(f'<g:{name}><![CDATA[{value}]]></g:{name}>' for name, value in row.items())}</item>\n"
    yield "</channel></rss>"


@pytest.mark.slow
@pytest.mark.parametrize("form", [as_csv, as_json, as_xml], ids=["csv", "jsonl", "xml"])
def test_fifty_thousand_products(tmp_path: Path, form: Callable[[], Iterator[str]]):
    path = tmp_path / "feed"
    with path.open("w") as file:
        file.writelines(form())
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    products, seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    assert products == ROWS
    assert seconds < 40
    assert megabytes < 400
