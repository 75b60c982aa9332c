# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What Airflow is told about this provider: its connection types and their forms, its configuration, its modules.

Every Airflow component calls this when it starts, so it imports nothing but the version.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_adgen.core.version import VERSION

_PACKAGE = "airflow_provider_adgen"

# What each vendor calls itself, its documentation, the base URL to show, and what its API calls the key.
_VENDORS: dict[str, dict[str, str]] = {
    "adsumo": {
        "title": "Adsumo",
        "hook": "adsumo.AdsumoHook",
        "docs": "https://www.adsumo.ai/docs/api/v1",
        "base_url": "https://www.adsumo.ai/api/v1",
        "key": "adsumo_sk_...",
    },
    "cinematicads": {
        "title": "CinematicAds",
        "hook": "cinematicads.CinematicAdsHook",
        "docs": "https://cinematicads.studio/en/api-docs",
        "base_url": "https://cinematicads.studio",
        "key": "the API key from your account settings",
    },
    "cutx": {
        "title": "CutX",
        "hook": "cutx.CutxHook",
        "docs": "https://cutx-docs.pages.dev",
        "base_url": "required: the address of your CutX account",
        "key": "the 7-day token (JWT)",
    },
    "sume": {
        "title": "Sume",
        "hook": "sume.SumeHook",
        "docs": "https://docs.sume.so",
        "base_url": "https://www.sume.so/api/v1",
        "key": "sume_live_...",
    },
}

# Shown in the connection form, stored in the connection's extra.
_FIELDS: dict[str, dict[str, Any]] = {
    "timeout": {
        "label": "Timeout",
        "description": "Seconds a request may take in all, a paid one too. Empty means 60.",
        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 3600},
    },
    "requests_per_minute": {
        "label": "Requests per minute",
        "description": "A limit of your own, kept by each process for itself. Empty means only the vendor's limits.",
        "schema": {"type": ["number", "null"], "minimum": 1},
    },
    "verify": {
        "label": "Verify TLS",
        "description": 'Empty means yes. The path of a CA bundle, or "false" to accept any certificate.',
        "schema": {"type": ["string", "null"]},
    },
    "headers": {
        "label": "Headers",
        "description": "Further headers for the vendor's host, as a JSON object. Never sent to a storage host.",
        "schema": {"type": ["object", "null"]},
    },
    "allow_http": {
        "label": "Allow plain http",
        "description": "Send the key unencrypted to hosts other than this machine. Only inside a network of your own.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "sandbox": {
        "label": "Sandbox",
        "description": "Nothing at this address costs money: [adgen] spending = sandbox allows paid requests to it.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "budget_group": {
        "label": "Budget",
        "description": "The key in [adgen] budgets that it is under. Empty means the connection's own id.",
        "schema": {"type": ["string", "null"]},
    },
}

# Fields that only some vendors have.
_OWN_FIELDS: dict[str, dict[str, dict[str, Any]]] = {
    "adsumo": {
        "webhook_secret": {
            "label": "Webhook secret",
            "description": "The secret that the vendor signs its webhooks with.",
            "schema": {"type": ["string", "null"], "format": "password"},
        }
    },
    "sume": {
        "auth": {
            "label": "Authentication",
            "description": "Empty means a bearer token. x-api-key sends the key in the vendor's legacy header.",
            "schema": {"type": ["string", "null"]},
        }
    },
}

# Modules that serve every vendor, by the kind of thing in them.
_SHARED: dict[str, list[str]] = {
    "operators": ["batch", "credits", "download", "generate", "resource"],
    "sensors": ["base", "credits", "generation"],
    "hooks": ["base"],
    "triggers": ["base", "batch", "credits", "generation", "submit_queue"],
}

# The vendors that have a module of their own, by the kind of thing in it.
_OWN: dict[str, tuple[str, ...]] = {
    "operators": tuple(_VENDORS),
    "sensors": ("cinematicads", "sume"),
    "hooks": tuple(_VENDORS),
    "triggers": ("cinematicads", "sume"),
}

_LINKS = ("DashboardLink", "GalleryLink", "ResultsLink", "StoredFileLink")

_ANY_VENDOR = "AI ad generation"


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow's providers manager wants to know."""
    return {
        "package-name": "airflow-provider-adgen",
        "name": "AI ad generation",
        "description": "Pays once for AI-generated ads, waits without holding a worker, and stores what was paid for.",
        "versions": [VERSION],
        "integrations": [
            {"integration-name": _ANY_VENDOR, "tags": ["service"]},
            *(
                {"integration-name": vendor["title"], "external-doc-url": vendor["docs"], "tags": ["service"]}
                for vendor in _VENDORS.values()
            ),
        ],
        "connection-types": [_own_connection_type(name) for name in _VENDORS],
        **{kind: _modules(kind) for kind in _SHARED},
        # Airflow shows a link only if its class is named here.
        "extra-links": [f"{_PACKAGE}.operators.links.{name}" for name in _LINKS],
        "cli": [f"{_PACKAGE}.cli.definition.get_commands"],
        "config": {"adgen": {"description": "AI ad generation.", "options": _options()}},
    }


