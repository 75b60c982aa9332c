# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing that a vendor answers breaks what Airflow carries it in: record, XCom, msgpack, trigger event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from airflow.triggers.base import TriggerEvent
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_adgen.core.calls import Answer, Event
from airflow_provider_adgen.core.errors import UnexpectedResponse
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.core.safe_json import DEEPEST, loads
from airflow_provider_adgen.vendors import adsumo, cinematicads, cutx, sume
from tests.support.raw import RawServer
from tests.support.scripted import SECRET, get, send
from tests.support.sequences import drive

try:
    from airflow.sdk.serde import serialize
except ImportError:  # its place before Airflow 3.2
    from airflow.serialization.serde import serialize

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.vocabulary import Generation

ID = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
SUBJECT = {"project_id": ID, "product_id": ID}
COPY = {"kind": "copy", **SUBJECT, "platform": "meta", "format": "short", "tone": "bold"}


def carried(value: Any) -> None:
    """Send it through all that carries it."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    assert json.loads(text) == value
    assert b"\\u0000" not in json.dumps(value).encode(), "PostgreSQL's jsonb has none"
    msgspec.msgpack.encode(value)
    json.dumps(serialize(TriggerEvent(value).payload), allow_nan=False)


# --- one value ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (rb'"Sip \ud83d"', "Sip \ufffd"),
        (rb'"\ud83d\ude00 \ude00\ud83d"', "\U0001f600 \ufffd\ufffd"),
        (b'"cut \xe6\x97"', "cut \ufffd"),
        (b'"cut \xe6\x97x\xff"', "cut \ufffdx\ufffd"),
        (rb'"a\u0000b"', "a\ufffdb"),
        (b'"a\x00b\nc"', "a\ufffdb\nc"),
        (b"[NaN, Infinity, -Infinity, 1e999, -1e999]", [None] * 5),
        (b"[9223372036854775807, 18446744073709551615]", [2**63 - 1, 2**64 - 1]),
        (b"[18446744073709551616, -9223372036854775809]", ["18446744073709551616", "-9223372036854775809"]),
        (b"1" * 5000, "1" * 5000),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"id": 7, "__id__": 8, "\\u005f_classname__": 9}', {"id": 7, "id__": 8, "classname__": 9}),
        (rb'{"\ud83d": 1, "": 2}', {"\ufffd": 1, "": 2}),
        (b"[" * DEEPEST + b"]" * DEEPEST, None),
    ],
)
def test_every_value_is_made_safe(said: bytes, read: Any) -> None:
    for content in (b'{"x": ' + said + b"}", b'\xef\xbb\xbf{"x":' + said + b"}"):
        if read is None:
            with pytest.raises(ValueError, match="nested"):
                Answer(200, {}, content).json()
            continue
        found = Answer(200, {}, content).json()
        assert found == {"x": read}
        carried(found)


@pytest.mark.parametrize("content", [b"[" * 200_000, b"{", b"", b"\xff\xfe", b"<html>"])
def test_what_is_not_json_stays_an_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        Answer(200, {}, content).json()


TEXT = "Größe 東京"


@pytest.mark.parametrize(
    ("told", "codec"),
    [
        ("", "utf-8"),
        ("application/json", "utf-16"),
        ("application/json", "utf-16-be"),
        ("application/json", "utf-32"),
        ("application/json; charset=Shift_JIS", "shift_jis"),
        ('application/json;charset="windows-1252"', "windows-1252"),
        ("application/json; charset=utf-16", "utf-8"),
        ("application/json; charset=hex", "utf-8"),
        ("application/json; charset=punycode", "utf-8"),
        ("application/json; charset=no-such", "utf-8"),
    ],
)
def test_the_charset_is_the_one_that_is_named_or_marked(told: str, codec: str) -> None:
    text = TEXT.encode(codec, "ignore").decode(codec)
    content = json.dumps({"id": ID, "text": text}, ensure_ascii=False).encode(codec)
    assert Answer(200, {"content-type": told}, content).json() == {"id": ID, "text": text}
    with RawServer(lambda connection: connection.answer(200, content, Content_Type=told or "x/y")) as server:
        assert send(server, get()) == {"id": ID, "text": text}


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-32-be", "cp037"])
def test_a_key_that_is_echoed_in_another_charset_is_taken_out(codec: str) -> None:
    content = json.dumps({"said": f"{SECRET} is bad"}).encode(codec)
    told = f"application/json; charset={codec}"
    with RawServer(lambda connection: connection.answer(200, content, Content_Type=told)) as server:
        assert send(server, get()) == {"said": "*** is bad"}


def test_an_event_is_made_safe() -> None:
    event = Event("a\ud800", '{"text": "\ud800 \\ud83d", "share": NaN, "many": 99999999999999999999}')
    assert event.json() == {"text": "\ufffd \ufffd", "share": None, "many": "99999999999999999999"}
    (event.name + event.data).encode()
    with pytest.raises(ValueError):
        Event("", "[" * 200_000).json()


# --- whole answers ------------------------------------------------------------------------------------------------

READERS: dict[str, tuple[Callable[[Answer], Any], dict[str, Any]]] = {
    "adsumo": (
        lambda said: drive(adsumo.VENDOR.fetch((ID,)), {f"/generations/{ID}": said}),
        {"id": ID, "status": "completed"},
    ),
    "adsumo submission": (
        adsumo.VENDOR.submit(adsumo.TemplateVideo(template="t", product_id="p"), None).parse,
        {"generation_id": ID},
    ),
    "adsumo voiceover": (
        adsumo.VENDOR.submit(adsumo.TextToSpeech(text="t", voice_id="v"), None).parse,
        {"id": ID, "audio_url": "https://c.example/a.mp3"},
    ),
    "cinematicads": (
        lambda said: drive(cinematicads.VENDOR.list_jobs(), {"/api/user/projects": said})[0].read(),
        {"jobId": ID, "status": "failed"},
    ),
    "cinematicads submission": (
        cinematicads.VENDOR.submit(
            cinematicads.VENDOR.parse_request({"kind": "workflow", "workflow_type": "cinematic"}), None
        ).parse,
        {"jobId": ID},
    ),
    "cutx": (
        lambda said: drive(cutx.VENDOR.fetch((ID,), "image"), {"/api/generate/status": said}),
        {"status": "completed"},
    ),
    "cutx copy": (
        cutx.VENDOR.submit(
            cutx.VENDOR.parse_request(
                {"kind": "copy", **SUBJECT, "platform": "meta", "format": "short", "tone": "bold"}
            ),
            None,
        ).parse,
        {"variants": [{"hook": "h", "body": "b", "cta": "c", "hashtags": ["x"]}]},
    ),
    "cutx submission": (cutx.VENDOR.submit(cutx.StaticAd(**SUBJECT), None).parse, {"jobId": ID}),
    "sume": (
        lambda said: drive(sume.VENDOR.fetch((ID,), "video"), {f"/jobs/{ID}": said}),
        {"id": ID, "status": "failed"},
    ),
    "sume submission": (sume.VENDOR.submit(sume.Image(prompt="p"), None).parse, {"job_id": ID}),
}

# fmt: off
NAMES = [
    "status", "created_at", "createdAt", "completed_at", "completedAt", "progress", "error",
    "error_message", "credits", "credits_used", "creditsUsed", "credits_charged", "cost",
    "variants", "hook", "body", "cta", "hashtags", "result", "result_url", "result_urls",
    "video_url", "image_url", "images", "url", "urls", "thumbnail_url", "outputs", "output", "data",
    "kind", "type", "duration", "metadata", "message", "name", "prompt", "__type", "__var",
    "__classname__", "zz",
]
# fmt: on
GARBAGE = "GARBAGE"
texts = st.text(st.characters(), max_size=6) | st.sampled_from(
    [GARBAGE, "Sip \ud83d", "\x00", "1e400", "9" * 30, "99999-01-01", "2026-01-01T00:00:00Z", "https://h/\ud800.mp4"]
)
numbers = st.integers() | st.floats() | st.sampled_from([2**64, -(2**63) - 1, 10**30, 1e300])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=3),
    max_leaves=8,
)
broken = st.binary(min_size=1, max_size=4).map(lambda raw: bytes(byte for byte in raw if byte not in b'"\\'))


@example({"status": True, "credits_used": -(2**63) - 1025, "cost": 1e300}, b"\xff")
@example({"JOBID": []}, b"\xff")
@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES) | texts, values, max_size=5), broken)
@pytest.mark.parametrize("name", sorted(READERS))
def test_a_whole_answer_is_carried_by_everything(name: str, said: dict[str, Any], garbage: bytes) -> None:
    read, needed = READERS[name]
    value: Any = {**said, **needed}
    content = json.dumps([value] if name == "cinematicads" else value).encode().replace(GARBAGE.encode(), garbage)
    try:
        found: Generation = read(Answer(200, {}, content))
    except UnexpectedResponse as error:
        assert not {"id", "job_id", "jobId", "generation_id"} & set(needed), error
        return
    if "variants" not in needed:
        assert found.id == ID
    for urls in (True, False):
        carried(found.to_xcom(urls=urls))
    attempt = Attempt(
        phase="done",
        epoch=0,
        fingerprint="f",
        request_kind="k",
        intended_at=0.0,
        post_seconds=1.0,
        job_ids=found.job_ids,
        charged=found.credits.charged,
        ended=str(found.status),
        reason=found.error,
        result=found.to_xcom(urls=True),
    )
    carried(Record(attempts=[attempt]).to_json())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_break_it(content: bytes) -> None:
    for told in ("", "application/json; charset=utf-7", "text/x; charset=gb18030"):
        try:
            found = loads(content, told)
        except ValueError:
            continue
        carried(found)
