# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What there is: vendors, connection types, hooks, operators, sensors. Found, not listed."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseSensorOperator

from airflow_provider_adgen.core.registry import get_vendor, vendor_names
from airflow_provider_adgen.get_provider_info import get_provider_info
from airflow_provider_adgen.operators.generate import GenerateOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.core.vendor import Vendor
    from airflow_provider_adgen.hooks.base import AdGenHook

PACKAGE = "airflow_provider_adgen"


@dataclass(frozen=True)
class Listed:
    """
    A vendor of this package.

    :param vendor: its definition.
    :param connection: its entry among the connection types of the provider info.
    :param hook: its hook class.
    :param docs: the vendor's own documentation.
    """

    vendor: Vendor
    connection: dict[str, Any]
    hook: type[AdGenHook]
    docs: str

    @property
    def name(self) -> str:
        """The vendor's name, which is its connection type."""
        return self.vendor.name


@lru_cache(maxsize=1)
def listed_vendors() -> tuple[Listed, ...]:
    """Return the vendors that this package has a connection type for, in the order of their names."""
    info = get_provider_info()
    types = {entry["connection-type"]: entry for entry in info["connection-types"]}
    sites = {entry["integration-name"]: entry.get("external-doc-url", "") for entry in info["integrations"]}
    found = []
    for name in vendor_names():
        if name in types:
            vendor = get_vendor(name)
            module, _, hook = types[name]["hook-class-name"].rpartition(".")
            found.append(Listed(vendor, types[name], getattr(import_module(module), hook), sites[vendor.title]))
    return tuple(found)


def _classes(kind: str, base: type) -> list[tuple[str, type]]:
    """Return the public, concrete classes of a kind, with the integration they belong to."""
    found = []
    for entry in get_provider_info()[kind]:
        for name in entry["python-modules"]:
            for value in vars(import_module(name)).values():
                if (
                    isinstance(value, type)
                    and issubclass(value, base)
                    and value.__module__ == name
                    and not value.__name__.startswith("_")
                    and not inspect.isabstract(value)
                    and "abc.abstractmethod" not in _own_source(value)
                ):
                    found.append((entry["integration-name"], value))
    return found


def _own_source(cls: type) -> str:
    # Airflow's metaclass keeps no record of abstract methods.
    return inspect.getsource(cls)


@lru_cache(maxsize=1)
def operators() -> tuple[tuple[str, type[BaseOperator]], ...]:
    """Return all operators with the name of their integration."""
    return tuple(_classes("operators", BaseOperator))


@lru_cache(maxsize=1)
def sensors() -> tuple[tuple[str, type[BaseOperator]], ...]:
    """Return all sensors with the name of their integration."""
    return tuple(_classes("sensors", BaseSensorOperator))


@lru_cache(maxsize=1)
def hooks() -> tuple[tuple[str, type[AdGenHook]], ...]:
    """Return all hooks with the name of their integration."""
    from airflow_provider_adgen.hooks.base import AdGenHook

    return tuple(_classes("hooks", AdGenHook))


def operator_of(vendor: Vendor, request: type[GenerationRequest]) -> type[GenerateOperator] | None:
    """Return the typed operator of a request."""
    for _, cls in operators():
        if issubclass(cls, GenerateOperator) and (cls.vendor_name, cls.request_kind) == (vendor.name, request.kind):
            return cls
    return None


def arguments(cls: type) -> Iterator[inspect.Parameter]:
    """Yield the keyword arguments that a class names in its own constructor."""
    for parameter in inspect.signature(vars(cls).get("__init__", cls)).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            yield parameter


@dataclass(frozen=True)
class HookMethod:
    """
    One method of a hook.

    :param name: its name; the asynchronous twin has an ``a`` before it.
    :param function: what holds its signature and its docstring.
    """

    name: str
    function: Any

    @property
    def call(self) -> str:
        """How it is called."""
        parts = []
        star = False
        for parameter in inspect.signature(self.function).parameters.values():
            if parameter.name == "self":
                continue
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not star:
                parts.append("*")
                star = True
            default = "" if parameter.default is inspect.Parameter.empty else f"={parameter.default!r}"
            stars = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
            parts.append(f"{stars}{parameter.name}{default}")
        return f"{self.name}({', '.join(parts)})"


def hook_methods(cls: type[AdGenHook]) -> list[HookMethod]:
    """Return the methods that a hook adds to those of every hook; only the synchronous one of each pair."""
    own = vars(cls)
    found = []
    for name, value in own.items():
        twin = name[1:] if name.startswith("a") and name[1:] in own else None
        if name.startswith("_") or twin is not None:
            continue
        function = getattr(value, "__wrapped__", value)
        if inspect.isfunction(function) or inspect.ismethod(function):
            if isinstance(value, staticmethod):
                continue
            found.append(HookMethod(name, function))
    return found
