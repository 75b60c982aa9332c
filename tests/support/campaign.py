# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A whole campaign without Airflow's processes: its tasks run one after the other, with the trigger rules they have."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, AssetAlias

from airflow_provider_adgen.campaigns import Brief, campaign_refresh
from airflow_provider_adgen.compat import AirflowSkipException, TaskDeferred
from tests.support.batch import BatchRig
from tests.support.tasks import FakeStore, FakeTaskInstance, run_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from airflow_provider_adgen.sandbox import Sandbox

TASKS = ("check", "plan", "generate", "draft", "review", "publish", "verdict")
HERO = Brief("hero", kind="image", prompt="A photo of {title}.", formats=["1:1"], options={"adsumo": {"model": "fast"}})


class _TaskInstance(FakeTaskInstance):
    """A task instance whose XComs other tasks of its run can read."""

    def __init__(self, run: dict[str, dict[str, Any]], states: dict[str, str], **values: Any) -> None:
        super().__init__(**values)
        self._run = run
        self._states = states
        self.xcoms = run.setdefault(self.task_id, {})

    def xcom_pull(self, *, task_ids: str, key: str, default: Any = None, **_of: Any) -> Any:
        return self._run.get(task_ids, {}).get(key, default)

    def get_task_states(
        self, *, dag_id: str, task_ids: Sequence[str], run_ids: Sequence[str]
    ) -> dict[str, dict[str, str]]:
        assert (dag_id, list(run_ids)) == (self.dag_id, [self.run_id])
        of_tasks = {f"campaign.{name}": state for name, state in self._states.items()}
        return {self.run_id: {name: state for name, state in of_tasks.items() if name in task_ids}}


class _Events(dict[str, Any]):
    """What a task says of the assets that it brings up to date, by name: Airflow 3.0's assets are no keys."""

    def __getitem__(self, asset: Any) -> Any:
        found = self.setdefault(asset.name, SimpleNamespace(extra={}, added=[], is_alias=isinstance(asset, AssetAlias)))
        found.add = lambda of, extra: found.added.append((of.name, extra))
        return found


