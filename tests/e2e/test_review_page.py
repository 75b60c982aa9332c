# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A person reviews a campaign on Airflow's own page of required actions, in a browser; or at once; or not at all."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import devtools, open_page  # noqa: F401 - fixtures
from tests.support.shop import GOOD, PATIENCE, manifest_of, product, read_json, states, write_feed
from tools.airflow_api import ApiFailed

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_adgen.sandbox.client import SandboxClient
    from tests.browser.conftest import Open
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack
    from tools.browser import Page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        importlib.util.find_spec("airflow.sdk.execution_time.hitl") is None, reason="Airflow asks people from 3.1 on"
    ),
]

DAG, BRIEFLY = "adgen_asked_campaign", "adgen_briefly_asked_campaign"
WAITING = ("awaiting_input", "deferred")
"""The state of a task that waits for a person, from Airflow 3.3 on and before."""
REVIEWED = GOOD | {"review": "success"}
FIELD = "document.querySelector('[name=element_reject_keys]')"


@pytest.fixture(scope="module")
def stack_options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"env": {**PATIENCE, "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{tmp_path_factory.mktemp('ledger')}"}}


def started(stack: AirflowStack, tmp_path: Path, dag: str = DAG, run_id: str | None = None) -> tuple[Run, str]:
    """Start a run over three products; return it, and the campaign's folder."""
    conf = write_feed(tmp_path / "feed.jsonl", [product(number) for number in (1, 2, 3)])
    return stack.trigger_dag(dag, conf, run_id=run_id), conf["place"]


def approved(run: Run) -> dict[str, bool | None]:
    manifest = read_json(run.xcom("campaign.publish")["manifest"])
    return {entry["key"]: entry["approved"] for entry in manifest["items"]}


async def asked(stack: AirflowStack, open_page: Open, run: Run) -> Page:  # noqa: F811 - the fixture's value
    """Open what a person who is asked opens; return the page once it can be answered there."""
    run.wait_for_task("campaign.review", WAITING, timeout=300)
    page = await open_page(f"{stack.base_url}/required_actions?response_received=false")
    await page.until("document.body.innerText.includes('approve the creatives of')")
    await page.go(f"{stack.base_url}/dags/{run.dag_id}/runs/{run.run_id}/tasks/campaign.review/required_actions")
    await page.until(f"{FIELD} && {button('Approve')} && !{button('Approve')}.disabled")
    assert await page.value("document.body.innerText.includes('3 completed')")
    link = f"https://ads.example/spring/{run.run_id}/gallery.html"
    assert await page.value(f"!!document.querySelector('a[href=\"{link}\"]')"), "the link to the gallery"
    return page


def button(option: str) -> str:
    return f"document.querySelector('[data-testid=\"hitl-option-{option}\"]')"


async def answer(page: Page, option: str, *reject_keys: str) -> None:
    """Fill in the form and press an option's button."""
    if reject_keys:
        await page.value(f"{FIELD}.focus()")
        await page.send("Input.insertText", text="\n".join(reject_keys))
        await page.until(f"{FIELD}.value.endsWith('{reject_keys[-1]}')")
    await page.value(f"{button(option)}.click()")


async def test_what_a_person_approves_on_the_page_is_published(
    stack: AirflowStack,
    sandbox: SandboxClient,
    tmp_path: Path,
    open_page: Open,  # noqa: F811
) -> None:
    sandbox.reset()
    run, place = started(stack, tmp_path, run_id="approved")
    await answer(await asked(stack, open_page, run), "Approve")
    assert run.wait(timeout=300) == "success"
    assert states(run) == REVIEWED
    assert set(approved(run).values()) == {True}
    assert read_json(f"{place}/latest.json")["run_id"] == "approved"
    assert run.xcom("campaign.review")["by"]


