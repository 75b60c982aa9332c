# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's parts that need no Airflow; tests/e2e runs the whole."""

from __future__ import annotations

import ast
import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.ledger.records import Records
from tools.demo_campaign import CHANGED, reviewed_examples, show_campaign
from tools.demo_report import audit, paid_by, read_log, say_credits, say_failures, say_files
from tools.demo_run import find_dag, find_port, own_folder
from tools.demo_stage import DemoFailed, Ended, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).resolve().parents[3]


def charge(job: str, credits_: int = 2, vendor: str = "adsumo") -> dict[str, Any]:
    return {"job_id": job, "credits": credits_, "vendor": vendor}


def recorded(*jobs: list[str]) -> Records:
    attempts = [
        Attempt(
            phase="submitted", epoch=0, fingerprint="f", request_kind="k", intended_at=0, post_seconds=60, job_ids=one
        )
        for one in jobs
    ]
    return Records({("dag", "run", "make", str(index)): Record(attempts=[one]) for index, one in enumerate(attempts)})


class FakeRun:
    """What a finished run tells."""

    dag_id = "a_dag"
    run_id = "run-1"

    def __init__(self, *instances: tuple[str, int, str]) -> None:
        self._instances = instances

    def tasks(self) -> list[dict[str, Any]]:
        names = ("task_id", "map_index", "state")
        return [{**dict(zip(names, one, strict=True)), "try_number": 2} for one in self._instances]


# --- the ledger ---------------------------------------------------------------------------------------------------


def test_ledgers_that_agree() -> None:
    assert audit(recorded(["a"], ["b", "c"]), [charge("c"), charge("a"), charge("b")]) == []


@pytest.mark.parametrize(
    ("charges", "said"),
    [
        ([], "job a is recorded and was not charged"),
        ([charge("a"), charge("a")], "job a was charged 2 times"),
        ([charge("a"), charge("x")], "job x was charged and is not recorded"),
    ],
)
def test_ledgers_that_do_not(charges: list[dict[str, Any]], said: str) -> None:
    assert audit(recorded(["a"]), charges) == [said]


def test_a_record_that_cannot_be_read_does_not_agree() -> None:
    assert audit(Records(broken=["dag/run/1.json"]), []) == ["dag/run/1.json cannot be read"]


def test_what_it_cost_is_said_for_each_vendor() -> None:
    paid = paid_by([charge("a", 20), charge("b", 3, "sume"), charge("c", 40, "cutx")], [charge("c", 40, "cutx")])
    assert paid == {"adsumo": 20, "cutx": 0, "sume": 3}
    assert say_credits({"adsumo": 20, "sume": 3}) == "20 credits at Adsumo and 3 credits at Sume"
    assert say_credits({"adsumo": 20, "sume": 3}, {"adsumo": 20, "sume": 0}) == (
        "20 credits at Adsumo (estimated) and 3 credits at Sume"
    )
    assert say_credits({}) == "nothing"


# --- what was made ------------------------------------------------------------------------------------------------


def test_what_was_stored_is_said_with_size_and_place(tmp_path: Path) -> None:
    for name, size in (("run/i.png", 1500), ("run/gallery.html", 20), ("_adgen/runs/results.jsonl", 1)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    assert say_files(tmp_path, tmp_path) == [f"     20 B  file://{tmp_path}/run/gallery.html", "     2 kB  run/i.png"]


# --- the campaign -------------------------------------------------------------------------------------------------

KEYS = [f"{product}/{brief}" for product in (CHANGED[0], "BAG-077", "TEA-331") for brief in ("hero", "reel")]
REMADE = {f"{CHANGED[0]}/hero", f"{CHANGED[0]}/reel", "TEA-331/reel"}


class FakeStage:
    """
    A stage on which the two runs leave what they are told to.

    :param made: what the second run pays for.
    :param first: the tasks that fail in the first run.
    :param told: the credits that the second run's manifest names.
    """

    def __init__(self, home: Path, made: Iterable[str], *, first: Iterable[str], told: int, agree: bool) -> None:
        self.home, self.creatives = home, home / "creatives"
        self.sandbox = SimpleNamespace(fault=lambda *_, **__: 1, fail_next=lambda *_, **__: None)
        self.airflow = SimpleNamespace(base_url="http://airflow")
        self.unexpected: list[Ended] = []
        self._agree = agree
        self._runs = {
            "first": (set(KEYS) - {"TEA-331/reel"}, set(first), 3),
            "second": (set(made), set[str](), told),
        }

    def run(self, _dag: str, run_id: str, conf: dict[str, Any], *, when_asked: Callable[[Any, str], None]) -> Ended:
        made, failed, told = self._runs[run_id]
        items = []
        for key in KEYS:
            again = run_id == "second" and key not in made
            origin = "reused" if again else "made" if key in made else None
            product = {"id": key.partition("/")[0], "title": "T"}
            items.append(
                {"key": key, "origin": origin, "status": "failed", "reason": "It broke.", "approved": None}
                | {"product": product, "vendor": "sume"}
            )
        folder = Path(conf["destination"].removeprefix("file://")) / run_id
        folder.mkdir(parents=True)
        costs = {"adsumo_default": {"charged": told, "refunded": 0, "estimated": 2}}
        (folder / "manifest.json").write_text(json.dumps({"items": items, "credits": costs}), encoding="utf-8")
        run: Any = FakeRun(*((task, -1, "failed") for task in failed), ("campaign.draft", -1, "success"))
        run.dag_id, run.run_id = "adgen_campaign_refresh", run_id
        when_asked(run, "campaign.review")
        return Ended(run, "failed" if failed else "success", {"adsumo": 3}, Records())

    def say_failures(self, ended: Ended) -> None:
        self.unexpected.append(ended)

    def ledgers_agree(self) -> bool:
        return self._agree


def play(
    home: Path, made: Iterable[str] = REMADE, *, first: Iterable[str] = (), told: int = 3, agree: bool = True
) -> Any:
    fails = first or ("campaign.generate", "campaign.verdict")
    stage: Any = FakeStage(home, made, first=fails, told=told, agree=agree)
    return show_campaign(stage), stage


def test_the_campaign_is_good_if_only_what_changed_and_what_was_missing_is_paid_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, stage = play(tmp_path)
    said = capsys.readouterr().out
    assert good and not stage.unexpected
    assert "Failed: TEA-331/reel (T). It broke." in said
    assert f"Paid for, because its product has changed: {CHANGED[0]}/hero" in said
    assert "Paid for, because it was missing: TEA-331/reel" in said
    assert "Used again, for nothing: the other 3 creatives." in said
    assert "http://airflow/dags/adgen_campaign_refresh/runs/first/tasks/campaign.review/required_actions" in said
    assert said.count("gallery.html") == 4
    assert said.count("The gallery agrees: 3 credits at Adsumo (2 of them estimated).") == 2
    assert CHANGED[2] in (tmp_path / "adgen_campaign_catalogue.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"made": {*REMADE, "BAG-077/hero"}},
        {"made": REMADE - {"TEA-331/reel"}},
        {"told": 4},
        {"agree": False},
        {"first": ("campaign.plan",)},
    ],
    ids=["paid too much", "made too little", "another sum", "another ledger", "another failure"],
)
def test_the_campaign_is_not_good_otherwise(tmp_path: Path, wrong: dict[str, Any]) -> None:
    good, stage = play(tmp_path, **wrong)
    assert not good
    assert bool(stage.unexpected) == ("first" in wrong)


