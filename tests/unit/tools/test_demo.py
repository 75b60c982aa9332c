# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's parts that need no Airflow; tests/e2e runs the whole."""

from __future__ import annotations

import ast
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tools.airflow_api import ApiFailed
from tools.demo_report import Made, audit, collect, local_path, read_log, say_failures, say_made, write_gallery
from tools.demo_run import DemoFailed, find_dag, find_port, in_order, own_folder

ROOT = Path(__file__).resolve().parents[3]


def generation(job: str, uri: str | None = None, **fields: Any) -> dict[str, Any]:
    creatives = [{"kind": "image", "uri": uri, "media_type": "image/png", "size": 1500, "sha256": "ab" * 32}]
    made = {"vendor": "adsumo", "id": job, "job_ids": [job], "kind": "image", "credits": {}, "variants": []}
    return {**made, "creatives": creatives if uri else [], **fields}


def charge(job: str, credits_: int = 2, vendor: str = "adsumo") -> dict[str, Any]:
    return {"job_id": job, "credits": credits_, "vendor": vendor}


class FakeRun:
    """What a finished run tells."""

    dag_id = "a_dag"
    run_id = "run-1"

    def __init__(self, *instances: tuple[str, int, str], xcoms: dict[tuple[str, int], Any] | None = None) -> None:
        self._instances = instances
        self._xcoms = xcoms or {}

    def tasks(self) -> list[dict[str, Any]]:
        names = ("task_id", "map_index", "state")
        return [{**dict(zip(names, one, strict=True)), "try_number": 2} for one in self._instances]

    def xcom(self, task_id: str, *, map_index: int = -1) -> Any:
        if (task_id, map_index) not in self._xcoms:
            raise ApiFailed("no such XCom", 404)
        return self._xcoms[task_id, map_index]


# --- the ledger ---------------------------------------------------------------------------------------------------


def test_a_ledger_that_agrees() -> None:
    assert audit([generation("a"), generation("b", job_ids=["b", "c"])], [charge("c"), charge("a"), charge("b")]) == []


@pytest.mark.parametrize(
    ("charges", "said"),
    [
        ([], "job a was made and the ledger has no charge for it"),
        ([charge("a"), charge("a")], "job a was charged 2 times"),
        ([charge("a"), charge("x")], "job x was paid for and no task returned it"),
    ],
)
def test_a_ledger_that_does_not(charges: list[dict[str, Any]], said: str) -> None:
    assert audit([generation("a")], charges) == [said]


# --- what was made ------------------------------------------------------------------------------------------------


def test_generations_are_found_among_what_the_tasks_returned(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"items": []}', encoding="utf-8")
    results = tmp_path / "results.jsonl"
    lines = [{"generation": generation("c")}, {"generation": None}, {"generation": generation("d")}]
    results.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    xcoms = {
        ("plan", -1): [{"product": {}}],
        ("check", -1): {"sufficient": True},
        ("make", 0): generation("a"),
        ("make", 1): generation("b"),
        ("write", -1): {"manifest": f"file://{manifest}"},
        ("batch", -1): {"results": f"file://{results}", "counts": {}},
    }
    instances = [(task, index, "success") for task, index in xcoms]
    found = collect(FakeRun(*instances, ("silent", -1, "success"), ("make", 2, "failed"), xcoms=xcoms))  # type: ignore[arg-type]
    assert [one["id"] for one in found.generations] == ["a", "b", "c", "d"]
    assert found.manifest == (manifest, {"items": []})
    assert found.described("a_dag") == {"items": []}


def test_what_was_made_is_said_with_size_and_place(tmp_path: Path) -> None:
    copy = generation("c", kind="copy", variants=[{"hook": "Light, finally."}])
    (tmp_path / "i.png").touch()
    made = Made({"make": [generation("a", f"file://{tmp_path}/i.png"), generation("b", "s3://b/i.png"), copy]}, None)
    assert say_made(made.described("a_dag"), tmp_path) == [
        "make",
        "  image       2 kB  i.png",
        "  image       2 kB  s3://b/i.png",
        "  copy   Light, finally.",
    ]


def test_the_gallery_shows_what_the_ledger_has(tmp_path: Path) -> None:
    (tmp_path / "i.png").touch()
    made = Made({"make": [generation("a", f"file://{tmp_path}/i.png"), generation("b", vendor="sume")]}, None)
    charges = [charge("a", 20), charge("a", 1), charge("b", 3, "sume")]
    write_gallery(tmp_path / "gallery.html", made.described("a_dag"), charges)
    text = (tmp_path / "gallery.html").read_text(encoding="utf-8")
    assert '<th scope="row">adsumo_default</th><td>not told</td><td>21</td>' in text
    assert '<th scope="row">sume_default</th><td>not told</td><td>3</td>' in text
    assert '"link":"i.png"' in text


@pytest.mark.parametrize(
    ("uri", "path"),
    [("file:///a/b c%20#d", "/a/b c%20#d"), ("/a/b", "/a/b"), ("s3://bucket/a", None), (None, None), ("", None)],
)
def test_only_files_of_this_machine_are_found(uri: str | None, path: str | None) -> None:
    assert local_path(uri) == (Path(path) if path else None)


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
        with pytest.raises(DemoFailed, match=rf"Port {port} cannot be used.*PORT=8090 make demo"):
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
