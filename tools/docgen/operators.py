# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Operators and sensors with all their arguments."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_adgen.operators.batch import GenerateBatchOperator
from airflow_provider_adgen.operators.generate import GenerateOperator
from tools.docgen.catalogue import arguments, hook_methods, listed_vendors, operators, sensors
from tools.docgen.text import bullets, code, paragraphs, read_doc, sentence, table

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

_ANY = "Any vendor"
_SILENT = "costs credits is not documented"
_DEFERRABLE = "Airflow's `[operators] default_deferrable`"


def common_arguments() -> str:
    """Return what every operator that pays takes."""
    return _arguments(GenerateOperator, skip=("request",))


def operator_reference() -> str:
    """Return all operators, by vendor."""
    return _reference(operators(), skip=frozenset())


def sensor_reference() -> str:
    """Return all sensors."""
    return _reference(sensors(), skip=frozenset())


def _reference(found: tuple[tuple[str, type[BaseOperator]], ...], *, skip: frozenset[str]) -> str:
    blocks, heading = [], ""
    for title, cls in found:
        title = _ANY if title == "AI ad generation" else title
        if title != heading:
            blocks.append(f"### {title}")
            heading = title
        blocks.append(_class(cls))
    return paragraphs(*blocks)


def _class(cls: type[BaseOperator]) -> str:
    doc = read_doc(cls)
    also = ""
    if issubclass(cls, GenerateOperator):
        also = "And the [arguments of every operator that pays](#arguments-of-every-operator-that-pays)."
        rows = _arguments(cls, skip=()) if cls is not GenerateOperator else _arguments(cls, only=("conn_id", "request"))
    else:
        rows = _arguments(cls, skip=())
    raises = [f"{code(name)}: {text}" for name, text in doc.raises] if cls is not GenerateOperator else []
    return paragraphs(
        f"#### {cls.__name__}",
        f"`from {cls.__module__} import {cls.__name__}`",
        *doc.body,
        rows,
        also,
        "Raises:" if raises else "",
        bullets(raises),
    )


def _arguments(cls: type[BaseOperator], *, skip: tuple[str, ...] = (), only: tuple[str, ...] = ()) -> str:
    meanings = _meanings(cls)
    rows = []
    for parameter in _all_arguments(cls):
        name = parameter.name
        if name in skip or (only and name not in only):
            continue
        rows.append(
            [
                code(name),
                _default(parameter),
                "yes" if name in cls.template_fields else "",
                sentence(meanings.get(name, "")),
            ]
        )
    return table(["Argument", "Default", "Templated", "Meaning"], rows)


def _all_arguments(cls: type[BaseOperator]) -> list[inspect.Parameter]:
    """Return the arguments a class names itself, then those of its bases in this package; a paying one only its own."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if not base.__module__.startswith("airflow_provider_adgen") or "__init__" not in vars(base):
            continue
        for parameter in arguments(base):
            found.setdefault(parameter.name, parameter)
        if issubclass(cls, GenerateOperator):
            break
    return list(found.values())


def _meanings(cls: type) -> dict[str, str]:
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("airflow_provider_adgen"):
            found.update(read_doc(base).params)
    return found


def _default(parameter: inspect.Parameter) -> str:
    if parameter.name == "deferrable":
        return _DEFERRABLE
    if parameter.default is inspect.Parameter.empty:
        return "**required**"
    if parameter.default is None:
        return "not set"
    if isinstance(parameter.default, timedelta):
        return f"{parameter.default.total_seconds():g} s"
    if isinstance(parameter.default, float):
        return code(f"{parameter.default:g}")
    return code('"' + parameter.default + '"') if isinstance(parameter.default, str) else code(parameter.default)


def spending_table() -> str:
    """Return which classes can cost credits."""
    pays, silent, free = [], [], []
    for _, cls in (*operators(), *sensors()):
        name = code(cls.__name__)
        text = " ".join(read_doc(cls).body)
        if issubclass(cls, (GenerateOperator, GenerateBatchOperator)):
            pays.append(name)
        elif _SILENT in text:
            silent.append(name)
        else:
            free.append(name)
    rows = [["**Yes**, once per task, or per item of a batch", ", ".join(pays)]]
    hooks = "a hook's `submit` and `asubmit`: of the operators' guards, only `[adgen] spending` and `budgets` are in it"
    rows.append(["**Yes**, each call", hooks])
    for one in listed_vendors():
        found = [method for method in hook_methods(one.hook) if _SILENT in " ".join(read_doc(method.function).body)]
        silent += [code(f"{one.hook.__name__}.{method.name}") for method in found]
    if silent:
        rows.append(["The vendor does not say", ", ".join(silent)])
    rows.append(["No", ", ".join([*free, "the connection's Test button", "all other hook methods", "the sandbox"])])
    return table(["Can it cost credits?", "What"], rows)
