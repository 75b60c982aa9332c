# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How one job is followed where no endpoint tells its status: whether list or stream is asked, and who is believed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.calls import AccountState, Answer, Event, Listen, RateClass
from airflow_provider_adgen.core.decisions.rates import RateLimit
from airflow_provider_adgen.core.errors import (
    AuthenticationError,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WireError,
)
from airflow_provider_adgen.vendors.cinematicads import VENDOR
from airflow_provider_adgen.vendors.cinematicads.vendor import QUICK

if TYPE_CHECKING:
    from airflow_provider_adgen.core.vocabulary import Generation

JOB = "wf_abc123xyz"
A, B = "https://cdn.example/a.mp4?sig=1", "https://cdn.example/b.mp4?sig=1"
STEP = ("step", {"step": "art_direction", "status": "completed", "progress": 20})
RESULT = ("result", {"success": True, "videoUrl": A, "duration": 15})
SUSPENDED = ("workflow.suspended", {})
ELSEWHERE = {"id": "p1", "status": "completed", "videoUrl": "https://cdn.example/other.mp4"}


@dataclass
class State:
    """What list and stream answer, in turn (the last one stays), and what was asked of them."""

    lists: list[Any] = field(default_factory=lambda: [[]])
    streams: list[Any] = field(default_factory=lambda: [[]])
    asked: list[Any] = field(default_factory=list)
    account: dict[str, Any] = field(default_factory=dict)

    def fetch(self, *, stream_seconds: float = 0.0, kind: str | None = "video") -> Generation:
        steps = VENDOR.fetch((JOB,), kind, stream_seconds=stream_seconds)
        try:
            order = next(steps)
            while True:
                told = self._answer(order)
                order = steps.throw(told) if isinstance(told, Exception) else steps.send(told)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def _answer(self, order: Any) -> Any:
        if isinstance(order, AccountState):
            return self.account
        if isinstance(order, Listen):
            self.asked.append(order.seconds)
            told = self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]
            return told if isinstance(told, Exception) else self._hear(order, told)
        self.asked.append("list")
        told = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        try:
            return told if isinstance(told, Exception) else order.parse(Answer(200, {}, json.dumps(told).encode()))
        except UnexpectedResponse as error:
            return error

    def _hear(self, order: Listen[Any], events: list[Any]) -> list[Any]:
        """As the wire does, when nothing follows within the time to linger."""
        heard = []
        for name, data in events:
            heard.append(order.stream.read(Event(name, json.dumps(data))))
            if order.enough(heard[-1]):
                break
        return heard


def rationed() -> RateLimited:
    return RateLimited("No stream for another 1800 s.", vendor="cinematicads", status=429, retry_after=1800.0)


def urls(found: Generation) -> list[str | None]:
    return [one.url for one in found.creatives]


# --- one quick look -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "project",
    [
        {"status": "failed"},
        {"status": "canceled"},
        {"status": "running"},
        {"status": "suspended"},
        {"status": "completed", "videos": [A, B]},
        {"status": "completed", "videoUrl": A, "formats": "9:16"},
        {"status": "completed", "videos": [A, B], "formats": ["9:16", "1:1"]},
    ],
    ids=str,
)
def test_quick_look_spends_no_connection_on_what_the_list_tells(project: dict[str, Any]) -> None:
    world = State(lists=[[{"jobId": JOB, **project}]])
    found = world.fetch()
    assert world.asked == ["list"]
    assert found.status == ("processing" if project["status"] == "running" else project["status"])
    assert len(found.creatives) == len(project.get("videos", [])) or urls(found) == [A]


@pytest.mark.parametrize("stream_seconds", [0.0, 600.0])
@pytest.mark.parametrize("formats", [{}, {"formats": "9:16,1:1"}])
def test_one_listed_video_may_be_one_of_several(stream_seconds: float, formats: dict[str, str]) -> None:
    several = ("result", {"success": True, "videoUrl": A, "videos": [A, B]})
    listed = [{"jobId": JOB, "status": "completed", "videoUrl": A, **formats}]
    world = State(lists=[listed], streams=[[several]])
    assert (urls(world.fetch(stream_seconds=stream_seconds)), world.asked) == ([A, B], ["list", QUICK])
    assert urls(State(lists=[listed], streams=[rationed()]).fetch(stream_seconds=stream_seconds)) == [A]


def test_review_that_the_list_tells_spends_no_connection() -> None:
    world = State(lists=[[{"jobId": JOB, "status": "suspended"}]])
    assert (world.fetch(stream_seconds=600).status, world.asked) == ("suspended", ["list"])