def connection_type(
    name: str,
    *,
    title: str,
    hook: str,
    key: str = "",
    base_url: str = "",
    fields: dict[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """
    Return the entry of a connection type with its form, for the provider info of any package that has a vendor.

    :param name: the vendor's name.
    :param title: what it calls itself.
    :param hook: the whole name of its hook class, a subclass of :class:`AdGenHook` with that connection type.
    :param key: what to show in an empty password field.
    :param base_url: what to show in an empty host field.
    :param fields: further fields, stored in the connection's extra.
    """
    return {
        "connection-type": name,
        "hook-class-name": hook,
        "hook-name": title,
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "login"],
            "relabeling": {"password": "API key", "host": "Base URL"},
            "placeholders": {"password": key, "host": base_url},
        },
        "conn-fields": {**_FIELDS, **(fields or {})},
    }


def find_connection_type(name: str) -> dict[str, Any] | None:
    """Return this package's entry for a connection type; None for one of another package."""
    return _own_connection_type(name) if name in _VENDORS else None


def _own_connection_type(name: str) -> dict[str, Any]:
    vendor = _VENDORS[name]
    return connection_type(
        name,
        title=vendor["title"],
        hook=f"{_PACKAGE}.hooks.{vendor['hook']}",
        key=vendor["key"],
        base_url=vendor["base_url"],
        fields=_OWN_FIELDS.get(name),
    )


def _modules(kind: str) -> list[dict[str, Any]]:
    listed = [(_ANY_VENDOR, _SHARED[kind])]
    listed += [(_VENDORS[name]["title"], [name]) for name in _OWN[kind]]
    return [
        {"integration-name": title, "python-modules": [f"{_PACKAGE}.{kind}.{module}" for module in modules]}
        for title, modules in listed
    ]


def _options() -> dict[str, Any]:
    return {
        "ledger_path": _option(
            "Object-storage path of the ledger, which has a record of every paid job, for instance "
            "``s3://conn@bucket/adgen``. Required below Airflow 3.3, where Airflow cannot keep such a record. From 3.3 "
            "on it is a second record, which remains when Airflow's is deleted. Not set: no ledger.",
            "string",
            example="s3://aws_default@my-bucket/adgen-ledger",
        ),
        "spending": _option(
            "Which paid requests are sent, a hook's too: ``allowed`` (all), ``sandbox`` (only to hosts on this "
            'machine, and to connections with ``"sandbox": true`` in their extra) or ``forbidden`` (none). Any other '
            "word refuses them. What is paid for already is collected and stored all the same.",
            "string",
            default="allowed",
        ),
        "budgets": _option(
            "What accounts may spend per UTC day and month, in whole credits: a JSON object whose keys are connection "
            "ids, or the ``budget_group`` of their extra. It holds over all tasks, runs and hooks of all workers, and "
            "needs ``ledger_path``. Not set: no limit.",
            "string",
            example='{"adsumo_default": {"day": 500, "month": 8000}}',
        ),
        "destination_urls": _option(
            "The web addresses under which people reach what is stored: a JSON object, whose keys are object-storage "
            "paths without a connection and whose values begin with https:// (or http://). Of several paths that hold "
            "a file, the longest counts. Tasks link to their results there; nothing is signed. Not set: no such links.",
            "string",
            example='{"s3://my-bucket/ads": "https://ads.example.com"}',
        ),
        "poll_interval": _option(
            "Seconds between two polls of a running job, for tasks that do not set ``poll_interval``.",
            "float",
            default="15",
        ),
        "max_concurrent_requests": _option(
            "Requests to one account that a process sends at the same time, at most. Where each job is polled by "
            "itself, there are usually as many as jobs, divided by ``poll_interval``, times the seconds that an answer "
            "takes.",
            "integer",
            default="256",
        ),
        "freeze_heap": _option(
            "Whether to exclude what a triggerer has loaded from Python's full garbage collections (``gc.freeze``). It "
            "is done once per triggerer, by the first generation that waits there, and only while few other tasks run. "
            "It changes the whole process, so it is off by default. Turn it on if full collections delay your "
            "triggers: each one scans all objects that Airflow has imported and stops the event loop for that time "
            "(0.2 to 0.7 seconds on a busy machine with two cores). The objects that exist at that moment are never "
            "freed if they become garbage in a reference cycle.",
            "boolean",
            default="False",
        ),
        "batch_collect_seconds": _option(
            "Seconds after a batch's first job is over at which its task resumes to store results, if nothing else "
            "resumed it before.",
            "float",
            default="300.0",
        ),
        "first_fire_delay": _option(
            "Seconds that a deferred task waits at least before it resumes. Airflow's scheduler can mistake a task for "
            "failed if it resumes within a second of being deferred.",
            "float",
            default="2",
        ),
    }


def _option(description: str, kind: str, *, default: str | None = None, example: str | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": example,
        "default": default,
    }
