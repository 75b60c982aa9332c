# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How long a task whose trigger cannot do its work waits before it defers again."""

from __future__ import annotations

_LONGEST, _SHARE = 300.0, 0.25


def retry_delay(age: float) -> float:
    """
    Return the seconds until the triggerer is tried again.

    It grows with the age of what is waited for, a quarter of it and five minutes at most, so it needs no memory of the
    setbacks before, which Airflow would not keep; and what cannot go well at all is still told soon.

    :param age: seconds since the waiting began.
    """
    return min(_LONGEST, max(0.0, _SHARE * age))
