# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The screenshots of the documentation: ``make screenshots``, or ``python -m tools.screenshots``.

Runs a small campaign on a whole Airflow against the sandbox, with a person who approves, and takes the pictures of it
in a headless Chromium: the run, the page of the task that pays, the page on which a person approves, and the gallery.
It costs nothing. It writes ``docs/_static/screenshots/``. Look at each picture before you commit it.

Nothing of the machine may be in a picture: tabs with paths are not opened, and the gallery is served by http.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from PIL import Image

from tools.airflow_api import ApiFailed
from tools.browser import BrowserFailed, Page, find_chromium, running
from tools.demo_stage import open_stage
from tools.processes import ROOT, ProcessDied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

TARGET = ROOT / "docs" / "_static" / "screenshots"
LARGEST = 200_000
"""Bytes that a picture may have."""

_PATIENCE = 600.0
"""Seconds for each thing that is waited for."""

_SETTLED = 4.0
"""Seconds in which what is loaded late, slides or fades in has come: the pages have no event for that."""

_DAG, _RUN = "spring", "week-48"
_WIDE = (1280, 800)
_PHONE = (390, 844)
_RUN_PATH = f"/dags/{_DAG}/runs/{_RUN}"
_REVIEW = "campaign.review"
_REJECTED = "MUG-202/hero/9x16"
_ANSWERED = (
    "executor event with state success for task instance TaskInstanceKey(dag_id='spring', task_id='campaign.review'"
)
_KEPT = {f"{_DAG}/open-groups": '["campaign"]', "timezone": '"UTC"', "theme": "light"}
"""What Airflow's user interface keeps in the browser of somebody who has chosen so."""

_PANELS = '{"details-panel,main-panel":{"expandToSizes":{},"layout":[25,75]}}'
_GRAPH = {**_KEPT, "default_dag_view": '"graph"'}
_GRID = {**_KEPT, "default_dag_view": '"grid"', "react-resizable-panels:grid-ltr": _PANELS}


class ScreenshotsFailed(Exception):
    """The screenshots cannot be taken; the text says why."""


@dataclass(frozen=True)
class Shot:
    """
    One picture.

    :param name: its file, without the ending.
    :param path: the page, below Airflow's address, or below the campaign's destination.
    :param texts: what must be on the page before the picture is taken.
    :param size: width and height of the window.
    :param until: an expression that must be true, too.
    :param kept: what the browser has in its local storage.
    :param clicks: the selectors of what is clicked before the picture is taken, one after the other.
    """

    name: str
    path: str
    texts: tuple[str, ...] = ()
    size: tuple[int, int] = _WIDE
    until: str = "true"
    kept: Mapping[str, str] = field(default_factory=dict)
    clicks: tuple[str, ...] = ()


_STATES_SHOWN = "document.querySelectorAll('[data-run-id] svg').length > 6"

IN_AIRFLOW = (
    Shot(
        "run",
        _RUN_PATH,
        ("generate", "review", "verdict"),
        size=(1280, 600),
        kept=_GRAPH,
        clicks=('[aria-label="Collapse Details Panel"]', '[aria-label="Fit View"]'),
    ),
    # The lower rows of this table name the machine.
    Shot(
        "task",
        f"{_RUN_PATH}/tasks/campaign.generate/details",
        ("Run ID",),
        size=(1280, 500),
        until=_STATES_SHOWN,
        kept=_GRID,
    ),
    Shot(
        "review",
        f"{_RUN_PATH}/tasks/{_REVIEW}/required_actions",
        ("Open the gallery", "Approve", "Reject"),
        size=(1280, 640),
        until=_STATES_SHOWN,
        kept=_GRID,
    ),
)
_SHOWN = (
    "[...document.querySelectorAll('.card img, .card video')].filter((one) => one.getBoundingClientRect().top < "
    "innerHeight).every((one) => one.naturalWidth || one.readyState > 1)"
)
"""Whether all pictures and films that are in view are there."""

IN_GALLERY = (
    Shot("gallery", f"/{_RUN}/gallery.html", ("16 items",), until=_SHOWN),
    Shot("gallery-phone", f"/{_RUN}/gallery.html", ("16 items",), size=_PHONE, until=_SHOWN),
)
SHOTS = (*IN_AIRFLOW, *IN_GALLERY)


def main() -> int:
    """
    Take all pictures.

    :return: the exit status.
    """
    try:
        program = find_chromium()
        if program is None:
            raise ScreenshotsFailed(
                "There is no Chromium: install the package chromium of your system, or name its program in "
                "ADGEN_CHROMIUM."
            )
        work = Path(tempfile.mkdtemp(prefix="adgen-screenshots-"))
        try:
            take_all(program, work, TARGET)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except (ScreenshotsFailed, BrowserFailed, ApiFailed, ProcessDied, TimeoutError) as error:
        print(f"The screenshots could not be taken: {error}")
        return 1
    return 0


