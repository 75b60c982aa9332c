# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The dictionary that goes through XCom, requests, errors, and the registry of vendors."""

from __future__ import annotations

import json
import pickle
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_adgen.core import errors, registry
from airflow_provider_adgen.core.errors import AdGenError, ApiError, InvalidRequest, error_class
from airflow_provider_adgen.core.requests import GenerationRequest, HttpsUrl, Number, build_request, identifier
from airflow_provider_adgen.core.scrub import holds_url
from airflow_provider_adgen.core.vocabulary import (
    DETAILS_LIMIT,
    FINISHED,
    Creative,
    Credits,
    Generation,
    GenerationStatus,
    Kind,
    read_time,
)
from airflow_provider_adgen.vendors.adsumo import VENDOR

SIGNED = "https://cdn.example/a.mp4?X-Amz-Signature=deadbeef"


def generation(**fields: Any) -> Generation:
    return Generation(
        **{"vendor": "adsumo", "id": "j", "kind": "video", "status": GenerationStatus.COMPLETED, **fields}
    )


class TestXCom:
    def test_it_has_always_the_same_keys_and_is_json(self) -> None:
        bare, full = generation(), generation(creatives=[Creative(kind="video", url=SIGNED)], error="x", progress=4.0)
        assert list(bare.to_xcom(urls=True)) == list(full.to_xcom(urls=False))
        assert json.loads(json.dumps(full.to_xcom(urls=True)))["schema"] == 1

    def test_links_go_out_only_where_asked_and_not_stored(self) -> None:
        stored = Creative(kind="video", url=SIGNED, expires_at=1, uri="s3://b/a.mp4", size=3)
        linked = Creative(kind="video", url=SIGNED, expires_at=1)
        found = generation(creatives=[stored, linked])
        assert [one["url"] for one in found.to_xcom(urls=True)["creatives"]] == [None, SIGNED]
        assert [one["expires_at"] is None for one in found.to_xcom(urls=True)["creatives"]] == [True, False]
        assert "deadbeef" not in json.dumps(found.to_xcom(urls=False))

    def test_a_link_hides_in_every_repr(self) -> None:
        found = generation(creatives=[Creative(kind="video", url=SIGNED)], details={"preview": SIGNED})
        assert "deadbeef" not in repr(found) + str(found) + repr(found.creatives)

    def test_what_a_vendor_says_of_a_failure_is_scrubbed_before_anyone_sees_it(self) -> None:
        found = generation(status="failed", error=f"could not read {SIGNED}")
        assert found.error is not None and "deadbeef" not in found.error + repr(found)

    def test_details_hold_no_links_and_stay_small(self) -> None:
        details = {"big": "x" * DETAILS_LIMIT, "url": SIGNED, "deep": {"url": SIGNED, "seed": 1}, "seed": 7}
        kept = generation(details=details).to_xcom(urls=True)["details"]
        assert kept == {"deep": {"seed": 1}, "seed": 7}

    @given(st.dictionaries(st.text(max_size=5), st.text(max_size=3000), max_size=6))
    def test_details_never_grow_beyond_their_limit(self, details: dict[str, str]) -> None:
        kept = generation(details=details).to_xcom(urls=True)["details"]
        assert len(json.dumps(kept)) <= DETAILS_LIMIT + 100
        assert not holds_url(kept)

    def test_it_is_read_back(self) -> None:
        made = generation(job_ids=["j", "k"], credits=Credits(quoted=3), created_at="2026-01-02T03:04:05Z", error="x")
        assert Generation.from_xcom(made.to_xcom(urls=True)) == made

    def test_a_generation_knows_all_its_jobs(self) -> None:
        assert generation().job_ids == ["j"]
        assert generation(job_ids=["j", "k"]).job_ids == ["j", "k"]


