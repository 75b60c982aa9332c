# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Finds the hook class of a vendor without importing it before a task runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_adgen.hooks.base import AdGenHook

_HOOKS = {
    "adsumo": "airflow_provider_adgen.hooks.adsumo:AdsumoHook",
    "cutx": "airflow_provider_adgen.hooks.cutx:CutxHook",
    "sume": "airflow_provider_adgen.hooks.sume:SumeHook",
    "cinematicads": "airflow_provider_adgen.hooks.cinematicads:CinematicAdsHook",
}


def typed_hook(vendor: str, conn_id: str) -> AdGenHook:
    """Return the vendor's own hook for a connection."""
    module, _, name = _HOOKS[vendor].partition(":")
    hook: AdGenHook = getattr(import_module(module), name)(conn_id)
    return hook
