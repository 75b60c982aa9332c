# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Eight images were asked and paid for, and the result names one: both numbers are told, and what came is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.rig import Rig


@pytest.mark.parametrize("stored", [True, False])
def test_both_numbers_are_in_the_result_and_in_the_log(rig: Rig, deferrable: bool, stored: bool, diary: Any) -> None:
    rig.sandbox.fault("fewer_files", "adsumo", method="GET", files=1, times=-1)
    found = rig.run(rig.operator(quantity=8, deferrable=deferrable, destination=rig.destination if stored else None))
    assert found["details"]["files_missing"] == {"asked": 8, "told": 1}
    assert len(found["creatives"]) == 1
    assert "asked for 8 files, and its result has 1" in diary.text()
    rig.retry()
    again = rig.run(rig.operator(quantity=8, deferrable=deferrable, destination=rig.destination if stored else None))
    assert again["details"]["files_missing"] == {"asked": 8, "told": 1}
    assert len(rig.charges) == 1


def test_nothing_is_said_of_files_that_are_all_there(rig: Rig, diary: Any) -> None:
    found = rig.run(rig.operator(quantity=1))
    assert "files_missing" not in found["details"]
    assert "asked for" not in diary.text()