def test_only_an_end_is_an_end() -> None:
    assert {status for status in GenerationStatus if generation(status=status).finished} == FINISHED
    assert not generation(status="rendering").finished
    assert [one for one in GenerationStatus if generation(status=one).succeeded] == [GenerationStatus.COMPLETED]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05+02:00"),
        ("2026-01-02 03:04:05", "2026-01-02T03:04:05+00:00"),
        (1767323045, "2026-01-02T03:04:05+00:00"),
        (True, None),
        ("soon", None),
        ("now", None),
        ("12:30", None),
        ("", None),
        (1e30, None),
        ({}, None),
    ],
)
def test_a_time_has_a_zone_or_is_none(value: Any, text: str | None) -> None:
    found = read_time(value)
    assert (found.isoformat() if found is not None else None) == text


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_no_time_breaks_it(value: Any) -> None:
    read_time(value)


# --- requests -----------------------------------------------------------------------------------------------------


class Clip(GenerationRequest):
    kind: ClassVar[str] = "clip"
    result_kind: ClassVar[Kind] = "video"

    prompt: str
    length: Number | None = None
    picture: HttpsUrl | None = None


def test_strings_from_templates_are_numbers() -> None:
    assert build_request(Clip, {"prompt": " p ", "length": "8"}).body() == {"prompt": "p", "length": 8}
    assert build_request(Clip, {"prompt": "p", "length": "8.0"}).body()["length"] == 8
    assert build_request(Clip, {"prompt": "p", "length": 2.5}).body()["length"] == 2.5


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "prompt: Field required"),
        ({"prompt": "p", "lenght": 8}, "lenght: is not a field of this request"),
        ({"prompt": "p", "length": True}, "length"),
        ({"prompt": "p", "length": "nan"}, "length"),
        ({"prompt": "p", "length": "s3cr3t"}, "length"),
        ({"prompt": "p", "picture": "http://cdn/a.png"}, "picture: an https URL is needed"),
        ({"prompt": "p", "picture": "s3cr3t"}, "picture: an http(s) URL is needed"),
        ({"prompt": ["s3cr3t"], "length": "s3cr3t"}, "prompt: "),
    ],
)
def test_a_wrong_request_is_one_sentence_that_shows_no_value(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build_request(Clip, fields)
    assert said in str(caught.value)
    assert "Nothing was sent" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_extra_fields_are_sent_as_they_are() -> None:
    made = build_request(Clip, {"prompt": "p", "extra_fields": {"seed": 3}, "length": None})
    assert made.body() == {"prompt": "p", "seed": 3}


@pytest.mark.parametrize("value", [None, "", "  ", ".", "..", 3, ["x"]])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        identifier(value)


# --- errors -------------------------------------------------------------------------------------------------------


def test_every_error_survives_the_way_between_processes() -> None:
    made: list[AdGenError] = [
        errors.InsufficientCredits("x", status=402, required=20, available=5, vendor="adsumo"),
        errors.RateLimited("x", status=429, retry_after=3.0),
        errors.WireError("x", sent=False),
        errors.UnexpectedResponse("x", field="id"),
        errors.GenerationFailed("x", generation_id="j"),
        errors.GenerationTimeout("x", generation_id="j"),
        errors.DownloadError("x", status=403),
        errors.InvalidRequest("x"),
        errors.SubmissionUnknown("x"),
    ]
    for error in made:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert type(again) is type(error)
        assert again.__dict__ == error.__dict__
        assert again.message == "x"


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, ApiError),
        (401, errors.AuthenticationError),
        (402, errors.InsufficientCredits),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (413, errors.PayloadTooLarge),
        (422, ApiError),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (599, errors.ServerError),
        (302, ApiError),
    ],
)
def test_each_status_has_its_class(status: int, cls: type[ApiError]) -> None:
    assert error_class(status) is cls


# --- registry -----------------------------------------------------------------------------------------------------


def test_a_vendor_is_found_by_its_connection_type() -> None:
    assert registry.get_vendor("adsumo") is VENDOR
    assert "adsumo" in registry.vendor_names()


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match=r"connection type 'postgres'; registered are: .*adsumo"):
        registry.get_vendor("postgres")


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        InvalidRequest, match=r"Adsumo has no request of kind 'video'; it has: talking-avatar, ai-video"
    ):
        VENDOR.parse_request({"kind": "video"})
    with pytest.raises(InvalidRequest, match='A request needs a "kind"'):
        VENDOR.parse_request({"prompt": "p"})
