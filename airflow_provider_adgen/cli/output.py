# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the standard output for the answer of a command."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def logs_to_stderr() -> Iterator[None]:
    """
    Send what is printed meanwhile to the standard error.

    Airflow logs to the standard output, partly through handles that it has opened before: so the file descriptor is
    exchanged, too.
    """
    out = sys.stdout
    out.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        out.flush()
        os.dup2(kept, 1)
        os.close(kept)
