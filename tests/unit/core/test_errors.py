# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""An error says what happened apart from what to do about it, and shows both to a person."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.core.calls import Answer
from airflow_provider_adgen.core.errors import AdGenError, ApiError, InvalidRequest, error_class
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.wording import counted, named
from airflow_provider_adgen.lifecycle.stop_messages import refusal

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("keep", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301 - our own
def test_the_advice_is_shown_and_is_apart(keep: Callable[[AdGenError], AdGenError]) -> None:
    error = keep(InvalidRequest("It is wrong.", advice="Put it right."))
    assert (error.happened, error.advice) == ("It is wrong.", "Put it right.")
    assert str(error) == error.message == "It is wrong. Put it right."
    plain = keep(AdGenError("It is wrong."))
    assert str(plain) == plain.message == plain.happened == "It is wrong."


def test_an_answer_says_what_happened_without_what_to_do() -> None:
    body = b'{"success": false, "error": {"code": "insufficient_credits", "message": "Not enough credits"}}'
    error = get_vendor("adsumo").error(Answer(402, {"content-type": "application/json"}, body), "POST /images")
    assert type(error) is error_class(402)
    assert "Top up the account" not in error.happened
    assert str(error).endswith("Nothing was started. Top up the account, or ask for less.")


def test_a_refusal_says_apart_that_the_request_is_to_be_put_right() -> None:
    error = refusal(ApiError("Adsumo answered 400 to POST /x: no cats. The same request is welcome.", status=400))
    assert error.happened == (
        "Adsumo answered 400 to POST /x: no cats. The same request is welcome. Nothing was started or charged."
    )
    assert str(error) == f"{error.happened} {error.advice}"
    assert "put the request right and clear the task" in error.advice


def test_words_follow_their_numbers() -> None:
    assert [counted(number, "item") for number in (0, 1, 2)] == ["0 items", "1 item", "2 items"]
    assert [counted(number, "is", "are") for number in (1, 2)] == ["1 is", "2 are"]
    assert named(["a", "b", "c"], 3) == "a, b, c"
    assert named(["a", "b", "c"], 2) == "a, b and 1 more"