def test_quick_look_listens_shortly_when_the_list_does_not_carry_the_job() -> None:
    world = State(lists=[[ELSEWHERE]], streams=[[STEP, RESULT]])
    found = world.fetch()
    assert world.asked == ["list", QUICK]
    assert (found.status, urls(found), found.details["duration"]) == ("completed", [A], 15)


def test_quick_look_listens_when_the_list_contradicts_itself() -> None:
    # "active" may be the project's own state; the stream is about the job.
    world = State(lists=[[{"jobId": JOB, "status": "active", "videoUrl": A}]], streams=[[RESULT]])
    assert (world.fetch().status, world.asked) == ("completed", ["list", QUICK])


def test_quick_look_fetches_missing_links_from_the_stream() -> None:
    world = State(lists=[[{"jobId": JOB, "status": "completed"}]], streams=[[RESULT]])
    assert urls(world.fetch()) == [A]
    world = State(lists=[[{"jobId": JOB, "status": "completed"}]])
    found = world.fetch(stream_seconds=600)
    assert (found.status, found.creatives, world.asked) == ("completed", [], ["list", QUICK])


# --- holding the stream -------------------------------------------------------------------------------------------


def test_patience_holds_the_stream_and_asks_the_list_afterwards() -> None:
    world = State(streams=[[STEP, RESULT]])
    found = world.fetch(stream_seconds=600)
    assert world.asked == ["list", 600, "list"]
    assert (found.status, urls(found)) == ("completed", [A])


def test_job_that_was_over_before_the_stream_opened() -> None:
    # A stream that tells only what happens from now on would be held for ten minutes in vain.
    world = State(lists=[[{"jobId": JOB, "status": "completed", "videoUrl": A}]])
    found = world.fetch(stream_seconds=600)
    assert (found.status, urls(found), world.asked) == ("completed", [A], ["list", QUICK])


def test_stream_that_replays_from_the_start() -> None:
    world = State(streams=[[STEP], [STEP, SUSPENDED], [STEP, SUSPENDED, STEP, RESULT]])
    assert [world.fetch(stream_seconds=600).status for _ in range(3)] == ["processing", "suspended", "completed"]


def test_stream_that_replays_nothing() -> None:
    world = State(streams=[[STEP], [], [SUSPENDED], [], [STEP], [], [RESULT]])
    statuses = [str(world.fetch(stream_seconds=600).status) for _ in range(7)]
    # Silence after the beginning of a review means that it goes on.
    assert statuses == ["processing"] * 2 + ["suspended"] * 2 + ["processing"] * 2 + ["completed"]


def test_review_is_told_at_once_and_then_the_stream_is_held() -> None:
    # On a held stream that replays, leaving it at each review would use the ration up in minutes.
    world = State(streams=[[STEP, SUSPENDED, STEP, RESULT]])
    assert [str(world.fetch(stream_seconds=600).status) for _ in range(2)] == ["suspended", "completed"]


def test_past_review_does_not_end_the_listening_again() -> None:
    world = State(streams=[[SUSPENDED], [SUSPENDED, STEP], [SUSPENDED, STEP, STEP, RESULT]])
    assert [str(world.fetch(stream_seconds=600).status) for _ in range(3)] == ["suspended", "processing", "completed"]
    assert world.account["reviews"] == {}


def test_reviews_kept_in_mind_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_adgen.vendors.cinematicads.vendor._MOST_REVIEWS", 2)
    world = State(streams=[[SUSPENDED]], account={"reviews": {"a": True, "b": True}})
    world.fetch(stream_seconds=600)
    assert world.account["reviews"] == {"b": True, JOB: True}


def test_what_one_account_says_of_a_job_says_nothing_of_anothers() -> None:
    State(streams=[[SUSPENDED]]).fetch(stream_seconds=600)
    assert State(streams=[[]]).fetch(stream_seconds=600).status == "processing"


def test_stream_that_ends_without_a_result_says_nothing() -> None:
    world = State(lists=[[], [{"jobId": JOB, "status": "completed", "videoUrl": A}]], streams=[[STEP]])
    found = world.fetch(stream_seconds=600)
    assert (found.status, urls(found), found.progress) == ("completed", [A], 20.0)


def test_job_that_nobody_knows_is_under_way() -> None:
    world = State(lists=[[ELSEWHERE]], streams=[NotFound("no such job", status=404)])
    assert world.fetch().status == world.fetch(stream_seconds=600).status == "processing"


def test_list_may_know_more_videos_than_the_result() -> None:
    listed = {"jobId": JOB, "status": "completed", "videos": {"9:16": A, "1:1": B}}
    found = State(lists=[[], [listed]], streams=[[RESULT]]).fetch(stream_seconds=600)
    assert (urls(found), found.details["creative_formats"]) == ([A, B], ["9:16", "1:1"])


