# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps Airflow from retrying what a retry cannot help."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from airflow_provider_adgen.compat import AirflowFailException

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def no_useless_retry() -> Iterator[None]:
    """
    Turn an error that a retry cannot help (``retry_helps``) into ``AirflowFailException``.

    :raises AirflowFailException: the task fails, however many retries are left.
    """
    from airflow_provider_adgen.core.errors import AdGenError

    try:
        yield
    except AdGenError as error:
        if error.retry_helps:
            raise
        raise AirflowFailException(error.message) from error
