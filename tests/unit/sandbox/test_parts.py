# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.checks import Fields, query_choice, query_number, read_object
from airflow_provider_adgen.sandbox.engine.clock import Clock
from airflow_provider_adgen.sandbox.engine.corruption import merged, without
from airflow_provider_adgen.sandbox.engine.faults import Fault, Faults, retry_after_header
from airflow_provider_adgen.sandbox.engine.limits import Limits
from airflow_provider_adgen.sandbox.engine.links import Links
from airflow_provider_adgen.sandbox.engine.vendor import Endpoint, Routes
from airflow_provider_adgen.sandbox.media.artwork import reading_seconds, size_of
from airflow_provider_adgen.sandbox.media.gallery import File
from airflow_provider_adgen.sandbox.media.host import download


class TestFields:
    @pytest.mark.parametrize(
        ("value", "rules", "problem"),
        [
            (None, {"required": True}, "is required"),
            (5, {}, "string"),
            ("", {}, "empty"),
            ("  ", {}, "empty"),
            ("ab", {"shortest": 3}, "at least 3"),
            ("abcd", {"longest": 3}, "at most 3"),
            ("x", {"choices": ("a", "b")}, "a, b"),
        ],
    )
    def test_text(self, value: Any, rules: dict[str, Any], problem: str) -> None:
        with pytest.raises(Invalid, match=problem) as refusal:
            Fields({"name": value}).text("name", **rules)
        assert refusal.value.message.startswith("name: ")
        assert (refusal.value.field, refusal.value.status) == ("name", 400)

    @pytest.mark.parametrize(
        ("value", "rules"),
        [
            ("5", {}),
            (True, {}),
            ([], {}),
            (1.5, {"whole": True}),
            (0, {"above": 0}),
            (0, {"least": 1}),
            (9, {"most": 8}),
        ],
    )
    def test_number(self, value: Any, rules: dict[str, Any]) -> None:
        with pytest.raises(Invalid):
            Fields({"n": value}).number("n", **rules)

    def test_what_is_right_is_given_back(self) -> None:
        fields = Fields({"a": "x", "n": 8, "f": False, "l": ["https://a.b/c"], "m": {}, "none": None})
        assert (fields.text("a"), fields.number("n", most=8, whole=True), fields.flag("f")) == ("x", 8, False)
        assert fields.texts("l", addresses=True, https=True) == ["https://a.b/c"]
        assert (fields.mapping("m"), fields.text("none"), fields.number("absent")) == ({}, None, None)
        fields.refuse_unknown()
        with pytest.raises(Invalid, match="other"):
            Fields({"other": 1}).refuse_unknown()

    @pytest.mark.parametrize("value", ["http://a.b", "ftp://a.b", "a.b", "https://", [1], "x"])
    def test_addresses(self, value: Any) -> None:
        with pytest.raises(Invalid):
            Fields({"l": value if isinstance(value, list) else [value]}).texts("l", addresses=True, https=True)
        assert Fields({"u": "http://localhost:5/x"}).address("u", https=True) == "http://localhost:5/x"

    def test_bodies(self) -> None:
        assert read_object(b'{"a": 1}') == {"a": 1}
        for body in (b"", b"[]", b"nope", b"\xff\xfe"):
            with pytest.raises(Invalid):
                read_object(body)

    def test_queries(self) -> None:
        assert query_number({}, "limit", 20, 1, 100) == 20
        assert query_number({"limit": "100"}, "limit", 20, 1, 100) == 100
        for wrong in ("0", "101", "-1", "1.0", "", " 5", "٣"):
            with pytest.raises(Invalid):
                query_number({"limit": wrong}, "limit", 20, 1, 100)
        assert query_choice({"a": "x"}, "a", ("x",)) == "x"
        with pytest.raises(Invalid):
            query_choice({"a": "y"}, "a", ("x",))


class TestFaults:
    def test_the_first_that_matches_strikes(self) -> None:
        faults = Faults()
        faults.add(Fault("drop", vendor="sume"))
        faults.add(Fault("status", path="/jobs/*", times=2))
        assert faults.take("adsumo", "GET", "/voices", "/adsumo/api/v1/voices") is None
        for _ in range(2):
            struck = faults.take("adsumo", "GET", "/jobs/1", "/x/jobs/1")
            assert struck is not None
            assert struck.kind == "status"
        assert faults.take("adsumo", "GET", "/jobs/1", "/x/jobs/1") is None
        assert [fault["kind"] for fault in faults.all()] == ["drop"]

    def test_an_account_can_be_singled_out(self) -> None:
        faults = Faults()
        faults.add(Fault("drop", account="second"))
        assert faults.take("sume", "POST", "/images", "/sume/images") is None
        assert faults.take("sume", "POST", "/images", "/sume/images", "team") is None
        assert faults.take("sume", "POST", "/images", "/sume/images", "second") is not None

    def test_defaults(self) -> None:
        assert (Fault("drop").when, Fault("status").when, Fault("slow").when) == ("after", "before", "after")
        assert (Fault("status").status, Fault("redirect").status) == (500, 302)

    def test_retry_after(self) -> None:
        assert [retry_after_header(seconds, False) for seconds in (0, 0.1, 7, 7.5, -3)] == ["0", "1", "7", "8", "0"]
        assert retry_after_header(60, True).endswith("GMT")

    def test_changing_json(self) -> None:
        data = {"a": {"b": 1, "c": 2}, "l": [{"x": 1, "y": 2}, 3]}
        assert without(data, "a.b") == {"a": {"c": 2}, "l": data["l"]}
        assert without(data, "l.x") == {"a": data["a"], "l": [{"y": 2}, 3]}
        assert without("text", "a") == "text"
        assert merged(data, {"a": {"b": 5}, "l": []}) == {"a": {"b": 5, "c": 2}, "l": []}
        assert merged([1], {"a": 1}) == [1]


