# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Airflow is told about the provider is valid, complete, and the same as what the code does."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import distribution
from importlib.resources import files

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk import BaseOperator, BaseOperatorLink, BaseSensorOperator
from airflow.triggers.base import BaseTrigger

import airflow_provider_adgen
from airflow_provider_adgen import settings
from airflow_provider_adgen.core.registry import get_vendor, vendor_names
from airflow_provider_adgen.get_provider_info import get_provider_info
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.hooks.connection import _Extra

INFO = get_provider_info()
CONNECTION_TYPES = {entry["connection-type"]: entry for entry in INFO["connection-types"]}
KINDS = {"operators": BaseOperator, "sensors": BaseSensorOperator, "hooks": AdGenHook, "triggers": BaseTrigger}

# Only some vendors sign webhooks, or have two headers for a key; the
# loop's view is for a rare hour of debugging, and would crowd the form.
NOT_EVERYWHERE = {"auth", "webhook_secret", "log_poll_loop"}


def hook_class(conn_type: str) -> type[AdGenHook]:
    module, _, name = CONNECTION_TYPES[conn_type]["hook-class-name"].rpartition(".")
    found = getattr(import_module(module), name)
    assert issubclass(found, AdGenHook)
    return found


def schema(name: str) -> dict:
    return json.loads(files("airflow").joinpath(name).read_text())


def test_it_is_what_airflow_accepts():
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_connection_forms_are_what_airflow_accepts():
    accepted = schema("provider.yaml.schema.json")
    for entry in CONNECTION_TYPES.values():
        jsonschema.validate(entry, accepted["properties"]["connection-types"]["items"])


def test_airflow_finds_it():
    (found,) = distribution("airflow-provider-adgen").entry_points.select(group="apache_airflow_provider")
    assert found.load() is get_provider_info


def test_the_commands_are_there():
    for name in INFO["cli"]:
        module, _, function = name.rpartition(".")
        assert [one.name for one in getattr(import_module(module), function)()] == ["adgen"]


def test_the_version_is_the_packages():
    assert INFO["versions"] == [airflow_provider_adgen.__version__]


def test_reading_it_imports_nothing_heavy():
    heavy = ["airflow", "httpx", "pydantic", "pendulum", "tenacity", "airflow_provider_adgen.hooks"]
    code = (
        "import sys; from airflow_provider_adgen.get_provider_info import get_provider_info; get_provider_info(); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_vendor_has_a_connection_type():
    assert sorted(CONNECTION_TYPES) == vendor_names()


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_the_hook_is_the_connection_types(conn_type):
    cls = hook_class(conn_type)
    assert cls.conn_type == conn_type
    assert cls.conn_name_attr == "conn_id"
    assert cls.default_conn_name == f"{conn_type}_default"
    assert cls.hook_name == CONNECTION_TYPES[conn_type]["hook-name"]


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_the_form_says_what_the_vendor_says(conn_type):
    vendor = get_vendor(conn_type)
    entry = CONNECTION_TYPES[conn_type]
    assert entry["hook-name"] == vendor.title
    if vendor.default_base_url is not None:
        assert entry["ui-field-behaviour"]["placeholders"]["host"] == vendor.default_base_url


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_the_form_has_the_fields_that_are_read(conn_type):
    read = set(_Extra.model_fields)
    shown = set(CONNECTION_TYPES[conn_type]["conn-fields"])
    assert shown <= read
    assert read - shown <= NOT_EVERYWHERE


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_an_untouched_form_is_the_defaults(conn_type):
    fields = CONNECTION_TYPES[conn_type]["conn-fields"]
    for untouched in (None, ""):
        saved = {name: field["schema"].get("default", untouched) for name, field in fields.items()}
        assert _Extra.model_validate(saved) == _Extra()


def test_secrets_are_masked_in_the_form():
    for entry in CONNECTION_TYPES.values():
        for name, field in entry["conn-fields"].items():
            assert ("secret" in name) == (field["schema"].get("format") == "password")


def defines(name: str, base: type) -> bool:
    values = vars(import_module(name)).values()
    return any(isinstance(value, type) and issubclass(value, base) and value.__module__ == name for value in values)


@pytest.mark.parametrize("kind", KINDS)
def test_the_modules_listed_are_those_with_something_in_them(kind):
    package = import_module(f"airflow_provider_adgen.{kind}")
    names = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    listed = [module for entry in INFO[kind] for module in entry["python-modules"]]
    assert sorted(listed) == [name for name in sorted(names) if defines(name, KINDS[kind])]


def test_every_link_of_an_operator_is_registered():
    registered = {}
    for path in INFO["extra-links"]:
        module, _, name = path.rpartition(".")
        registered[path] = getattr(import_module(module), name)
    assert all(issubclass(cls, BaseOperatorLink) for cls in registered.values())
    used = set()
    for package in ("operators", "campaigns"):
        for module in pkgutil.iter_modules(import_module(f"airflow_provider_adgen.{package}").__path__):
            if module.name == "reviewing":  # needs Airflow 3.1
                continue
            for value in vars(import_module(f"airflow_provider_adgen.{package}.{module.name}")).values():
                if isinstance(value, type) and issubclass(value, BaseOperator):
                    used |= {f"{type(one).__module__}.{type(one).__qualname__}" for one in value.operator_extra_links}
    assert used == set(registered) <= set(ProvidersManager().extra_links_class_names)
    assert len({cls().xcom_key for cls in registered.values()}) == len({cls.name for cls in registered.values()}) == 4


def test_every_integration_is_declared():
    declared = {entry["integration-name"] for entry in INFO["integrations"]}
    assert {entry["integration-name"] for kind in KINDS for entry in INFO[kind]} <= declared


def test_the_documented_defaults_are_the_ones_used(monkeypatch):
    options = INFO["config"]["adgen"]["options"]
    for name in options:
        monkeypatch.delenv(f"AIRFLOW__ADGEN__{name.upper()}", raising=False)
    for name, option in options.items():
        used, default = getattr(settings, name)(), option["default"]
        assert used == (default if default is None or option["type"] == "string" else json.loads(default.lower()))


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_the_user_interface_shows_the_form(conn_type):
    pytest.importorskip("wtforms")
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    entry = CONNECTION_TYPES[conn_type]
    (shown,) = [meta for meta in HookMetaService.hook_meta_data() if meta.connection_type == conn_type]
    assert shown.hook_name == entry["hook-name"]
    standard = shown.standard_fields
    assert standard is not None
    assert standard.password.title == "API key"
    assert standard.host.title == "Base URL"
    assert standard.login.hidden
    assert standard.port.hidden
    assert standard.url_schema.hidden
    assert shown.extra_fields is not None
    assert set(shown.extra_fields) == set(entry["conn-fields"])
    for name, field in shown.extra_fields.items():
        assert field["schema"]["title"] == entry["conn-fields"][name]["label"]
        assert field["schema"].get("format") == entry["conn-fields"][name]["schema"].get("format")
