# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Airflow's public REST API, as far as tests and the demo need it; works with Airflow 3.0 to 3.3."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

T = TypeVar("T")

FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""States that a task instance stays in."""


class ApiFailed(RuntimeError):
    """
    Airflow refused a request.

    :param status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class WaitedTooLong(TimeoutError):
    """What was waited for did not come; the message says what there was instead."""


class AirflowApi:
    """
    The API of one Airflow whose simple auth manager lets everybody be an admin.

    :param base_url: the API server.
    :param check: called while waiting; raises where waiting has become pointless.
    """

    def __init__(self, base_url: str, check: Callable[[], None] = lambda: None) -> None:
        self.base_url = base_url.rstrip("/")
        self._check = check
        # No proxies: it runs on this machine.
        self._client = httpx.Client(base_url=self.base_url, timeout=30, trust_env=False)
        self._token: str | None = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def api(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """
        Make one request.

        :param path: below ``/api/v2/``, or from the root when it starts with a slash.
        :param body: what to send as JSON.
        :param params: the query.
        :return: the answer's JSON, None where there is none.
        :raises ApiFailed: an error status.
        """
        url = path if path.startswith("/") else f"/api/v2/{path}"
        # A restarted API server has dropped our connections, and SQLite may be busy: reading again does no harm.
        attempts = 5 if method == "GET" else 1
        for attempt in range(1, attempts + 1):
            try:
                answer = self._client.request(
                    method, url, json=body, params=params, headers={"Authorization": f"Bearer {self._login()}"}
                )
            except httpx.TransportError:
                if attempt == attempts:
                    raise
                time.sleep(0.2 * attempt)
                continue
            if answer.status_code == 401 and attempt < attempts:
                self._token = None
                continue
            if answer.status_code >= 500 and attempt < attempts:
                time.sleep(0.2 * attempt)
                continue
            break
        if answer.is_error:
            raise ApiFailed(f"{method} {url}: {answer.status_code}: {answer.text[:2000]}", answer.status_code)
        return answer.json() if answer.content else None

    def _login(self) -> str:
        if self._token is None:
            answer = self._client.get("/auth/token")
            answer.raise_for_status()
            self._token = str(answer.json()["access_token"])
        return self._token

    def health(self) -> dict[str, Any]:
        """Return what the components say of themselves; empty while the API server does not answer."""
        try:
            answer = self._client.get("/api/v2/monitor/health", timeout=5)
            found: dict[str, Any] = answer.json() if answer.is_success else {}
        except httpx.TransportError:
            return {}
        return found

    def wait_for(
        self, what: str, look: Callable[[], T], ready: Callable[[T], bool], *, timeout: float, every: float = 0.2
    ) -> T:
        """
        Look until it is ready.

        :param what: what is waited for, for the message.
        :raises WaitedTooLong: *timeout* seconds are over.
        """
        deadline = time.monotonic() + timeout
        while not ready(found := look()):
            self._check()
            if time.monotonic() > deadline:
                raise WaitedTooLong(f"After {timeout:g} s of waiting for {what} there is still: {found}")
            time.sleep(every)
        return found

    def wait_for_dag(self, dag_id: str, *, timeout: float = 60) -> dict[str, Any]:
        """
        Wait until the DAG processor has read a DAG.

        :raises ApiFailed: a DAG file could not be imported; the message quotes why.
        """

        def look() -> dict[str, Any] | None:
            try:
                found: dict[str, Any] = self.api("GET", f"dags/{dag_id}")
                return found
            except ApiFailed as error:
                if error.status != 404:
                    raise
            broken = self.import_errors()
            if broken:
                raise ApiFailed(f"DAG {dag_id} is not there, and there are import errors:\n" + "\n".join(broken), 404)
            return None

        # A DAG of an earlier run of this Airflow is shown as stale until its file was read again.
        found = self.wait_for(
            f"DAG {dag_id}", look, lambda dag: dag is not None and not dag.get("is_stale"), timeout=timeout
        )
        assert found is not None  # noqa: S101 - for the type checker
        return found

    def import_errors(self) -> list[str]:
        """Return why DAG files could not be imported."""
        errors = self.api("GET", "importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in errors]

    def trigger_dag(self, dag_id: str, conf: dict[str, Any] | None = None, *, run_id: str | None = None) -> Run:
        """
        Start a run of a DAG, once the DAG is there.

        :param conf: the run's configuration.
        :param run_id: None makes one up.
        """
        self.wait_for_dag(dag_id)
        body = {"dag_run_id": run_id or f"run-{uuid.uuid4().hex[:10]}", "logical_date": None, "conf": conf or {}}
        made = self.api("POST", f"dags/{dag_id}/dagRuns", body)
        return Run(self, dag_id, made["dag_run_id"])


@dataclass(frozen=True)
class Run:
    """
    One run of a DAG.

    :param airflow: where it runs.
    :param dag_id: of which DAG.
    :param run_id: its id.
    """

    airflow: AirflowApi
    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        """The run's path in the API."""
        return f"dags/{self.dag_id}/dagRuns/{quote(self.run_id, safe='')}"

    def state(self) -> str:
        """Return the run's state."""
        return str(self.airflow.api("GET", self.path)["state"])

    def wait(self, *, timeout: float = 120) -> str:
        """
        Wait until the run has ended; return ``success`` or ``failed``.

        :raises WaitedTooLong: *timeout* seconds are over; the message names the states of its tasks.
        """

        def look() -> tuple[str, list[str]]:
            state = self.state()
            if state in FINISHED:
                return state, []
            return state, [f"{ti['task_id']}[{ti['map_index']}] {ti['state']}" for ti in self.tasks()]

        found = self.airflow.wait_for(f"run {self.run_id}", look, lambda found: found[0] in FINISHED, timeout=timeout)
        return found[0]

    def tasks(self, task_id: str | None = None) -> list[dict[str, Any]]:
        """Return the run's task instances, or those of one task, in order of map index."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.airflow.api("GET", f"{self.path}/taskInstances", limit=100, offset=len(found))
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                break
        chosen = [ti for ti in found if task_id in (None, ti["task_id"])]
        return sorted(chosen, key=lambda ti: (ti["task_id"], ti["map_index"]))

    def task(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return one task instance: ``state``, ``try_number``, ``max_tries``, ``pid`` and more."""
        found: dict[str, Any] = self.airflow.api("GET", self._task_path(task_id, map_index))
        return found

    def wait_for_task(
        self, task_id: str, states: str | Collection[str] = FINISHED, *, map_index: int = -1, timeout: float = 60
    ) -> dict[str, Any]:
        """
        Wait until a task instance is in one of *states*; return it.

        :raises WaitedTooLong: *timeout* seconds are over, or it has ended in another state.
        """
        wanted = {states} if isinstance(states, str) else set(states)
        what = f"task {task_id}[{map_index}] of run {self.run_id} to be {' or '.join(sorted(wanted))}"

        def look() -> dict[str, Any]:
            try:
                found = self.task(task_id, map_index)
            except ApiFailed as error:
                if error.status != 404:  # not there yet: mapped late
                    raise
                return {"state": "not there"}
            if found["state"] in FINISHED - wanted:
                raise WaitedTooLong(f"Waiting for {what} has no point: it is {found['state']}.")
            return found

        return self.airflow.wait_for(
            what,
            look,
            lambda found: found["state"] in wanted,
            timeout=timeout,
        )

    def links(self, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return the links on a task's page; None for one that is not shown."""
        path = f"{self._task_path(task_id)}/links"
        found: dict[str, str | None] = self.airflow.api("GET", path, map_index=map_index)["extra_links"]
        return found

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """
        Return an XCom's value.

        :raises ApiFailed: there is none (404).
        """
        path = f"{self._task_path(task_id)}/xcomEntries/{quote(key, safe='')}"
        value = self.airflow.api("GET", path, map_index=map_index)["value"]
        return value

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return a task instance's log as the user sees it, one line per message."""
        path = f"{self._task_path(task_id)}/logs/{try_number}"
        content = self.airflow.api("GET", path, map_index=map_index, full_content=True)["content"]
        if isinstance(content, str):
            return content
        return "\n".join(line if isinstance(line, str) else _log_line(line) for line in content)

    def clear(self, *task_ids: str | tuple[str, int], downstream: bool = False, only_failed: bool = False) -> None:
        """
        Clear task instances as a user does, so that they run again; without ids, the whole run's.

        :param task_ids: task ids, or pairs of task id and map index.
        """
        body: dict[str, Any] = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "only_failed": only_failed,
            "reset_dag_runs": True,
            "include_downstream": downstream,
        }
        if task_ids:
            body["task_ids"] = list(task_ids)
        self.airflow.api("POST", f"dags/{self.dag_id}/clearTaskInstances", body)

    def mark(self, state: str, task_id: str | None = None, map_index: int = -1) -> None:
        """Set the state of a task instance, or of the run, as a user does: ``success`` or ``failed``."""
        if task_id is None:
            self.airflow.api("PATCH", self.path, {"state": state})
        else:
            self.airflow.api("PATCH", self._task_path(task_id, map_index), {"new_state": state})

    def tries(self, task_id: str, map_index: int = -1) -> Sequence[dict[str, Any]]:
        """Return all tries of a task instance, the earliest first."""
        path = f"{self._task_path(task_id)}/tries" if map_index < 0 else f"{self._task_path(task_id, map_index)}/tries"
        found: list[dict[str, Any]] = self.airflow.api("GET", path)["task_instances"]
        return sorted(found, key=lambda ti: ti["try_number"])

    def _task_path(self, task_id: str, map_index: int = -1) -> str:
        path = f"{self.path}/taskInstances/{quote(task_id, safe='')}"
        return path if map_index < 0 else f"{path}/{map_index}"


def _log_line(line: dict[str, Any]) -> str:
    text = str(line.get("event", ""))
    rest = {key: value for key, value in line.items() if key not in {"event", "timestamp"}}
    return f"{line.get('timestamp', '')} {text} {json.dumps(rest, default=str) if rest else ''}".strip()