class TestLinksAndLimits:
    def test_a_link_is_for_one_path_method_and_time(self) -> None:
        clock = Clock(wall=lambda: 1_000.0)
        links = Links("secret", clock)

        def read(link: str) -> tuple[str, dict[str, str]]:
            path, _, query = link.partition("?")
            return path, dict(part.split("=") for part in query.split("&"))

        path, query = read(links.sign("/media/a", 60))
        assert links.problem("GET", path, query) is None
        assert links.problem("HEAD", path, query) is None
        assert links.problem("PUT", path, query) == "SignatureDoesNotMatch"
        assert links.problem("GET", "/media/b", query) == "SignatureDoesNotMatch"
        assert links.problem("GET", path, {**query, "X-Sandbox-Expires": "9999999999"}) == "SignatureDoesNotMatch"
        assert links.problem("GET", path, {}) == "SignatureDoesNotMatch"
        assert Links("other", clock).problem("GET", path, query) == "SignatureDoesNotMatch"
        clock.advance(60)
        assert links.problem("GET", path, query) == "Request has expired"

    def test_a_window_begins_with_its_first_request(self) -> None:
        clock = Clock(wall=lambda: 1_000.0)
        limits = Limits(clock)
        taken = [limits.take("v", "a", "read", 2, 10) for _ in range(3)]
        assert [allowed for allowed, _ in taken] == [True, True, False]
        assert (taken[2][1].remaining, taken[2][1].ends) == (0, 1_010.0)
        assert limits.take("v", "b", "read", 2, 10)[0]
        clock.advance(10)
        assert limits.take("v", "a", "read", 2, 10)[0]


class TestDownload:
    FILE = File(bytes(range(100)), "image/png", '"tag"')

    @pytest.mark.parametrize(
        ("wanted", "status", "length"),
        [
            ("bytes=0-0", 206, 1),
            ("bytes=99-99", 206, 1),
            ("bytes=99-", 206, 1),
            ("bytes=-1", 206, 1),
            ("bytes=-1000", 206, 100),
            ("bytes=0-", 206, 100),
            ("bytes=100-", 416, None),
            ("bytes=-0", 416, None),
            ("bytes=5-4", 200, 100),
            ("BYTES=0-1", 200, 100),
        ],
    )
    def test_ranges_at_the_edges(self, wanted: str, status: int, length: int | None) -> None:
        answer: Answer = download(self.FILE, {"range": wanted}, ranges=True, etag=True)
        assert answer.status == status
        if length is not None:
            assert len(answer.payload()) == length


class TestRoutes:
    def test_paths_and_methods(self) -> None:
        def handler(call: object) -> Answer:
            return Answer()

        routes = Routes(
            [
                Endpoint("GET", "/a", handler),
                Endpoint("GET", "/a/b", handler),
                Endpoint("GET", "/a/{id}", handler),
                Endpoint("DELETE", "/a/{id}", handler),
            ]
        )
        assert routes.find("GET", "/a/b")[1] == {}
        assert routes.find("DELETE", "/a/x")[1] == {"id": "x"}
        # A plain path may also be an instance of a pattern that has the method.
        assert routes.find("DELETE", "/a/b")[1] == {"id": "b"}
        for method, path, status in (("POST", "/a", 405), ("GET", "/b", 404), ("GET", "/a/x/y", 404)):
            with pytest.raises(Refusal) as refusal:
                routes.find(method, path)
            assert refusal.value.status == status


def test_sizes_and_durations() -> None:
    assert size_of("9:16", 360) == (360, 640)
    assert size_of("21:9", 360) == (840, 360)
    assert size_of("nonsense", 360) == size_of("0:0", 360) == (360, 360)
    assert all(number % 2 == 0 for ratio in ("4:5", "3:2", "7:9") for number in size_of(ratio, 361))
    assert [reading_seconds("x" * length) for length in (0, 30, 1_000)] == [1.0, 2.0, 6.0]


@pytest.mark.parametrize(
    "module",
    [
        "airflow_provider_adgen.sandbox",
        "airflow_provider_adgen.sandbox.pytest_plugin",
        "airflow_provider_adgen.sandbox.client",
        "airflow_provider_adgen.sandbox.__main__",
    ],
)
def test_importing_is_light(module: str) -> None:
    heavy = ("airflow", "starlette", "uvicorn", "PIL", "av", "httpx", "pydantic", "sqlite3")
    program = f"import {module}, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_sandbox_imports_nothing_of_the_provider() -> None:
    ours = ("airflow_provider_adgen.sandbox", "airflow_provider_adgen.core")
    program = (
        "import airflow_provider_adgen.sandbox.server, sys;"
        "names = [n for n in sys.modules if n == 'airflow' or n.startswith('airflow_provider_adgen.')];"
        f"print([n for n in names if not n.startswith({ours})])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
