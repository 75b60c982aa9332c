# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""``.airflow-registry.yaml``: what a registry of Airflow providers is told about this one. It is not packaged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_adgen.campaigns import campaign_asset, campaign_refresh
from airflow_provider_adgen.get_provider_info import get_provider_info
from tools.docgen.catalogue import PACKAGE, hooks, operators, sensors
from tools.docgen.text import read_doc

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD = """\
# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
# For the registry of Airflow providers. Made by `python -m tools.generate_docs`: do not edit.
# docs-url, source-url and logo are missing until there are public addresses for them.
"""
_OTHER: tuple[Callable[..., object], ...] = (campaign_refresh, campaign_asset)


def registry_file() -> str:
    """Return the file's text. Strings are written as JSON, which YAML reads."""
    info = get_provider_info()
    lines = [
        f"package-name: {info['package-name']}",
        f"display-name: {json.dumps(info['name'])}",
        f"description: {json.dumps(info['description'])}",
    ]
    found: dict[str, list[tuple[str, object]]] = {
        "operators": [(f"{cls.__module__}.{cls.__name__}", cls) for _, cls in operators()],
        "sensors": [(f"{cls.__module__}.{cls.__name__}", cls) for _, cls in sensors()],
        "hooks": [(f"{cls.__module__}.{cls.__name__}", cls) for _, cls in hooks()],
        "other": [(f"{PACKAGE}.campaigns.{one.__name__}", one) for one in _OTHER],
    }
    for section, modules in found.items():
        lines += ["", f"{section}:"]
        for name, thing in modules:
            lines += [f"  - module: {name}", f"    description: {json.dumps(read_doc(thing).summary)}"]
    return _HEAD + "\n".join(lines) + "\n"
