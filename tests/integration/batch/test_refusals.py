# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a batch refuses before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError
from tests.support.batch import item, items

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


def refused(batch: BatchRig, given: Any, **fields: Any) -> str:
    with pytest.raises(AirflowFailException) as stopped:
        batch.run(batch.batch(given, **fields))
    assert batch.sandbox.requests("adsumo", method="POST") == []
    assert batch.charges == []
    return str(stopped.value)


def test_all_wrong_items_are_named_at_once(batch: BatchRig) -> None:
    given = items(30)
    for one in given[5:]:
        one["choices"][0]["request"]["aspect_ratio"] = "wide"
    text = refused(batch, given)
    assert "25 problems" in text
    assert "'product-0005/hero'" in text
    assert "'product-0024/hero'" in text
    assert "'product-0025/hero'" not in text
    assert "and 5 more" in text


PHOTO = {"kind": "text-to-image", "prompt": "A lamp", "model": "fast", "aspect_ratio": "1:1"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": ""}, "a key is a text of 1 to 200 characters"),
        ({"key": "x" * 201}, "a key is a text of 1 to 200 characters"),
        ({"key": "half a pair \ud83d"}, "not valid Unicode"),
        ({"request": {"kind": "text-to-image"}}, "either a request or choices"),
        ({"choices": []}, "choices is a list"),
        ({"choices": [{"request": {"kind": "text-to-image"}}]}, "no conn_id"),
        (
            {"choices": [{"conn_id": "adsumo_default", "request": PHOTO, "color": "red"}]},
            "color is no field of a choice",
        ),
        (
            {"choices": [{"conn_id": "adsumo_default", "request": PHOTO, "reuse_as": {"style": "x"}}]},
            "reuse_as is a dict",
        ),
        (
            {"choices": [{"conn_id": "adsumo_default", "request": PHOTO, "reuse_as": {"kind": "x"}}]},
            "reuse_as is a dict",
        ),
        ({"choices": [{"conn_id": "adsumo_default", "request": PHOTO, "reuse_as": {"model": 5}}]}, "With reuse_as"),
        ({"color": "red"}, "color is no field of an item"),
        ({"meta": {"text": "x" * 9000}}, "meta takes"),
        ({"meta": {"n": float("nan")}}, "JSON does not have"),
    ],
)
def test_an_item_of_another_shape(batch: BatchRig, change: dict[str, Any], said: str) -> None:
    assert said in refused(batch, [{**item("a"), **change}])


def test_wrong_shapes_and_wrong_requests_are_named_together(batch: BatchRig) -> None:
    wide = item("wide")
    wide["choices"][0]["request"]["aspect_ratio"] = "wide"
    text = refused(batch, [item("a"), {**item("b"), "color": "red"}, wide])
    assert "2 problems" in text
    assert "color is no field of an item" in text
    assert "'wide': " in text


def test_what_json_cannot_hold_is_named(batch: BatchRig) -> None:
    one = item("a")
    one["choices"][0]["request"]["extra_fields"] = {"x": float("nan")}
    assert "'a'" in refused(batch, [one])


@pytest.mark.parametrize("again", [0, 2], ids=["AA", "ABA"])
def test_a_choice_that_occurs_twice(batch: BatchRig, again: int) -> None:
    one = item("a", *["adsumo", "sume"][: again or 1])
    twice = dict(one["choices"][0], request={**one["choices"][0]["request"], "quantity": 1})
    one["choices"].append(twice)
    text = refused(batch, [item("b"), one])
    assert f"'a', choice {len(one['choices']) - 1}: It is the same request to the same account as choice 0" in text


def test_a_choice_that_occurs_twice_may_be_left_out(batch: BatchRig) -> None:
    one = item("a", "adsumo", "sume")
    one["choices"] = [one["choices"][0], *one["choices"]]
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, message="This is not allowed")
    assert batch.run(batch.batch([one], on_invalid="skip"))["counts"]["completed"] == 1
    assert len(batch.posts()) == 1
    assert batch.lines()["a"]["choice"] == 2, "as the author counts them"


def test_two_items_with_one_key(batch: BatchRig) -> None:
    assert "the same key as item 0" in refused(batch, [item("a"), item("a")])


def test_items_without_keys_that_ask_for_the_same(batch: BatchRig) -> None:
    one = {"conn_id": "adsumo_default", "request": {"kind": "text-to-image", "prompt": "x", "model": "fast"}}
    assert "the same request as item 0" in refused(batch, [one, dict(one)])


def test_wrong_items_may_be_left_out(batch: BatchRig) -> None:
    given = [*items(2), item("wrong")]
    given[2]["choices"][0]["request"]["aspect_ratio"] = "wide"
    told = batch.run(batch.batch(given, on_invalid="skip"))
    assert told["counts"]["completed"] == 2
    assert told["counts"]["skipped"] == 1
    assert "aspect_ratio" in batch.lines()["wrong"]["reason"]


