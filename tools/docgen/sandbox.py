# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The sandbox's settings, faults and controls."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING

from airflow_provider_adgen.sandbox import client, registry
from airflow_provider_adgen.sandbox.adsumo.generations import AI_VIDEO_CREDITS, TEMPLATE_VIDEO_CREDITS, image_price
from airflow_provider_adgen.sandbox.engine import faults
from airflow_provider_adgen.sandbox.engine import settings as engine_settings
from airflow_provider_adgen.sandbox.sume import creates, jobs
from tools.docgen.catalogue import HookMethod
from tools.docgen.text import code, paragraphs, read_doc, sentence, table

if TYPE_CHECKING:
    from types import ModuleType

_COMMENT = re.compile(r"\s*# ?(.*)")
_ENTRY = re.compile(r'\s*"(\w+)":')


def fault_kinds() -> str:
    """Return the kinds of faults."""
    return table(["Kind", "What happens"], [[code(kind), sentence(text)] for kind, text in faults.KINDS.items()])


def fault_rules() -> str:
    """Return what a fault can be told."""
    params = {name: text for name, text in read_doc(faults.Fault).params.items() if name != "kind"}
    return table(["Argument", "Meaning"], [[code(name), sentence(text)] for name, text in params.items()])


def controls() -> str:
    """Return what a test can ask and tell a sandbox."""
    rows = []
    for name, value in vars(client.SandboxClient).items():
        function = value.fget if isinstance(value, property) else value
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        call = name if isinstance(value, property) else HookMethod(name, function).call
        rows.append([code(call), sentence(read_doc(function).summary)])
    return table(["Method", "What it does"], rows)


def prices() -> str:
    """Return what is charged where a vendor documents no price: the sandbox's own choice."""
    models = ", ".join(f"{code(name)} {credits_}" for name, credits_ in AI_VIDEO_CREDITS.items())
    shots = f"{image_price('fast', '1k', 1)} to {image_price('pro', '4k', 1)} for each image, as `text-to-image`"
    second = creates.CREDITS[jobs.VIDEO]
    rows = [
        ["Adsumo", "`ai-video`", f"by model: {models}"],
        ["Adsumo", "`product-shots`", shots],
        ["Adsumo", "`template-video`", f"{TEMPLATE_VIDEO_CREDITS}"],
        ["Sume", "`image`", f"{creates.CREDITS[jobs.IMAGE]} for each image"],
        [
            "Sume",
            "`video`",
            f"{second} for each second, so {8 * second} for 8 seconds; {5 * second} without `duration`",
        ],
        ["Sume", "`ad-video`", f"{creates.CREDITS[jobs.AD]}"],
        ["Sume", "`face-swap`", f"{creates.CREDITS[jobs.SWAP]} for each avatar"],
        ["Sume", "`reference-analysis`", f"{creates.CREDITS[jobs.ANALYSIS]}"],
    ]
    return table(["Vendor", "Request", "Credits"], rows)


def settings_tables() -> str:
    """Return every setting with its default and what the source says of it."""
    defaults = registry.default_settings()
    common = _comments(engine_settings)
    shared = engine_settings.COMMON
    blocks = ["Every vendor's section:", _table(dict(shared), common)]
    blocks += ["Section `media`:", _table(defaults.pop("media"), common)]
    for vendor in registry.make_vendors():
        own = {
            name: value for name, value in defaults[vendor.name].items() if name not in shared or value != shared[name]
        }
        module = inspect.getmodule(type(vendor))
        blocks += [f"Section `{vendor.name}`, besides:", _table(own, _comments(module) if module else {})]
    return paragraphs(*blocks)


def _table(values: dict[str, object], comments: dict[str, str]) -> str:
    rows = [[code(name), code(json.dumps(value)), sentence(comments.get(name, ""))] for name, value in values.items()]
    return table(["Setting", "Default", "Meaning"], rows)


def _comments(module: ModuleType) -> dict[str, str]:
    """Return the comment above each entry of a module's dictionaries."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in inspect.getsource(module).splitlines():
        if comment := _COMMENT.fullmatch(line):
            above.append(comment[1])
            continue
        if (entry := _ENTRY.match(line)) and above:
            found.setdefault(entry[1], " ".join(above))
        above = []
    return found
