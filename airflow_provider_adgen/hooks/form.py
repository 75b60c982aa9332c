# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The connection form for Airflow before 3.2, which asks the hook class for it; later ones read the provider info.

Both say the same, because this is made from the provider info.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from airflow_provider_adgen.get_provider_info import connection_type, find_connection_type


def add_form(hook_class: type, conn_type: str) -> None:
    """
    Give *hook_class* the two methods that Airflow looks for in the class itself, not in its bases.

    :param hook_class: the hook of one vendor.
    :param conn_type: its connection type; one of another package gets the fields that all have.
    """
    entry = find_connection_type(conn_type) or connection_type(conn_type, title=conn_type, hook="")

    def get_ui_field_behaviour() -> dict[str, Any]:
        """Return which standard fields are hidden, and what the others are called."""
        return {key.replace("-", "_"): value for key, value in entry["ui-field-behaviour"].items()}

    def get_connection_form_widgets() -> dict[str, Any]:
        """Return the fields that are stored in the connection's extra; needs wtforms."""
        return {name: _field(field) for name, field in entry["conn-fields"].items()}

    for method in (get_ui_field_behaviour, get_connection_form_widgets):
        setattr(hook_class, method.__name__, staticmethod(method))


def _field(field: dict[str, Any]) -> Any:
    # Imported at the time of the call: the API server puts stand-ins in its place, and some Airflow has no wtforms.
    wtforms = import_module("wtforms")

    schema = field["schema"]
    if schema.get("format") == "password":
        kind = wtforms.PasswordField
    elif "boolean" in schema["type"]:
        kind = wtforms.BooleanField
    else:
        # wtforms has no field for fractions or objects: they are typed, and read, as text.
        kind = wtforms.StringField
    return kind(field["label"], description=field["description"], default=schema.get("default"))
