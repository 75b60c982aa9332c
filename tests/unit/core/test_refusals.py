# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which refused submissions would be refused again."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.core.decisions.posting import refused_for_good
from airflow_provider_adgen.core.errors import (
    AdGenError,
    ApiError,
    Conflict,
    InsufficientCredits,
    InvalidRequest,
    PayloadTooLarge,
    RateLimited,
    ServerError,
    SubmissionRefused,
    UnexpectedResponse,
    WireError,
    error_class,
)
from airflow_provider_adgen.lifecycle.stop_messages import refusal


@pytest.mark.parametrize("status", range(300, 600))
def test_a_refusal_of_the_request_is_for_good_and_one_of_the_moment_is_not(status: int) -> None:
    expected = 400 <= status < 500 and status not in {408, 421, 423, 425, 429}
    assert refused_for_good(error_class(status)("x", status=status)) == expected


def test_what_never_arrived_or_cannot_be_read_was_not_refused() -> None:
    for error in (WireError("x"), WireError("x", sent=False), UnexpectedResponse("x"), AdGenError("x")):
        assert not refused_for_good(error)
    assert refused_for_good(InvalidRequest("x"))


@pytest.mark.parametrize(
    "error",
    [ApiError("It is wrong.", status=400), Conflict("x", status=409), PayloadTooLarge("x", status=413)]
    + [ApiError("x", status=status, vendor="sume", endpoint="POST /v1", request_id="r") for status in (405, 415, 422)],
)
def test_it_is_said_in_a_sentence(error: ApiError) -> None:
    found = refusal(error)
    assert isinstance(found, SubmissionRefused)
    assert found.message.startswith(error.message.rstrip(".") + ". Nothing was started or charged.")
    assert (found.status, found.vendor, found.request_id) == (error.status, error.vendor, error.request_id)


@pytest.mark.parametrize(
    "error",
    [
        ApiError("x", status=408),
        ApiError("x", status=425),
        RateLimited("x", status=429),
        ServerError("x", status=503),
        InsufficientCredits("x", status=402, required=3),
        WireError("x", sent=False),
    ],
)
def test_what_says_more_by_its_own_class_keeps_it(error: AdGenError) -> None:
    assert refusal(error) is error
