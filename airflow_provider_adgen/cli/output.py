# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the standard output for the answer of a command, and ends quietly where nobody reads it."""

from __future__ import annotations

import contextlib
import os
import signal
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


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """
    End like other commands where whoever read the output has gone, as ``head`` does: without a word.

    :raises SystemExit: 141, as a shell reports a program that SIGPIPE ended.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:
                os.dup2(nowhere, stream.fileno())  # what is left to write, the interpreter writes when it ends
        os.close(nowhere)
        raise SystemExit(128 + signal.SIGPIPE) from None