async def test_what_a_person_rejects_in_part_is_made_anew_by_the_next_run(
    stack: AirflowStack,
    sandbox: SandboxClient,
    tmp_path: Path,
    open_page: Open,  # noqa: F811
) -> None:
    sandbox.reset()
    run, place = started(stack, tmp_path)
    await answer(await asked(stack, open_page, run), "Approve", "P-002/hero/1x1")
    assert run.wait(timeout=300) == "success"
    assert approved(run) == {"P-001/hero/1x1": True, "P-002/hero/1x1": False, "P-003/hero/1x1": True}
    assert read_json(f"{place}/latest.json")["run_id"] == run.run_id
    assert len(sandbox.charges) == 3

    later, _ = started(stack, tmp_path)
    await answer(await asked_again(stack, open_page, later), "Reject")
    assert later.wait(timeout=300) == "success", "a person's no is no failure"
    assert states(later) == REVIEWED | {"publish": "skipped"}
    assert len(sandbox.charges) == 4, "only what was rejected"
    origins = {entry["key"]: entry["origin"] for entry in manifest_of(later)["items"]}
    assert origins == {"P-001/hero/1x1": "reused", "P-002/hero/1x1": "made", "P-003/hero/1x1": "reused"}
    assert read_json(f"{place}/latest.json")["run_id"] == run.run_id, "what was rejected is not published"


async def asked_again(stack: AirflowStack, open_page: Open, run: Run) -> Page:  # noqa: F811 - the fixture's value
    """Open the page of a run that uses creatives again."""
    run.wait_for_task("campaign.review", WAITING, timeout=300)
    page = await open_page(
        f"{stack.base_url}/dags/{run.dag_id}/runs/{run.run_id}/tasks/campaign.review/required_actions"
    )
    await page.until(f"{button('Reject')} && !{button('Reject')}.disabled")
    assert await page.value("document.body.innerText.includes('2 reused')")
    return page


async def test_without_an_answer_nothing_is_published_until_somebody_is_asked_again(
    stack: AirflowStack,
    sandbox: SandboxClient,
    tmp_path: Path,
    open_page: Open,  # noqa: F811
) -> None:
    sandbox.reset()
    run, place = started(stack, tmp_path, BRIEFLY, "late")
    assert run.wait(timeout=400) == "failed"
    assert states(run) == REVIEWED | {"review": "failed", "publish": "upstream_failed", "verdict": "failed"}
    assert run.task("campaign.review")["try_number"] == 1, "nobody is asked again without being told to"
    assert "Nobody answered in time. Nothing is published." in run.log("campaign.review")
    assert "the creatives are made, and not published" in run.log("campaign.verdict")
    assert not (tmp_path / "ads" / "latest.json").exists()

    run.clear("campaign.review", downstream=True)
    stack.airflow.wait_for(
        "somebody to be asked again",
        lambda: run.task("campaign.review"),
        lambda found: found["try_number"] == 2 and found["state"] in WAITING,
        timeout=120,
    )
    await answer(await asked(stack, open_page, run), "Approve")
    assert run.wait(timeout=300) == "success"
    assert states(run) == REVIEWED
    assert read_json(f"{place}/latest.json")["run_id"] == "late"
    assert len(sandbox.charges) == 3


AT_ONCE = 5


def test_an_answer_that_comes_at_once_fails_nothing(
    stack: AirflowStack, sandbox: SandboxClient, tmp_path: Path
) -> None:
    """Airflow's scheduler may fail a try that is answered as soon as it waits: the next one takes the answer."""
    sandbox.reset()
    tries = []
    for _ in range(AT_ONCE):
        run, _ = started(stack, tmp_path)

        def asking(run: Run = run) -> str:
            return str(run.task("campaign.review")["state"])

        # Not before it waits: SQLite locks no rows, so a task that is answered while it parks may sleep for ever.
        stack.airflow.wait_for("the question", asking, lambda state: state in WAITING, timeout=300, every=0.01)
        path = f"{run.path}/taskInstances/campaign.review/-1/hitlDetails"

        def answer(path: str = path) -> bool:
            try:
                stack.api("PATCH", path, {"chosen_options": ["Approve"], "params_input": {"reject_keys": []}})
            except ApiFailed as error:
                assert "Database error" in str(error), error
                return False  # SQLite is locked: a person would press the button again
            return True

        stack.airflow.wait_for("Airflow to take the answer", answer, lambda taken: taken, timeout=120)
        assert run.wait(timeout=300) == "success"
        assert states(run) == REVIEWED
        tries.append(run.task("campaign.review")["try_number"])
        assert set(approved(run).values()) == {True}
    assert len(sandbox.charges) == 3
    print("tries that the reviews took:", tries)
