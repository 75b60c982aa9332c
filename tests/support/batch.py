# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A batch of items at several accounts of the sandbox, over HTTP: run it, retry it, clear it, read what was paid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from airflow_provider_adgen.sandbox import Sandbox

REQUESTS: dict[str, dict[str, Any]] = {
    "adsumo": {"kind": "text-to-image", "prompt": "A red bottle", "model": "fast", "aspect_ratio": "1:1"},
    "sume": {"kind": "image", "prompt": "A red bottle"},
}


def item(key: str, *vendors: str, prompt: str = "A red bottle", **more: Any) -> dict[str, Any]:
    """Return an item with a choice for each vendor, by default Adsumo."""
    choices = [
        {"conn_id": f"{vendor}_default", "request": {**REQUESTS[vendor], "prompt": f"{prompt} {key}"}}
        for vendor in vendors or ("adsumo",)
    ]
    return {"key": key, "choices": choices, **more}


def items(count: int, *vendors: str, **more: Any) -> list[dict[str, Any]]:
    """Return items with keys of their own."""
    return [item(f"product-{number:04d}/hero", *vendors, **more) for number in range(count)]


class BatchRig(Rig):
    """A batch whose tries share a record."""

    def __init__(self, sandbox: Sandbox, patch: pytest.MonkeyPatch, folder: Path) -> None:
        super().__init__(sandbox, patch, folder, records="objects")
        for vendor in ("sume", "cutx", "cinematicads"):
            value = self.sandbox.connection(vendor, timeout=5)
            patch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", json.dumps(value))
        self.connect(timeout=5)

    def batch(self, items: Iterable[dict[str, Any]], **fields: Any) -> Any:
        """Return the operator."""
        from airflow_provider_adgen.operators.batch import GenerateBatchOperator

        given = {
            "task_id": "make",
            "poll_interval": 0.05,
            "deferrable": True,
            "items": items,
            "destination": self.destination,
            **fields,
        }
        return GenerateBatchOperator(**given)

    def lines(self) -> dict[str, dict[str, Any]]:
        """Return the lines of the results, by key."""
        from airflow_provider_adgen.campaigns import read_results

        return {line["key"]: line for line in read_results(self.xcoms["results"])}

    def statuses(self) -> dict[str, str]:
        return {key: line["status"] for key, line in self.lines().items()}

    def files(self) -> list[str]:
        """Return the stored creatives, below the destination."""
        folder = self.folder / "creatives"
        found = [path for path in folder.rglob("*") if path.is_file() and "_adgen" not in path.parts]
        return sorted(str(path.relative_to(folder)) for path in found)
