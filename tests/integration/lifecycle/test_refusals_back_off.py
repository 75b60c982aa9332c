# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A submission that the vendor refuses for now is made again ever more slowly, and leaves one entry in the record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import GenerationTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.rig import Rig


def objects(rig: Rig) -> list[str]:
    return sorted(path.name for path in Path(rig.ledger_path.removeprefix("file://")).rglob("*.json"))


@pytest.mark.parametrize("retry_after", [0, -5, "Thu, 01 Jan 2026 00:00:00 GMT", None, "soon", 1, 90, 1e15])
@pytest.mark.parametrize("records", ["state", "objects", "both"])
def test_no_header_makes_it_hurry(make_rig: Callable[..., Rig], records: str, retry_after: Any) -> None:
    rig = make_rig(records=records)
    told = {} if retry_after is None else {"retry_after": retry_after}
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, times=-1, **told)
    with pytest.raises(GenerationTimeout, match="was not allowed to submit"):
        rig.run(rig.operator(submit_timeout=600))
    assert 2 <= len(rig.posts()) <= 12, "each pause is longer than the one before"
    assert rig.charges == []
    record = rig.record()
    assert [one.phase for one in record.attempts] == ["withdrawn"]
    assert record.attempts[0].refusals == len(rig.posts()) - 1
    assert record.attempts[0].answered_before == record.attempts[0].refusals
    if rig.ledger_path:
        assert len(objects(rig)) == 2, "one intent, one withdrawal"


def test_each_posting_has_a_key_of_its_own(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(records="both")
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, times=3, retry_after=0)
    assert rig.run(rig.operator())["status"] == "completed"
    keys = [one["headers"]["idempotency-key"] for one in rig.posts()]
    assert len(keys) == len(set(keys)) == 4
    assert rig.phases == ["done"]
    assert len(rig.charges) == 1


def test_the_time_to_submit_is_counted_from_the_first_refusal(make_rig: Callable[..., Rig], deferrable: bool) -> None:
    rig = make_rig(records="objects")
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, times=-1, retry_after=200)
    began = rig.clock.now()
    with pytest.raises(GenerationTimeout, match="within 1000 s"):
        rig.run(rig.operator(submit_timeout=1000, deferrable=deferrable))
    assert 700 <= rig.clock.now() - began <= 1100
    assert len(objects(rig)) == 2