def test_review_is_known_from_the_stream_though_the_list_says_running() -> None:
    world = State(lists=[[{"jobId": JOB, "status": "running"}]], streams=[[STEP, SUSPENDED]])
    assert world.fetch(stream_seconds=600).status == "suspended"


def test_list_that_lags_does_not_undo_a_result() -> None:
    world = State(lists=[[{"jobId": JOB, "status": "running"}]], streams=[[RESULT]])
    assert world.fetch(stream_seconds=600).status == "completed"


def test_failure_on_the_stream_is_final() -> None:
    world = State(streams=[[("result", {"success": False, "error": "no voice"})]])
    found = world.fetch(stream_seconds=600)
    assert (found.status, found.error, world.asked) == ("failed", "no voice", ["list", 600])


def test_an_unknown_word_keeps_the_job_under_way() -> None:
    found = State(lists=[[{"jobId": JOB, "status": "in grading"}]], streams=[rationed()]).fetch(stream_seconds=600)
    assert (found.status, found.finished) == ("in grading", False)


# --- what may go wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        rationed(),
        RateLimited("429", status=429),
        NotFound("404", status=404),
        PermissionDenied("403", status=403),
        ServerError("500", status=500),
        WireError("it broke"),
        UnexpectedResponse("redirected"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("stream_seconds", [0.0, 600.0])
def test_without_a_stream_the_list_decides(error: Exception, stream_seconds: float) -> None:
    world = State(lists=[[{"jobId": JOB, "status": "running"}]], streams=[error])
    assert world.fetch(stream_seconds=stream_seconds).status == "processing"
    assert world.asked.count("list") == 1
    assert State(lists=[[]], streams=[error]).fetch(stream_seconds=stream_seconds).status == "processing"


@pytest.mark.parametrize(
    "error",
    [
        NotFound("404", status=404),
        ServerError("500", status=500),
        RateLimited("429", status=429),
        WireError("it broke"),
        {"success": True, "page": "something else"},
        ["not", "objects"],
        "text",
    ],
    ids=str,
)
@pytest.mark.parametrize("stream_seconds", [0.0, 600.0])
def test_without_a_list_the_stream_decides(error: Any, stream_seconds: float) -> None:
    assert State(lists=[error], streams=[[STEP, RESULT]]).fetch(stream_seconds=stream_seconds).status == "completed"
    assert State(lists=[error], streams=[[STEP]]).fetch(stream_seconds=stream_seconds).status == "processing"
    assert State(lists=[error], streams=[[]]).fetch(stream_seconds=stream_seconds).status == "processing"


@pytest.mark.parametrize(
    "error", [ServerError("500", status=500), WireError("it broke"), RateLimited("429", status=429)]
)
def test_without_either_the_lists_trouble_is_told(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        State(lists=[error], streams=[rationed()]).fetch(stream_seconds=600)
    assert caught.value is error


def test_a_job_is_never_missing() -> None:
    # 404 for a recorded job would stop the task for good.
    gone = NotFound("404", status=404)
    assert State(lists=[gone], streams=[gone]).fetch().status == "processing"


@pytest.mark.parametrize("where", ["lists", "streams"])
def test_a_refused_key_is_told(where: str) -> None:
    with pytest.raises(AuthenticationError):
        State(**{where: [AuthenticationError("401", status=401)]}).fetch(stream_seconds=600)


def test_kind_of_the_result() -> None:
    image = {"jobId": JOB, "type": "staticad", "status": "completed", "imageUrl": "https://cdn.example/a.png"}
    found = State(lists=[[image]]).fetch(kind=None)
    assert (found.kind, found.creatives[0].kind) == ("image", "image")
    said = {"jobId": JOB, "status": "completed", "insights": ["shorter hook"]}
    world = State(lists=[[said]])
    found = world.fetch(kind="analysis")
    assert (found.kind, found.creatives, found.details["insights"], world.asked) == (
        "analysis",
        [],
        ["shorter hook"],
        ["list"],
    )


def test_streams_are_rationed_as_documented() -> None:
    assert VENDOR.rate_limits == {RateClass.STREAM: RateLimit(10, 3600.0), RateClass.READ: RateLimit(100, 60.0)}
    assert VENDOR.stream_seconds > 0


def test_a_list_that_cannot_be_read_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    world = State(lists=[UnexpectedResponse("No list."), UnexpectedResponse("No list."), [], UnexpectedResponse("No!")])
    for _ in range(4):
        world.fetch()
    said = [record.getMessage() for record in caplog.records if "streams alone" in record.getMessage()]
    assert said == [f"{text} Jobs are followed by their streams alone." for text in ("No list.", "No!")]