class CampaignRig(BatchRig):
    """A campaign at the sandbox's accounts, whose runs share a destination and a ledger."""

    def __init__(self, sandbox: Sandbox, patch: pytest.MonkeyPatch, folder: Path) -> None:
        super().__init__(sandbox, patch, folder)
        self.place = f"file://{folder / 'ads'}"
        self.run_id = "weekly-1"
        self.logical_date: datetime | None = datetime(2026, 1, 5, tzinfo=UTC)
        self.xcom: dict[str, dict[str, dict[str, Any]]] = {}
        self.states: dict[str, str] = {}
        self.errors: dict[str, Exception] = {}
        self.events: list[dict[str, Any]] = []
        self.creative_events: list[tuple[str, dict[str, Any]]] = []
        self.tries: dict[tuple[str, str], int] = {}
        self.clears: dict[tuple[str, str], int] = {}
        self.asked: list[dict[str, Any]] = []
        self.waits: list[BaseException] = []
        self.store: FakeStore | None = None
        self.make_dag: Callable[[], Any] | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self.feed("Lamp", "Chair", "Table")
        self.approve()

    # --- what is given ------------------------------------------------------------------------------------------------

    def feed(self, *titles: str, brand: str = "Lumo") -> None:
        """Write the catalogue: one product for each title."""
        path = self.folder / "feed.jsonl"
        rows = [
            {
                "id": f"P-{number}",
                "title": title,
                "brand": brand,
                "description": "Good.",
                "link": f"https://shop.example/{number}",
                "image_link": f"https://shop.example/{number}.jpg",
                "product_type": "Things",
            }
            for number, title in enumerate(titles, 1)
        ]
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        self.catalogue = str(path)

    def tasks(self, **arguments: Any) -> dict[str, Any]:
        """Return the tasks of a campaign, by their names in its group."""
        given: dict[str, Any] = {
            "catalogue": self.catalogue,
            "briefs": [HERO],
            "accounts": ["adsumo_default"],
            "destination": self.place,
            "poll_interval": 0.05,
            "deferrable": True,
            **arguments,
        }
        if self.make_dag is not None:
            dag = self.make_dag()
        else:
            with DAG("spring", schedule=None, params={"dry": "no"}) as dag:
                campaign_refresh(**given)
        return {task.task_id.partition(".")[2]: task for task in dag.tasks}

    # --- running ------------------------------------------------------------------------------------------------------

    def step(self, name: str, task: Any, **params: Any) -> Any:
        """Run one task of the run, one more try of it; its XComs begin anew."""
        ti, context = self._begin(task, **params)
        if self.store is not None and name == "review":
            context["task_state_store"] = self.store
        self.last_context = context
        task.render_template_fields(context, task.get_template_env(task.dag))
        value = self._ask(task, context) if name == "review" else run_task(task, context, passing=self.clock.move)
        if value is not None:
            ti.xcom_push("return_value", value)
        told = context["outlet_events"].values()
        self.events += [accessor.extra for accessor in told if not accessor.is_alias]
        self.creative_events += [one for accessor in told for one in accessor.added]
        assert len(context["outlet_events"]) == len(task.outlets)
        self.states[name] = "success"
        return value

    def first_leg(self, task: Any) -> None:
        """Run a task of the run up to its first wait, after which nobody takes it up again."""
        context = self._begin(task)[1]
        task.render_template_fields(context, task.get_template_env(task.dag))
        with contextlib.suppress(TaskDeferred):
            task.execute(context)
            raise AssertionError("it waits for nothing")

    def _begin(self, task: Any, **params: Any) -> tuple[Any, dict[str, Any]]:
        """Return task instance and context of one more try of a task."""
        of = (self.run_id, task.task_id)
        self.tries[of] = self.tries.get(of, 0) + 1
        run = self.xcom.setdefault(self.run_id, {})
        run.pop(task.task_id, None)
        ti = _TaskInstance(
            run,
            self.states,
            id="ti",
            dag_id="spring",
            run_id=self.run_id,
            task_id=task.task_id,
            try_number=self.tries[of],
            max_tries=1 + 2 * self.clears.get(of, 0),
        )
        context: dict[str, Any] = {
            "ti": ti,
            "task_instance": ti,
            "task": task,
            "params": {"dry": "no", **params},
            "dag_run": SimpleNamespace(run_after=datetime(2026, 2, 1, tzinfo=UTC)),
            "outlet_events": _Events(),
        }
        if self.logical_date is not None:
            context["logical_date"] = self.logical_date
        return ti, context

    def _ask(self, task: Any, context: dict[str, Any]) -> Any:
        """Run the review: somebody is asked, something may happen meanwhile, the answer comes."""
        from airflow.providers.standard.operators import hitl

        self.patch.setattr(hitl, "upsert_hitl_detail", lambda **asked: self.asked.append(asked))
        try:
            task.execute(context)
        except (TaskDeferred, getattr(hitl, "TaskAwaitingInput", TaskDeferred)) as wait:
            self.waits.append(wait)
            self.meanwhile()
            return task.execute_complete(context, self.answer)
        raise AssertionError("nobody was asked")

    def approve(self, *reject_keys: str, option: str = "Approve") -> None:
        """Let the person who is asked answer so."""
        self.answer = {
            "chosen_options": [option],
            "params_input": {"reject_keys": list(reject_keys)},
            "responded_at": datetime(2026, 1, 6, tzinfo=UTC),
            "responded_by_user": {"id": "7", "name": "Ada"},
            "timedout": False,
        }

    def go(self, *, begin: str = "check", params: dict[str, Any] | None = None, **arguments: Any) -> dict[str, str]:
        """
        Run a campaign's tasks, from one of them on; return how each ended.

        :param begin: the first task to run; of those before it, what they left in this run counts.
        """
        tasks = self.tasks(**arguments)
        names = [name for name in TASKS if name in tasks]
        for name in names[names.index(begin) :]:
            task = tasks[name]
            before = {self.states[one.partition(".")[2]] for one in task.upstream_task_ids}
            if task.trigger_rule.value == "all_success" and before - {"success"}:
                # What it left in XCom before a clear stays: Airflow deletes that when the task runs again.
                self.states[name] = "upstream_failed" if before & {"failed", "upstream_failed"} else "skipped"
                continue
            try:
                self.step(name, task, **(params or {}))
            except AirflowSkipException:
                self.states[name] = "skipped"
            except Exception as error:
                self.states[name], self.errors[name] = "failed", error
        return dict(self.states)

    def cleared(self, *names: str) -> None:
        """Let the next try of some tasks of this run be one after a clear."""
        for name in names:
            of = (self.run_id, f"campaign.{name}")
            self.clears[of] = self.clears.get(of, 0) + 1

    def begin_run(self, run_id: str, logical_date: datetime | None) -> None:
        """Let what follows be another run."""
        self.run_id, self.logical_date = run_id, logical_date
        self.states, self.errors = {}, {}

    # --- what came of it ----------------------------------------------------------------------------------------------

    def told(self, name: str, key: str = "return_value") -> Any:
        return self.xcom[self.run_id].get(f"campaign.{name}", {}).get(key)

    def read(self, uri: str) -> Any:
        """Return the JSON of a file."""
        return json.loads(Path(uri.removeprefix("file://")).read_text())

    @property
    def plan(self) -> dict[str, Any]:
        found: dict[str, Any] = self.read(f"{self.place}/{self.run_id}/plan.json")
        return found

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = self.read(f"{self.place}/{self.run_id}/manifest.json")
        return found

    @property
    def latest(self) -> dict[str, Any]:
        found: dict[str, Any] = self.read(f"{self.place}/latest.json")
        return found

    def message(self, name: str) -> str:
        return str(self.errors[name])

    def paid_prompts(self) -> Sequence[str]:
        """Return the prompts of what was paid for, in order."""
        jobs = {job["id"]: job["request"] for job in self.sandbox.jobs()}
        return [jobs[one["job_id"]]["prompt"] for one in self.charges]

    def lines_of_run(self) -> list[dict[str, Any]]:
        """Return the lines of the run's results."""
        from airflow_provider_adgen.campaigns import read_results

        return list(read_results(self.told("generate", "results")))

    def lines_of(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of a file of the run's folder."""
        text = (self.folder / "ads" / self.run_id / name).read_text()
        return [json.loads(line) for line in text.splitlines()]
