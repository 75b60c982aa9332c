# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
A whole Airflow of one's own: scheduler, DAG processor, triggerer and API server, for tests and for the demo.

::

    with AirflowStack(work_dir, dags=["example_dags"], connections={"adsumo_default": {...}}) as stack:
        run = stack.trigger_dag("adgen_campaign_refresh")
        assert run.wait(timeout=120) == "success"

It runs in a directory of its own, on SQLite, with the LocalExecutor, on free ports of the loopback interface, and
everybody who can reach it is an admin. Nothing of it is left when the block is over, nor when this process is killed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import sqlite3
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tools.airflow_api import AirflowApi, Run
from tools.processes import ProcessDied, Program, Programs, children, session_members

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")

# What the health report calls them.
_HEALTH = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}

# Airflow's own values suit a machine that runs for weeks; these notice within seconds what a test has done.
_SWIFT = {
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE": "20",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL": "1",
}


class AirflowStack:
    """
    One Airflow.

    :param work: the directory for its database, logs and settings; made if need be, never removed.
    :param dags: directories with DAG files.
    :param connections: Airflow connections by id, as URI or as a mapping (``conn_type``, ``host``, ``password``...).
    :param env: further environment, for instance ``AIRFLOW__ADGEN__LEDGER_PATH``; wins over what is set here. May be
        changed later in :attr:`env`; a component sees it when it is started again.
    :param parallelism: how many tasks run at once.
    :param components: what to start.
    :param serve_logs: run the log servers too, so that the user interface shows logs of tasks that still run.
    :param template: a file that keeps a migrated database for the next stack (migrating takes seconds).
    :param python: the interpreter whose Airflow is run.
    :param start_timeout: seconds until everything must be healthy.
    :param port: the API server's port; None takes a free one.
    :param swift: the scheduler and the others look after what has happened more often than by Airflow's own settings;
        not for measurements of what Airflow takes.
    """

    def __init__(
        self,
        work: Path,
        *,
        dags: Sequence[Path | str] = (),
        connections: Mapping[str, str | Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        parallelism: int = 4,
        components: Sequence[str] = COMPONENTS,
        serve_logs: bool = False,
        template: Path | None = None,
        python: Path | str = sys.executable,
        start_timeout: float = 120,
        port: int | None = None,
        swift: bool = True,
    ) -> None:
        self.work = Path(work).resolve()
        self.port = port or free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.database = self.work / "airflow.db"
        self.python = Path(python).absolute()
        self.programs = Programs(self.work / "output")
        self.airflow = AirflowApi(self.base_url, self.programs.check)
        self._components = tuple(components)
        self._serve_logs = serve_logs
        self._template = template
        self._start_timeout = start_timeout
        self.env = self._environment([Path(path).resolve() for path in dags], parallelism)
        if swift:
            self.env.update(_SWIFT)
        for conn_id, connection in (connections or {}).items():
            value = connection if isinstance(connection, str) else json.dumps(connection)
            self.env[f"AIRFLOW_CONN_{conn_id.upper()}"] = value
        self.env.update(env or {})

    def _environment(self, dags: Sequence[Path], parallelism: int) -> dict[str, str]:
        # Nothing of an Airflow that the user may have configured must reach this one.
        env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        bundles = [
            {
                "name": f"dags-{number}",
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(path), "refresh_interval": 1},
            }
            for number, path in enumerate(dags, start=1)
        ]
        env.update(
            {
                "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                "NO_PROXY": "127.0.0.1,localhost",
                "no_proxy": "127.0.0.1,localhost",
                "PYTHONUNBUFFERED": "1",
                "AIRFLOW_HOME": str(self.work),
                "AIRFLOW_CONFIG": str(self.work / "airflow.cfg"),
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__PARALLELISM": str(parallelism),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__DAGS_FOLDER": str(dags[0] if dags else self.work / "dags"),
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.work / "plugins"),
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.base_url}/execution/",
                "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                # The name of this machine need not be known to any name server.
                "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
                "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
                "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__PORT": str(self.port),
                # Airflow 3.0 appends to it without a slash of its own.
                "AIRFLOW__API__BASE_URL": f"{self.base_url}/",
                "AIRFLOW__API__WORKERS": "1",
                "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
                "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.work / "logs"),
                "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
                "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            }
        )
        return env

    # --- starting and stopping ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """
        Make the database, start the components and wait until they are healthy.

        :raises ProcessDied: a component has ended; the message quotes its log.
        :raises TimeoutError: a component did not become healthy; the message quotes its log.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        # Without a file each component would write one, at the same time, with keys of its own.
        (self.work / "airflow.cfg").touch()
        if not self.database.exists():
            self._make_database()
        started = time.time()
        for component in self._components:
            self.launch(component)
        self.wait_until_healthy(started)

    def stop(self) -> None:
        """End every process; nothing of this Airflow runs when this returns."""
        self.airflow.close()
        self.programs.close()

    def _make_database(self) -> None:
        if self._template is not None and self._template.exists():
            shutil.copyfile(self._template, self.database)
            return
        migration = self.programs.start("migration", [self.python, "-m", "airflow", "db", "migrate"], self.env)
        if self.programs.finish("migration"):
            raise ProcessDied(f"airflow db migrate has failed:\n{migration.tail(60)}")
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            # Otherwise every reader makes every writer wait; the file remembers this.
            database.execute("PRAGMA journal_mode=WAL")
            _never_give_a_number_twice(database)
        if self._template is not None:
            self._template.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self._template.with_name(f"{self._template.name}.{os.getpid()}")
            shutil.copyfile(self.database, unfinished)
            unfinished.replace(self._template)

    def launch(self, component: str, name: str | None = None, env: Mapping[str, str] | None = None) -> Program:
        """
        Start one component without waiting for it.

        :param name: what to call it, so that there can be two of a kind.
        :param env: further environment for this one.
        """
        command: list[str | Path] = [self.python, "-m", "airflow", component]
        if component in {"scheduler", "triggerer"} and not self._serve_logs:
            command.append("--skip-serve-logs")
        given = {**self.env, **self._patience(component), **(env or {})}
        return self.programs.start(name or component, command, given)

    def _patience(self, component: str) -> dict[str, str]:
        """
        Return how long a component waits for the database.

        Under load that may take longer than SQLite's five seconds, after which a scheduler ends. The API server must
        not wait so long: it waits on its event loop, where other requests of its own may hold what it waits for.
        """
        name = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
        url = self.env[name]
        return {} if component == "api-server" or "?" in url else {name: f"{url}?timeout=60"}

    def wait_until_healthy(self, since: float, components: Sequence[str] | None = None) -> None:
        """
        Wait until the API server answers and each component has given a sign of life.

        :param since: Unix time; older signs of life do not count.
        :param components: which of them; None means all that run.
        :raises ProcessDied: a component has ended; the message quotes its log.
        :raises TimeoutError: there was none in time; the message quotes the logs of those that are missing.
        """
        wanted = self._components if components is None else components
        deadline = time.monotonic() + self._start_timeout
        while True:
            missing = self._unhealthy(wanted, since)
            if not missing:
                return
            self.programs.check()
            if time.monotonic() > deadline:
                tails = "\n".join(f"The end of {name}'s log:\n{self.tail(name)}" for name in missing)
                raise TimeoutError(f"{', '.join(missing)}: not healthy after {self._start_timeout:g} s.\n{tails}")
            time.sleep(0.2)

    def _unhealthy(self, wanted: Sequence[str], since: float) -> list[str]:
        health = self.airflow.health()
        if not health:
            return ["api-server"]
        missing = []
        for component in wanted:
            report = health.get(_HEALTH.get(component, ""), {})
            beat = report.get(f"latest_{_HEALTH.get(component)}_heartbeat")
            if component in _HEALTH and (beat is None or datetime.fromisoformat(beat).timestamp() < since):
                missing.append(component)
        return missing

    # --- what a test does to it -----------------------------------------------------------------------------------

    def kill(self, component: str, number: signal.Signals = signal.SIGKILL, *, whole: bool = False) -> None:
        """
        Send a signal to a component.

        :param whole: to all its processes, as when its machine dies (for the scheduler: the running tasks too);
            otherwise only to the leading one.
        """
        self.programs.kill(component, number, whole=whole)

    def restart(self, component: str, *, grace: float | None = None) -> None:
        """
        Stop a component if it still runs, start it anew with the present :attr:`env`, wait until it is healthy.

        :param grace: seconds it gets to end by itself (a triggerer may take more than ten); None means four.
        """
        self.programs.stop(component, grace=grace)
        started = time.time()
        self.launch(component)
        self.wait_until_healthy(started, [component])

    def task_process(self, run: Run, task_id: str, map_index: int = -1, *, timeout: float = 30) -> int:
        """
        Return the process that executes a task instance, once it runs.

        It is the one the user's code runs in; its parent is the supervisor, which is also the LocalExecutor's worker.

        :raises TimeoutError: no such process came in time.
        """

        def look() -> int | None:
            found = run.task(task_id, map_index)
            # Airflow keeps the pid of the last leg, so only a process of ours counts.
            return found["pid"] if found["state"] == "running" and found["pid"] in self.task_processes() else None

        pid = self.airflow.wait_for(
            f"a process that executes {task_id}[{map_index}]", look, lambda pid: pid is not None, timeout=timeout
        )
        assert pid is not None  # noqa: S101 - for the type checker
        return pid

    def task_processes(self) -> list[int]:
        """Return the processes that execute tasks now."""
        scheduler = self.programs["scheduler"].pid
        return [pid for worker in children(scheduler) for pid in children(worker)]

    def processes(self, component: str) -> list[int]:
        """Return all processes of a component, the youngest first."""
        return session_members([self.programs[component].pid])

    # --- looking at it --------------------------------------------------------------------------------------------

    def trigger_dag(self, dag_id: str, conf: dict[str, Any] | None = None, *, run_id: str | None = None) -> Run:
        """Start a run of a DAG, once the DAG is there."""
        return self.airflow.trigger_dag(dag_id, conf, run_id=run_id)

    def api(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Make one request to the API; see :meth:`AirflowApi.api`."""
        return self.airflow.api(method, path, body, **params)

    def tail(self, component: str, lines: int = 30) -> str:
        """Return the end of a component's output."""
        return self.programs[component].tail(lines)

    def files_holding(self, text: str) -> list[Path]:
        """Return the files of this Airflow (logs, output, database) that hold *text*: a key must be in none."""
        needle = text.encode()
        return [path for path in sorted(self.work.rglob("*")) if path.is_file() and needle in path.read_bytes()]


def _never_give_a_number_twice(database: sqlite3.Connection) -> None:
    """
    Let triggers have numbers that none has had before, as on every other database.

    SQLite gives the number of the last row anew once that row is gone, and a triggerer of Airflow's does not take up a
    number that it could not load before: the task would wait until Airflow's own deadline.
    """
    found = database.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'trigger' AND sql NOT NULL ORDER BY rowid")
    made = [sql for (sql,) in found]
    changed = made[0].replace("id INTEGER NOT NULL", "id INTEGER PRIMARY KEY AUTOINCREMENT", 1)
    changed = changed.replace("CONSTRAINT trigger_pkey PRIMARY KEY (id)", "CHECK (id > 0)")
    database.execute('DROP TABLE "trigger"')
    for sql in (changed, *made[1:]):
        database.execute(sql)


def free_port() -> int:
    """Return a port that nothing listens on, from below the range that outgoing connections take theirs from."""
    for _ in range(200):
        port = random.randint(20000, 32000)  # noqa: S311 - nothing to guess
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("No free port between 20000 and 32000.")
