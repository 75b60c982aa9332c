# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the page about the manifest shows works, and names every field that there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_adgen.campaigns import build_manifest
from tests.support.creatives import creative, generation, item, result

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "gallery.md").read_text(encoding="utf-8")


@pytest.fixture
def campaign(tmp_path: Path) -> tuple[Any, dict[str, Any]]:
    """A plan, and what its batch task returned."""
    one = item("LMP/hero")
    made = generation("image", creative("image", f"file://{tmp_path}/i.png"))
    (tmp_path / "results.jsonl").write_text(json.dumps(result(one, "completed", made)) + "\n", encoding="utf-8")
    (tmp_path / "i.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x20" + bytes(9))
    batch = {"results": f"file://{tmp_path}/results.jsonl", "credits": {"adsumo_default": {"charged": 3}}}
    return SimpleNamespace(items=[one], to_dict=lambda: {"trimmed": []}), batch


def test_its_example_writes_both_files(campaign: tuple[Any, dict[str, Any]], tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/gallery.md", "exec"), names)  # noqa: S102 - it is this project's own
    names["describe"](f"file://{tmp_path}", {"dag_id": "spring"}, *campaign)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    [entry] = manifest["items"]
    assert [(one["width"], one["height"]) for one in entry["creatives"]] == [(16, 32)]
    assert manifest["credits"]["adsumo_default"]["charged"] == 3
    assert '"link":"i.png"' in (tmp_path / "gallery.html").read_text(encoding="utf-8")


def test_every_field_is_described(campaign: tuple[Any, dict[str, Any]]) -> None:
    manifest = build_manifest({}, campaign[0].items, [])
    said = set(re.findall(r"`(\w+)`", TEXT))
    entry, made = manifest["items"][0], generation("image", creative("image", "s3://ads/i.png"))
    other = build_manifest({}, campaign[0].items, [result(campaign[0].items[0], "completed", made)])
    [file] = other["items"][0]["creatives"]
    skipped = {name for sort in manifest["skipped"].values() for name in sort}
    assert {
        *manifest,
        *manifest["totals"],
        *manifest["skipped"],
        *skipped,
        *entry,
        *entry["product"],
        *entry["credits"],
        *file,
    } <= said
