# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Connections and configuration, from what Airflow is told about this provider."""

from __future__ import annotations

from typing import Any

from airflow_provider_adgen.core.vocabulary import Creative, Credits, Generation, GenerationStatus
from airflow_provider_adgen.get_provider_info import get_provider_info
from airflow_provider_adgen.hooks.base import AdGenHook
from tools.docgen.catalogue import Listed, hook_methods, listed_vendors
from tools.docgen.text import code, codes, paragraphs, read_doc, sentence, table


def connection_table() -> str:
    """Return the connection types."""
    rows = []
    for one in listed_vendors():
        base = one.vendor.default_base_url
        rows.append(
            [
                f"[{one.vendor.title}](vendors/{one.name}.md)",
                code(one.name),
                code(base) if base else "**required**: the vendor documents none",
                password(one),
                code(one.vendor.check().endpoint),
            ]
        )
    return table(
        ["Vendor", "Type", "Host (base URL)", "Password", "The Test button asks"],
        rows,
    )


def password(one: Listed) -> str:
    """Return what goes into the password, and its form where it has one."""
    form = str(one.connection["ui-field-behaviour"]["placeholders"]["password"])
    return f"the {one.vendor.key_form}, {code(form)}" if " " not in form else form


def connection_fields() -> str:
    """Return the fields of the extra."""
    vendors = listed_vendors()
    fields: dict[str, dict[str, Any]] = {}
    for one in vendors:
        fields.update(one.connection["conn-fields"])
    rows = []
    for name, field in fields.items():
        having = [one.vendor.title for one in vendors if name in one.connection["conn-fields"]]
        rows.append(
            [
                code(name),
                field["label"],
                "all" if len(having) == len(vendors) else ", ".join(having),
                sentence(field["description"]),
            ]
        )
    return table(["Key in extra", "In the form", "Vendors", "Meaning"], rows)


def connection_examples() -> str:
    """Return one connection per vendor as an environment variable takes it."""
    lines = []
    for one in listed_vendors():
        host = "" if one.vendor.default_base_url else ', "host": "https://your-account.example"'
        lines.append(
            f"export AIRFLOW_CONN_{one.name.upper()}_DEFAULT="
            f'\'{{"conn_type": "{one.name}", "password": "<your {one.vendor.key_form}>"{host}}}\''
        )
    return "```bash\n" + "\n".join(lines) + "\n```"


def common_hook_methods() -> str:
    """Return what every hook has."""
    rows = [
        [code(method.call), sentence(read_doc(method.function).summary)]
        for method in hook_methods(AdGenHook)
        if method.name in {"get_credits", "submit", "get_generation", "download", "test_connection"}
    ]
    return table(["Method", "What it does"], rows)


def configuration() -> str:
    """Return the section of Airflow's configuration."""
    blocks = []
    for section, content in get_provider_info()["config"].items():
        for name, option in content["options"].items():
            facts = [
                f"type {code(option['type'])}",
                f"default {code(option['default'])}" if option["default"] is not None else "no default",
                f"environment variable {code(f'AIRFLOW__{section.upper()}__{name.upper()}')}",
                f"since {option['version_added']}",
            ]
            example = f"For example {code(option['example'])}." if option["example"] else ""
            blocks += [f"## {name}", option["description"].replace("``", "`"), example, f"({'; '.join(facts)})"]
    return paragraphs(*blocks)


def vocabulary() -> str:
    """Return what goes through XCom."""
    blocks = [
        "The dictionary:",
        table(
            ["Key", "Meaning"],
            [
                [code("schema"), "Version of this shape: `1`."],
                *([code(name), sentence(text)] for name, text in read_doc(Generation).params.items()),
            ],
        ),
        "Each of its `creatives`:",
        table(["Key", "Meaning"], [[code(name), sentence(text)] for name, text in read_doc(Creative).params.items()]),
        "Its `credits`, in whole credits; `None` where the vendor does not tell:",
        table(["Key", "Meaning"], [[code(name), sentence(text)] for name, text in read_doc(Credits).params.items()]),
    ]
    return paragraphs(*blocks)


def status_words() -> str:
    """Return all status words."""
    return codes(status.value for status in GenerationStatus)
