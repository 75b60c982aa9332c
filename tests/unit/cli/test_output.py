# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A command whose reader goes away, as ``head`` does, ends without a word."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from airflow_provider_adgen.cli import definition
from airflow_provider_adgen.cli.output import reader_may_leave

def answer():
    print("line " * 20_000, file=sys.{stream})
    return 0

with reader_may_leave():
    raise SystemExit(answer())
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_nobody_reads_what_is_printed(stream: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    other = "stderr" if stream == "stdout" else "stdout"
    ways = {stream: writing, other: subprocess.PIPE}
    done = subprocess.run([sys.executable, "-c", PROGRAM.replace("{stream}", stream)], check=False, **ways)
    os.close(writing)
    assert done.returncode == 141
    assert not getattr(done, other), "no traceback"


def test_every_command_ends_like_that() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for words in (["report", "--by", "day"], ["ledger", "list", "d", "r", "t", "-o", "json"]):
        done = subprocess.run(
            [sys.executable, "-m", "airflow_provider_adgen", *words], stdout=writing, stderr=writing, check=False
        )
        assert done.returncode == 141
    os.close(writing)