def take_all(program: str, work: Path, target: Path) -> None:
    """
    Run the campaign, and take the pictures while it goes on.

    :param program: Chromium.
    :param work: an empty folder for everything else.
    :param target: the folder for the pictures.
    :raises ScreenshotsFailed: the run has failed, or a picture is too large.
    :raises BrowserFailed: a page does not show what it should.
    """
    target.mkdir(parents=True, exist_ok=True)
    place = work / "creatives"
    env = {
        # Nobody kills anything here: on a busy machine a heartbeat may be late.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "600",
        "ADGEN_SCREENSHOTS_FEED": str(ROOT / "example_dags" / "adgen_campaign_catalogue.csv"),
        "ADGEN_SCREENSHOTS_PLACE": f"file://{place}",
    }
    with (
        open_stage(work, dags=ROOT / "tools" / "screenshot_dags", env=env, start_timeout=_PATIENCE) as stage,
        running(program, work / "chromium") as devtools,
    ):
        airflow = stage.airflow
        run = airflow.trigger_dag(_DAG, run_id=_RUN)
        _wait_for_review(airflow, run)
        asyncio.run(_take_in_airflow(airflow.base_url, devtools, target))
        answer = {"chosen_options": ["Approve"], "params_input": {"reject_keys": [_REJECTED]}}
        airflow.api("PATCH", f"{run.path}/taskInstances/{_REVIEW}/-1/hitlDetails", answer)
        if run.wait(timeout=_PATIENCE) != "success":
            states = ", ".join(f"{one['task_id']} {one['state']}" for one in run.tasks())
            raise ScreenshotsFailed(f"the run has failed: {states}.")
        asyncio.run(_take_gallery(place, devtools, target))


def _wait_for_review(airflow: AirflowStack, run: Run) -> None:
    """Wait until a person is asked, and until Airflow has taken in that the leg that asks is over."""
    run.wait_for_task(_REVIEW, ("awaiting_input", "deferred"), timeout=_PATIENCE)
    airflow.airflow.wait_for(
        "the leg that asks to be over",
        lambda: airflow.tail("scheduler", 500),
        lambda text: _ANSWERED in text,
        timeout=_PATIENCE,
    )


async def _take_in_airflow(address: str, devtools: str, target: Path) -> None:
    async with aiohttp.ClientSession() as client:
        for shot in IN_AIRFLOW:
            await _take(shot, address, client, devtools, target)


async def _take_gallery(place: Path, devtools: str, target: Path) -> None:
    """Serve the destination as a bucket does, and take the pictures of its gallery."""
    app = web.Application()
    app.router.add_static("/", place)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as client:
            for shot in IN_GALLERY:
                await _take(shot, f"http://127.0.0.1:{runner.addresses[0][1]}", client, devtools, target)
    finally:
        await runner.cleanup()


async def _take(shot: Shot, address: str, client: aiohttp.ClientSession, devtools: str, target: Path) -> None:
    page = await Page.open(client, devtools, *shot.size)
    try:
        await page.send("Emulation.setScrollbarsHidden", hidden=True)
        if shot.kept:
            await page.go(address)
            await page.value("localStorage.clear()")
            for name, value in shot.kept.items():
                await page.value(f"localStorage.setItem({name!r}, {value!r})")
        await page.go(f"{address}{shot.path}")
        for text in shot.texts:
            await page.until(f"document.body.innerText.includes({text!r})")
        await page.until(shot.until)
        await asyncio.sleep(_SETTLED)
        for selector in shot.clicks:
            await page.value(f"document.querySelector({selector!r}).click()")
            await asyncio.sleep(_SETTLED)
        picture = await page.screenshot()
    finally:
        await page.close()
    _save(target / f"{shot.name}.png", small(picture, shot.size[0]))


def _save(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    print(f"{file.relative_to(ROOT)}: {len(content) // 1000} KB", flush=True)


def small(picture: bytes, width: int) -> bytes:
    """
    Return a picture as a PNG: with all its colours, or with 256, if it would be too large.

    :param picture: any image.
    :param width: the most pixels that it is wide.
    :raises ScreenshotsFailed: it is still too large.
    """
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    for one in (image, image.quantize(256, dither=Image.Dither.NONE)):
        file = io.BytesIO()
        one.save(file, "PNG", optimize=True)
        if len(file.getvalue()) <= LARGEST:
            return file.getvalue()
    raise ScreenshotsFailed(f"a picture has {len(file.getvalue())} bytes, more than {LARGEST}.")


if __name__ == "__main__":
    sys.exit(main())
