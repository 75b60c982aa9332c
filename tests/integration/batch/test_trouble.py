# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A network that breaks for all submissions at once, a storage that fails, and answers that nobody can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError
from tests.support.batch import items
from tests.support.rig import SIGNATURE

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


def fails(batch: BatchRig, given: Any, **fields: Any) -> str:
    with pytest.raises((AirflowFailException, AdGenError)) as stopped:
        batch.run(batch.batch(given, **fields))
    return str(stopped.value)


def test_without_keys_a_broken_network_leaves_few_unknown(batch: BatchRig) -> None:
    batch.sandbox.fault("drop", "sume", method="POST", times=-1)
    text = fails(batch, items(40, "sume"))
    statuses = list(batch.statuses().values())
    assert statuses.count("unknown") <= 8, "those under way when the fifth was lost"
    assert statuses.count("waiting") == 40 - statuses.count("unknown")
    assert "without an answer" in text
    assert len(batch.charges) == statuses.count("unknown")


def test_with_keys_a_broken_network_is_settled_later(batch: BatchRig) -> None:
    batch.sandbox.fault("drop", "adsumo", method="POST", times=20)
    told = batch.run(batch.batch(items(40)))
    assert told["counts"]["completed"] == 40
    assert len(batch.charges) == 40


def test_one_answer_that_nobody_can_read(batch: BatchRig) -> None:
    batch.sandbox.fault("not_json", "sume", method="POST", times=1)
    text = fails(batch, items(6, "sume"))
    assert "1 unknown" in text
    assert "5 completed" in text
    assert len(batch.files()) == 5


def test_a_record_that_cannot_be_read_is_one_items_trouble(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo", times=1)
    fails(batch, items(4))
    done = next(path for path in (batch.folder / "ledger").rglob("*-done-*.json"))
    done.write_text("{")
    for path in (batch.folder / "ledger").rglob("snapshot-*"):
        path.unlink()
    batch.retry()
    text = fails(batch, items(4))
    assert "1 unknown" in text
    assert "cannot be read" in text
    assert "2 completed" in text
    assert len(batch.charges) == 4


def test_a_destination_that_takes_nothing(batch: BatchRig) -> None:
    (batch.folder / "creatives").mkdir()
    blocked = batch.folder / "creatives" / "product-0001"
    blocked.write_text("a file where a folder should be")
    text = fails(batch, items(3))
    assert "1 submitted" in text
    assert batch.statuses()["product-0001/hero"] == "submitted"
    blocked.unlink()
    batch.retry()
    assert batch.run(batch.batch(items(3)))["counts"]["completed"] == 3
    assert len(batch.charges) == 3


def test_what_a_library_says_of_a_link_is_not_logged(batch: BatchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rig looks for signatures in all that was logged, recorded and written."""

    link = f"https://media.example/ad.mp4?{SIGNATURE}=secret"

    def broken(*_: Any) -> None:
        raise OSError(f"cannot read {link}")

    monkeypatch.setattr("airflow_provider_adgen.lifecycle.generation.GenerationLeg.run", broken)
    assert "2 waiting" in fails(batch, items(2))
