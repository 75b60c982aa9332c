# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Only an answer in the shape that a vendor documents for its errors is the vendor's own."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.registry import get_vendor
from tests.support.sequences import answer

ADSUMO = {"error": {"code": "validation_error", "message": "No"}}
SUME = {"error": {"code": "bad_request", "message": "No", "details": {}}, "request_id": "req_1"}
CUTX = {"error": "Bad Request", "message": "No"}
CINEMATICADS = {"success": False, "error": "No"}

OTHERS: list[Any] = [
    None,
    [],
    {},
    "Not Found",
    {"error": "Not Found"},
    {"message": "Not Found"},
    {"detail": "Not Found"},
    {"error": {"message": "Not Found"}},
    {"error": {"code": "not_found"}},
    {"error": {"code": 404, "message": "Not Found", "status": "NOT_FOUND"}},
    {"statusCode": 404, "message": "Cannot POST /", "error": "Not Found"},
    {"timestamp": "2026-01-01", "status": 404, "error": "Not Found", "path": "/"},
    {"success": False, "message": "Not Found"},
    {"success": False, "error": {"message": "Not Found"}},
    {"success": True, "error": "Not Found"},
    {"error": "", "message": ""},
]


@pytest.mark.parametrize(
    ("vendor", "value"),
    [
        ("adsumo", ADSUMO),
        ("sume", SUME),
        ("cutx", CUTX),
        ("cinematicads", CINEMATICADS),
        # Beside another field it is still the documented object.
        ("adsumo", {"error": {**ADSUMO["error"], "details": []}}),
        ("cinematicads", {**CINEMATICADS, "data": None}),
    ],
)
def test_what_is_documented_is_the_vendors_own(vendor: str, value: Any) -> None:
    assert get_vendor(vendor).problem(answer(value, 400)).own_words


@pytest.mark.parametrize("value", OTHERS, ids=range(len(OTHERS)))
@pytest.mark.parametrize("vendor", ["adsumo", "sume", "cutx", "cinematicads"])
def test_what_any_server_may_say_is_not(vendor: str, value: Any) -> None:
    assert not get_vendor(vendor).problem(answer(value, 404)).own_words


@pytest.mark.parametrize(
    ("vendor", "value"),
    [
        ("sume", ADSUMO),
        ("sume", CUTX),
        ("adsumo", CUTX),
        ("adsumo", CINEMATICADS),
        ("cutx", SUME),
        ("cutx", CINEMATICADS),
        ("cinematicads", ADSUMO),
        ("cinematicads", CUTX),
    ],
)
def test_what_another_vendor_says_is_not(vendor: str, value: Any) -> None:
    assert not get_vendor(vendor).problem(answer(value, 400)).own_words
