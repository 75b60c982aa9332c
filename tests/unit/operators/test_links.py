# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Links on a task's page: where they lead, that the API server knows of them, and that none is signed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.core.account import Account
from airflow_provider_adgen.core.registry import get_vendor, vendor_names
from airflow_provider_adgen.core.scrub import Secret
from airflow_provider_adgen.operators.batch import GenerateBatchOperator
from airflow_provider_adgen.operators.download import DownloadCreativesOperator
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.links import DASHBOARD, STORED_FILE, show_dashboard
from tests.support.rig import leaks
from tests.support.tasks import task_context

if TYPE_CHECKING:
    from tests.support.rig import Rig


def shown(operator: Any) -> dict[str, str]:
    """Return what Airflow asks each link for on the worker, after each leg."""
    return {one.name: one.get_link(operator, ti_key=None) for one in operator.operator_extra_links}


def reachable(rig: Rig) -> None:
    rig.patch.setenv("AIRFLOW__ADGEN__DESTINATION_URLS", json.dumps({rig.destination: "https://ads.example/x"}))


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_page_leads_to_the_stored_file(rig: Rig, deferrable: bool) -> None:
    reachable(rig)
    operator = rig.operator(deferrable=deferrable, destination=rig.destination)
    result = rig.run(operator)
    address = f"https://ads.example/x/{result['creatives'][0]['uri'].rpartition('/')[2]}"
    assert shown(operator) == {"Stored file": address, "Vendor dashboard": ""}
    assert rig.xcoms[STORED_FILE.xcom_key] == address
    assert not leaks(json.dumps(rig.xcoms))


def test_a_clear_leads_to_the_new_file(rig: Rig) -> None:
    reachable(rig)
    first, second = (rig.operator(destination=rig.destination) for _ in range(2))
    rig.run(first)
    rig.clear()
    rig.run(second)
    assert shown(first)["Stored file"] != shown(second)["Stored file"] == rig.xcoms[STORED_FILE.xcom_key]


def test_a_download_leads_to_its_file(rig: Rig) -> None:
    reachable(rig)
    made = rig.run(rig.operator(wait_for_completion=False))
    rig.clock.move(600)
    fields = {"conn_id": "adsumo_default", "generation_id": made["id"], "destination": rig.destination}
    operator = DownloadCreativesOperator(task_id="store", **fields)
    rig.run(operator)
    assert shown(operator)["Stored file"].startswith("https://ads.example/x/adsumo-")


def test_without_an_address_there_is_no_link(rig: Rig) -> None:
    stored, not_stored = rig.operator(destination=rig.destination), rig.operator()
    rig.run(stored)
    assert not [key for key in rig.xcoms if key.startswith("_link")]
    reachable(rig)
    rig.clear()
    rig.run(not_stored)
    assert {*shown(stored).values(), *shown(not_stored).values()} == {""}, "never the vendor's own signed link"


def test_a_setting_that_is_wrong_costs_the_link_and_nothing_else(rig: Rig) -> None:
    rig.patch.setenv("AIRFLOW__ADGEN__DESTINATION_URLS", "not JSON")
    operator = rig.operator(destination=rig.destination)
    assert rig.run(operator)["status"] == "completed"
    assert shown(operator)["Stored file"] == ""


# --- the vendor's dashboard -------------------------------------------------------------------------------------------


def led_to_the_dashboard(name: str, base_url: str) -> str:
    operator, context = GenerateOperator(task_id="make", conn_id="any", request={"kind": "x"}), task_context()
    account = Account(name, "any", base_url, Secret("key"))
    show_dashboard(operator, context, account, get_vendor(name))
    address = shown(operator)[DASHBOARD.name]
    assert context["ti"].xcoms == ({DASHBOARD.xcom_key: address} if address else {})
    return address


def test_a_dashboard_is_linked_to_where_the_vendor_says_where_it_is() -> None:
    found = {name: led_to_the_dashboard(name, "https://api.example/base") for name in vendor_names()}
    assert found == {"adsumo": "", "cinematicads": "", "cutx": "https://api.example/base/dashboard", "sume": ""}


def test_a_sandbox_has_no_dashboard() -> None:
    assert led_to_the_dashboard("cutx", "http://127.0.0.1:8080/cutx") == ""


# --- Airflow ----------------------------------------------------------------------------------------------------------


def test_the_api_server_knows_the_links_of_mapped_tasks_too() -> None:
    from airflow.serialization import serialized_objects

    with DAG("linked", schedule=None) as dag:
        GenerateOperator(task_id="one", conn_id="any", request={"kind": "x"})
        GenerateOperator.partial(task_id="many", conn_id="any").expand(request=[{"kind": "x"}, {"kind": "y"}])
        GenerateBatchOperator(task_id="batch", conn_id="any", items=[], destination="s3://bucket")
    serialization: Any = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    again = serialization.from_dict(json.loads(json.dumps(serialization.to_dict(dag))))
    links = {task.task_id: {one.name: one.xcom_key for one in task.operator_extra_links} for task in again.tasks}
    single = {"Stored file": "_link_StoredFileLink", "Vendor dashboard": "_link_DashboardLink"}
    assert links == {"one": single, "many": single, "batch": {"Results": "_link_ResultsLink"}}