def test_a_choice_that_is_left_out_keeps_its_number(batch: BatchRig) -> None:
    one = item("a", "sume", "adsumo")
    del one["choices"][0]["request"]["prompt"]
    told = batch.run(batch.batch([one], on_invalid="skip"))
    assert told["counts"]["completed"] == 1
    assert batch.lines()["a"]["choice"] == 1


def test_what_is_not_the_items_fault_is_not_left_out(batch: BatchRig) -> None:
    """Left out, the choice of an account that cannot be used would be bought at another one."""
    given = items(3, "adsumo", "sume")
    for one in given:
        one["choices"][0]["conn_id"] = "adsumo_typo"
    assert "There is no connection 'adsumo_typo'" in refused(batch, given, on_invalid="skip")
    limits: dict[str, Any] = {"max_credits": {"adsumo_default": 9, "sume_default": 9}}
    text = refused(batch, items(3, "sume", "adsumo"), **limits, assume_credits=None, on_invalid="skip")
    assert "Sume documents no price" in text
    assert batch.sandbox.requests("sume", method="POST") == []


def test_a_batch_that_costs_too_much_is_refused_whole(batch: BatchRig) -> None:
    assert "costs 3 credits of connection 'adsumo_default'" in refused(batch, items(3), max_credits=2)


def test_one_number_of_credits_is_none_for_two_accounts(batch: BatchRig) -> None:
    text = refused(batch, items(2, "adsumo", "sume"), max_credits=100, assume_credits=1)
    assert "'adsumo_default': ..." in text


def test_an_account_without_a_limit_is_refused(batch: BatchRig) -> None:
    fields: dict[str, Any] = {"max_credits": {"adsumo_default": 9}, "assume_credits": {"sume_default": 1}}
    assert "says nothing of sume_default" in refused(batch, items(2, "adsumo", "sume"), **fields)


def test_a_price_that_nobody_knows(batch: BatchRig) -> None:
    text = refused(batch, items(1, "sume"), max_credits={"sume_default": 9})
    assert "documents no price" in text


def test_rations_that_take_too_long(batch: BatchRig) -> None:
    given = [
        {
            "key": f"k{n}",
            "conn_id": "cinematicads_default",
            "request": {"kind": "workflow", "workflow_type": "cinematic", "concept": f"ad {n}"},
        }
        for n in range(500)
    ]
    text = refused(batch, given)
    assert "180000 s" in text, "50 hours"


FILMS = [
    {
        "key": f"k{n}",
        "conn_id": "cinematicads_default",
        "request": {"kind": "workflow", "workflow_type": "cinematic", "concept": f"ad {n}"},
    }
    for n in range(12)
]


@pytest.mark.parametrize("on_clear", ["fresh", "missing"])
def test_rations_that_what_is_paid_anew_takes_too_long(batch: BatchRig, on_clear: str) -> None:
    if on_clear == "missing":
        batch.sandbox.fail_next("cinematicads", times=12)
        with pytest.raises((AirflowFailException, AdGenError), match="12 failed"):
            batch.run(batch.batch(FILMS, on_failed="fail"))
    else:
        batch.run(batch.batch(FILMS))
    batch.clear()
    with pytest.raises(AirflowFailException, match="12 items need 7200 s"):
        batch.run(batch.batch(FILMS, on_clear=on_clear, submit_timeout=3000))
    assert len(batch.charges) == 12


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"filename": "{key}.{ext}"}, "{id} and {n}"),
        ({"filename": "{id.__class__}-{n}"}, "plain fields"),
        ({"filename": "../{id}-{n}"}, "below the destination"),
        ({"filename": "{color}-{id}-{n}"}, "color"),
        ({"max_in_flight": 501}, "between 1 and 500"),
        ({"fail_when": "some"}, "fail_when"),
        ({"fail_when": 1.5}, "fail_when"),
        ({"on_clear": "never"}, "on_clear"),
        # A limit for each kind would be no limit at all.
        ({"max_credits": {"adsumo_default": {"text-to-image": 1}}}, "max_credits['adsumo_default'] must be a whole"),
        ({"assume_credits": {"adsumo_default": {"image": {"a": 1}}}}, "assume_credits['adsumo_default']['image'] must"),
        ({"destination": " "}, "is empty"),
        ({"destination": "None"}, "missing value"),
    ],
)
def test_wrong_arguments(batch: BatchRig, fields: dict[str, Any], said: str) -> None:
    assert said in refused(batch, items(1), **fields)


def test_without_a_ledger(batch: BatchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", "")
    assert "ledger_path" in refused(batch, items(1))


def test_an_empty_list_fails(batch: BatchRig) -> None:
    with pytest.raises(AirflowFailException, match="the list is empty"):
        batch.run(batch.batch([]))


def test_a_task_before_it_that_returned_nothing(batch: BatchRig) -> None:
    class Output:
        """Of a task that pushed no XCom."""

        def resolve(self, context: Any) -> None:
            """Return what was pushed."""

    operator = batch.batch(Output())
    operator.render_template_fields(batch.context())
    with pytest.raises(AirflowFailException, match="not NoneType"):
        batch.run(operator)
    assert batch.charges == []
