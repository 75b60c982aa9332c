# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What can be known of a campaign's arguments when its DAG is parsed.

What a template will say is looked at when its task runs. Importing this costs as little as an operator module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_adgen.operators._option_values import (
    BATCH_WORDS,
    batch_word,
    credits_by_account,
    seconds,
    whole_number,
)


def check_values(batch: Mapping[str, Any], *, limit: Any, max_credits: Any, assume_credits: Any) -> None:
    """
    Check what no template decides.

    :param batch: arguments for the task that generates.
    :raises ValueError: a value is wrong; the message says which.
    """
    for name, value in batch.items():
        if name in BATCH_WORDS:
            batch_word(name, value)
    for name in ("poll_interval", "reuse_max_age"):
        if batch.get(name) is not None:
            seconds(name, batch[name])
    if "max_in_flight" in batch:
        whole_number("max_in_flight", batch["max_in_flight"], 1, 500)
    if "filename" in batch:
        from airflow_provider_adgen.lifecycle.batch.options import check_filename

        check_filename(batch["filename"])
    if isinstance(limit, int) or (isinstance(limit, str) and limit.strip() and "{" not in limit):
        whole_number("limit", limit, 1, 10**9)
    for name, value in (("max_credits", max_credits), ("assume_credits", assume_credits)):
        credits_by_account(name, _known(value), by_kind=name == "assume_credits")


def _known(value: Any) -> Any:
    """Return credits without those that a template, or another task, is going to say."""
    if isinstance(value, Mapping):
        return {name: one for name, one in ((name, _known(one)) for name, one in value.items()) if one is not None}
    return value if isinstance(value, int | float) or (isinstance(value, str) and "{" not in value) else None
