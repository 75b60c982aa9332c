# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A person fills in the connection form and presses Test."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.get_provider_info import get_provider_info

ENTRIES = {entry["connection-type"]: entry for entry in get_provider_info()["connection-types"]}


@pytest.fixture(scope="module")
def stack_options():
    return {"dags": [], "components": ["api-server"]}


@pytest.mark.parametrize("conn_type", ENTRIES)
def test_the_form_is_there(stack, conn_type):
    forms = {form["connection_type"]: form for form in stack.api("GET", "/ui/connections/hook_meta")}
    form = forms[conn_type]
    assert form["hook_name"] == ENTRIES[conn_type]["hook-name"]
    assert form["standard_fields"]["password"]["title"] == "API key"
    assert form["standard_fields"]["login"]["hidden"]
    assert set(form["extra_fields"]) == set(ENTRIES[conn_type]["conn-fields"])


@pytest.mark.parametrize("conn_type", ENTRIES)
def test_the_test_button_accepts_the_key(stack, sandbox, conn_type):
    before = sandbox.ledger()
    answer = press_test(stack, conn_type, sandbox.host_for(conn_type), sandbox.key_for(conn_type))
    assert answer["status"] is True, answer
    assert ENTRIES[conn_type]["hook-name"] in answer["message"]
    assert sandbox.ledger() == before


@pytest.mark.parametrize("conn_type", ENTRIES)
def test_the_test_button_refuses_a_wrong_key_without_showing_it(stack, sandbox, conn_type):
    key = sandbox.key_for(conn_type)[:-4] + "0000"
    answer = press_test(stack, conn_type, sandbox.host_for(conn_type), key)
    assert answer["status"] is False
    assert "key" in answer["message"]
    assert key not in answer["message"]
    assert not stack.files_holding(key)


def press_test(stack, conn_type: str, host: str, key: str) -> dict:
    body = {"connection_id": "tried", "conn_type": conn_type, "host": host, "password": key, "extra": "{}"}
    return stack.api("POST", "connections/test", body)
