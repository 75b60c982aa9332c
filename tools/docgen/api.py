# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The pages of the API reference: which modules are on which page."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from tools.docgen.catalogue import PACKAGE
from tools.docgen.text import paragraphs, table

_GROUPS: dict[str, tuple[str, str]] = {
    "operators": ("Operators", "What a DAG is made of."),
    "sensors": ("Sensors", "What a DAG waits with."),
    "hooks": ("Hooks", "Accounts, from an Airflow connection to calls, blocking or not."),
    "triggers": (
        "Triggers",
        "What waits in the triggerer, and the poll loop that all of a connection's triggers share.",
    ),
    "vendors": ("Vendors", "Requests and answers of each vendor's API."),
    "core": ("Core", "Vocabulary, errors, the wire and the pure decisions. Nothing of Airflow."),
    "campaigns": ("Campaigns", "Catalogues, briefs, plans and manifests, for the example DAG and for yours."),
    "lifecycle": ("Lifecycle", "The life of one paid generation. Internal: no promise that it stays as it is."),
    "ledger": ("Ledger", "The durable record of a paid job. Internal."),
    "delivery": ("Delivery", "Creatives to object storage. Internal."),
    "sandbox": ("Sandbox", "The local server for tests and demonstrations."),
}
# Of these, what a user of them needs: modules by the last part of their names.
_SHOWN = {
    "sandbox": {"client", "pytest_plugin", "server"},
    "vendors": {"api", "briefs", "models", "products", "requests", "vendor"},
}


def modules(group: str) -> list[str]:
    """Return the modules of a page."""
    package = import_module(f"{PACKAGE}.{group}")
    found = []
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        parts = module.name.split(".")[2:]
        if any(part.startswith("_") for part in parts) or module.ispkg:
            continue
        if group in _SHOWN and parts[-1] not in _SHOWN[group]:
            continue
        found.append(module.name)
    return sorted(found)


def api_pages() -> dict[str, str]:
    """Return the pages by file name."""
    pages = {}
    for group, (title, text) in _GROUPS.items():
        blocks = [f"# {title}", text]
        for name in modules(group):
            blocks.append(f"## {name.removeprefix(f'{PACKAGE}.')}")
            blocks.append(f"```{{eval-rst}}\n.. automodule:: {name}\n```")
        pages[f"{group}.md"] = paragraphs(*blocks)
    index = paragraphs(
        "# API reference",
        "Made from the docstrings. What a DAG author needs is in the other pages; this is for whoever writes Python "
        "against the hooks, or a vendor of their own.",
        table(["Page", "What it is"], [[f"[{title}]({group}.md)", text] for group, (title, text) in _GROUPS.items()]),
        "```{toctree}\n:hidden:\n\n" + "\n".join(_GROUPS) + "\n```",
    )
    return {"index.md": index, **pages}
