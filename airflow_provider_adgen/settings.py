# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The ``[adgen]`` section of Airflow's configuration; ``get_provider_info`` documents each option."""

from __future__ import annotations

from airflow_provider_adgen import compat

SECTION = "adgen"


def poll_interval() -> float:
    """Return ``poll_interval``: seconds between two polls of a job (default 15)."""
    return float(compat.conf.getfloat(SECTION, "poll_interval", fallback=15.0))


def first_fire_delay() -> float:
    """Return ``first_fire_delay``: seconds before a trigger may fire first (default 2)."""
    return float(compat.conf.getfloat(SECTION, "first_fire_delay", fallback=2.0))


def max_concurrent_requests() -> int:
    """Return ``max_concurrent_requests``: requests of one account at a time, per process (default 256)."""
    return int(compat.conf.getint(SECTION, "max_concurrent_requests", fallback=256))


def freeze_heap() -> bool:
    """Return ``freeze_heap``: whether a triggerer's full garbage collections are kept short (default False)."""
    return bool(compat.conf.getboolean(SECTION, "freeze_heap", fallback=False))


def batch_collect_seconds() -> float:
    """Return ``batch_collect_seconds``: seconds after a batch's first job is over (default 300)."""
    return float(compat.conf.getfloat(SECTION, "batch_collect_seconds", fallback=300.0))


def ledger_path() -> str | None:
    """Return ``ledger_path``: an object-storage path for records of paid jobs (no default)."""
    path = (compat.conf.get(SECTION, "ledger_path", fallback="") or "").strip()
    return path or None


def spending() -> str:
    """Return ``spending`` (default ``allowed``) as it is written: an unknown word refuses where it is used."""
    return (compat.conf.get(SECTION, "spending", fallback="") or "").strip().lower() or "allowed"


def budgets() -> str | None:
    """Return ``budgets``: the JSON text of what each account may spend (no default)."""
    text = (compat.conf.get(SECTION, "budgets", fallback="") or "").strip()
    return text or None


def destination_urls() -> str | None:
    """Return ``destination_urls``: the JSON text of web addresses by storage path (no default)."""
    text = (compat.conf.get(SECTION, "destination_urls", fallback="") or "").strip()
    return text or None