def test_the_examples_are_copied_with_a_review_for_the_campaign(tmp_path: Path) -> None:
    shipped = (ROOT / "example_dags" / "adgen_campaign_refresh.py").read_text(encoding="utf-8")
    text = (reviewed_examples(tmp_path / "dags") / "adgen_campaign_refresh.py").read_text(encoding="utf-8")
    assert shipped.count("review=False") == text.count("review=True") == 1
    assert (tmp_path / "dags" / "adgen_campaign_catalogue.csv").is_file()


# --- what went wrong ----------------------------------------------------------------------------------------------


def test_a_failure_is_said_with_the_end_of_its_log_and_what_did_not_run(tmp_path: Path) -> None:
    log = tmp_path / "logs/dag_id=a_dag/run_id=run-1/task_id=make/map_index=3/attempt=2.log"
    log.parent.mkdir(parents=True)
    raised = [{"exc_type": "InvalidRequest", "exc_value": "It is wrong.\nline 2: so"}]
    entries = [
        {"event": "::group::Pre Execute", "level": "info"},
        {"event": "Submitting", "level": "info"},
        {"event": "Task failed", "level": "error", "error_detail": raised},
    ]
    log.write_text("\n".join([*(json.dumps(entry) for entry in entries), "not JSON"]), encoding="utf-8")
    run = FakeRun(("make", 3, "failed"), ("make", 4, "success"), ("after", -1, "upstream_failed"))
    assert say_failures(run, tmp_path / "logs", tmp_path) == [  # type: ignore[arg-type]
        f"make [3] failed on try 2. The end of {log.relative_to(tmp_path)}:",
        "  info: Submitting",
        "  error: Task failed",
        "    InvalidRequest: It is wrong.",
        "  line 2: so",
        "  not JSON",
        "Did not run because of that: after.",
    ]


def test_a_log_that_is_not_there_is_no_second_failure(tmp_path: Path) -> None:
    assert read_log(tmp_path / "no.log") == []


# --- what it is told ----------------------------------------------------------------------------------------------


def test_no_port_means_any() -> None:
    assert find_port("") is None


def test_a_port_that_is_taken_is_said_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with pytest.raises(DemoFailed, match=rf"Port {port} cannot be used.*make demo PORT=8090"):
            find_port(port)
    assert find_port(port) == int(port)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "80.5"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(DemoFailed, match="is no port"):
        find_port(text)


def test_a_dag_that_no_example_has_is_refused_with_those_there_are() -> None:
    assert find_dag("adgen_campaign_refresh") == "adgen_campaign_refresh"
    with pytest.raises(DemoFailed, match=r"No example has a DAG 'campaign'.*adgen_campaign_refresh"):
        find_dag("campaign")


def test_the_folder_is_emptied_for_each_demo_and_held_by_one(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with own_folder(home):
        (home / "airflow").mkdir()
        (home / "airflow" / "airflow.db").touch()
        with pytest.raises(DemoFailed, match="Another demo"), own_folder(home):
            pass
        assert (home / "airflow" / "airflow.db").exists()
    with own_folder(home):
        assert [path.name for path in home.iterdir()] == ["demo.lock"]


def test_a_folder_of_someone_elses_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(DemoFailed, match="not emptied"), own_folder(tmp_path):
        pass
    assert (tmp_path / "thesis.tex").exists()


def test_tasks_are_shown_in_the_order_they_run() -> None:
    graph = {"make": ["write"], "write": [], "check": ["make"], "plan": ["check", "make", "write"]}
    assert in_order(graph) == ["plan", "check", "make", "write"]


def test_an_old_python_can_read_the_file_that_says_it_is_too_old() -> None:
    text = (ROOT / "tools" / "demo.py").read_text(encoding="ascii")
    ast.parse(text, feature_version=(3, 6))
    assert "__future__" not in text
    assert not any(isinstance(node, ast.JoinedStr | ast.AnnAssign) for node in ast.walk(ast.parse(text)))
