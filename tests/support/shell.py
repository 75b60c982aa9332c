# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A shell, in which a person resolves what a task could not."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.cli import definition, server

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN = "manual__2026-01-01T00:00:00+00:00"
TASK = ["campaign", RUN, "make"]


class Shell:
    """A shell on the machine that Airflow runs on."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._patch = patch
        self.variables: dict[str, str] = {}
        patch.setattr(server, "set_variable", self.set_variable)
        patch.setattr(server, "get_variable", self.variables.get)

    def set_variable(self, name: str, value: str, _description: str) -> None:
        self.variables[name] = value
        self._patch.setenv(f"AIRFLOW_VAR_{name.upper()}", value)

    def run(self, words: Sequence[str], typed: str = "") -> tuple[int, str, str]:
        """Run a command line; return its exit code, its standard output and its standard error."""
        self._patch.setattr("sys.stdin", io.StringIO(typed))
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            definition.main(words)
        printed = self._capsys.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    def __call__(self, *words: str, typed: str = "") -> tuple[int, str]:
        """Run a command about the task; return its exit code and all that it prints."""
        code, out, err = self.run(["ledger", words[0], *TASK, *words[1:]], typed)
        return code, out + err

    def json(self, *words: str) -> Any:
        """Run a command; return what it prints as JSON. Airflow 3.0 may log before it."""
        text = self(*words, "-o", "json")[1]
        return json.JSONDecoder().raw_decode(text, text.index('{"ok"' if '{"ok"' in text else '{\n  "ok"'))[0]
