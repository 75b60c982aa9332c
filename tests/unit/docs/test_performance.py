# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The page with the benchmark's results is written by the benchmark and by nobody else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from tests.benchmarks.seal import is_whole, sealed

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = DOCS / "performance.md"


def test_the_page_is_as_the_benchmark_wrote_it():
    assert is_whole(PAGE.read_text()), "docs/performance.md was changed by hand; `make bench` writes it."


def test_the_plot_is_the_one_that_the_page_was_written_with():
    named = re.search(r"\(_static/performance\.svg\)\n\n<!-- plot: ([0-9a-f]{12}) -->", PAGE.read_text())
    assert named is not None
    assert hashlib.sha256((DOCS / "_static" / "performance.svg").read_bytes()).hexdigest()[:12] == named[1]


def test_the_page_names_the_machine_and_the_versions():
    text = PAGE.read_text()
    assert re.search(r"Measured on|measured on", text)
    for name in ("cores", "Python 3.", "apache-airflow 3.", "apache-airflow-providers-databricks 7."):
        assert name in text


def test_a_number_changed_by_hand_shows():
    page = sealed("# Performance\n\n1.07 seconds\n")
    assert is_whole(page)
    assert not is_whole(page.replace("1.07", "0.07"))
    assert not is_whole(page.replace("seal", "peal"))
    assert not is_whole("# Performance\n")
