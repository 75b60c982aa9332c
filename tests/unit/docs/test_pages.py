# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the pages show works, and what they point to is there."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.core.decisions import submission
from airflow_provider_adgen.core.decisions.submission import Action, Decision, Why
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.get_provider_info import get_provider_info
from airflow_provider_adgen.lifecycle.resolution import NOT_SUBMITTED, variable_name
from airflow_provider_adgen.lifecycle.stop_messages import stop_error
from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator
from tests.support.tasks import run_task, task_context

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "vendors").glob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
MONEY = (ROOT / "docs" / "money.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    """Python that a page shows."""

    page: Path
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}-{self.number}"

    def run(self) -> dict[str, Any]:
        """Execute it exactly as it stands."""
        names: dict[str, Any] = {"__name__": f"example_{self.number}"}
        exec(compile(self.text, str(self), "exec"), names)  # noqa: S102 - our own documentation
        return names


def blocks() -> Iterator[Block]:
    for page in PAGES:
        for number, text in enumerate(FENCE.findall(page.read_text(encoding="utf-8"))):
            yield Block(page, number, text)


ALL = list(blocks())
DAGS = [one for one in ALL if "with DAG(" in one.text and "def test_" not in one.text]
TESTS = [one for one in ALL if "def test_" in one.text]
OPERATORS = [one for one in ALL if "Operator(" in one.text and one not in DAGS and one not in TESTS]
FIRST = [one for one in DAGS if 'DAG("first_ad"' in one.text]


def test_there_is_something_to_look_at() -> None:
    assert len(DAGS) >= 5
    assert len(TESTS) == 4
    assert [one.page.name for one in FIRST] == ["README.md", "quickstart.md"]


def test_the_first_dag_is_the_same_everywhere_and_has_ten_lines() -> None:
    readme, quickstart = FIRST
    assert readme.text == quickstart.text
    assert len([line for line in readme.text.splitlines() if line]) == 10


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_first_dag_runs(
    adgen_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, deferrable: bool
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ADSUMO_DEFAULT", adgen_sandbox.connection_json("adsumo"))
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path}/ledger")
    monkeypatch.setenv("AIRFLOW__ADGEN__POLL_INTERVAL", "0.05")
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    dag = FIRST[0].run()["dag"]
    assert isinstance(dag, DAG)
    (task,) = dag.tasks
    assert isinstance(task, AdsumoTextToImageOperator)
    assert task.destination == "/tmp/ads"  # noqa: S108 - what the page says
    task.destination = str(tmp_path / "ads")  # the only thing that is not run as it stands
    task.deferrable = deferrable
    ad = run_task(task, task_context())
    assert ad["status"] == "completed"
    (creative,) = ad["creatives"]
    assert Path(creative["uri"].removeprefix("file://")).read_bytes().startswith(b"\x89PNG")
    assert [charge["credits"] for charge in adgen_sandbox.charges] == [1]


@pytest.mark.parametrize("block", DAGS, ids=str)
def test_every_dag_shown_is_one(block: Block) -> None:
    dag = block.run()["dag"]
    assert isinstance(dag, DAG)
    assert dag.tasks


@pytest.mark.parametrize("block", OPERATORS, ids=str)
def test_every_operator_shown_can_be_made(block: Block) -> None:
    block.run()


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_every_test_shown_passes(
    block: Block, adgen_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A lost submission is repeated after a pause, which is not what is shown.
    monkeypatch.setattr(submission, "_FIRST_PAUSE", 0.1)
    fixtures = {"adgen_sandbox": adgen_sandbox, "monkeypatch": monkeypatch, "tmp_path": tmp_path}
    (test,) = [value for name, value in block.run().items() if name.startswith("test_")]
    test(**{name: fixtures[name] for name in inspect.signature(test).parameters})


@pytest.mark.parametrize("block", [one for one in ALL if one not in (*DAGS, *TESTS, *OPERATORS)], ids=str)
def test_everything_else_compiles_and_imports_what_exists(block: Block) -> None:
    imports = [node for node in ast.parse(block.text).body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), str(block), "exec"), {})  # noqa: S102 - our own documentation


# --- what pages point to ------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return a page's anchors, as GitHub makes them of headings, and those it sets itself."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return made | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in LINK.findall(text):
        if "://" in target:
            assert target.startswith("https://")
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), f"{page.name} points to {target}"
        if anchor:
            assert anchor in anchors(found), f"{page.name} points to {target}"


def test_every_make_target_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    for page in PAGES:
        for line in re.findall(r"(?:^|`)make ((?:[a-z-]+ ?)+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert line.split()[0] in targets, f"{page.name}: make {line}"


def test_every_option_named_exists() -> None:
    options = {f"AIRFLOW__ADGEN__{name.upper()}" for name in get_provider_info()["config"]["adgen"]["options"]}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"AIRFLOW__ADGEN__[A-Z_]+", text)) <= options
        for name in re.findall(r"\[adgen\] ([a-z_]+)", text):
            assert f"AIRFLOW__ADGEN__{name.upper()}" in options, f"{page.name}: {name}"


def test_what_is_said_about_an_unknown_submission_is_what_the_task_says() -> None:
    attempt = Attempt(phase="intent", epoch=1, fingerprint="f" * 64, kind="image", intended_at=0.0, post_seconds=60.0)
    decision = Decision(Action.STOP, Why.UNRESOLVED, attempt)
    facts = TaskFacts(TaskIdentity("dag", "run", "task"), 1, 1)
    said = stop_error(decision, get_vendor("adsumo"), facts).message
    for words in ("Nobody knows whether", "may have been charged", "Nothing more is sent until a person decides"):
        assert words in said
        assert words in " ".join(MONEY.replace("> ", "").split())
    assert variable_name(attempt.uid) in said
    assert f"airflow variables set {variable_name('')}" in MONEY
    assert NOT_SUBMITTED in said
    assert f"`{NOT_SUBMITTED}`" in MONEY
    without = stop_error(Decision(Action.STOP, Why.NO_RECORD), get_vendor("sume"), facts).message
    assert "nothing recorded it" in without


def test_the_connections_shown_are_ones() -> None:
    found = 0
    for page in PAGES:
        for text in re.findall(r"AIRFLOW_CONN_\w+='(\{.*?\})'", page.read_text(encoding="utf-8")):
            value = json.loads(text)
            assert set(value) <= {"conn_type", "password", "host", "extra"}
            found += 1
    assert found >= 4
