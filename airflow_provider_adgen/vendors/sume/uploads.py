# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Files to Sume: presign, put, finalise; and how far the Asset Library is (page Asset Library)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from airflow_provider_adgen.core.calls import Answer, Call, Sequence, nothing
from airflow_provider_adgen.core.errors import InvalidRequest, NotFound
from airflow_provider_adgen.core.reading import readable_id, unwrapped
from airflow_provider_adgen.core.requests import Arguments, Count, Text, checked, without_protected
from airflow_provider_adgen.vendors.sume import api, shapes
from airflow_provider_adgen.vendors.sume.models import Asset, AssetUpload, Upload, Uploaded
from airflow_provider_adgen.vendors.sume.requests import OWNER_FIELDS, WIRE_NAME

if TYPE_CHECKING:
    from airflow_provider_adgen.core.calls import FileBody

ASSET_LIBRARY = "asset_library_video"
FACE_SWAP = "face_swap_source_video"

_PRESIGN = api.endpoint("POST /uploads/presign")

# The wire's own: they belong to the connection, not to the file.
_NOT_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection"})


Purpose = Literal["asset_library_video", "face_swap_source_video"]
WireName = Annotated[str, Field(pattern=WIRE_NAME)]


class _FieldNames(Arguments):
    """Under which names the fields of a presign request are sent."""

    file_name: WireName = "file_name"
    content_type: WireName = "content_type"
    size: WireName = "size"
    purpose: WireName = "purpose"


class _NewAsset(Arguments):
    object_key: Text
    fields: Annotated[dict[str, Any], AfterValidator(lambda value: without_protected(value, OWNER_FIELDS))]


def presign_upload(
    file_name: Text,
    content_type: Annotated[str, Field(pattern=r"^[\w.+-]+/[\w.+-]+$")],
    size: Annotated[Count, Field(ge=1)],
    purpose: Purpose,
    *,
    field_names: Mapping[str, str] | None = None,
) -> Call[Upload]:
    """
    Ask for permission to upload one file. ``POST /uploads/presign``; whether it costs credits is not documented.

    The vendor says *what* it wants and its readable pages do not show under which names. They are sent as these
    parameters are called; ``field_names`` changes that.

    :param file_name: the file's name, without folders.
    :param content_type: its MIME type, for example ``video/mp4``.
    :param size: bytes.
    :param purpose: ``asset_library_video`` or ``face_swap_source_video``.
    :param field_names: other names on the wire, for example ``{"size": "size_bytes"}``.
    :raises InvalidRequest: an argument is wrong.
    :raises PayloadTooLarge: the file is too large; the most is not documented.
    """
    given = checked(presign_upload, locals())
    names = _FieldNames.check("presign_upload, field_names", **given.pop("field_names", {})).body()
    if len(set(names.values())) < len(names):
        raise InvalidRequest("presign_upload: field_names gives one name to two fields. Nothing was sent.")
    body = {names[name]: value for name, value in given.items()}
    return _PRESIGN.get(Upload, inside=("upload",), body=body, repeatable=True)


def finalize_asset(object_key: str, **fields: Any) -> Call[AssetUpload]:
    """
    Tell the Asset Library that a file was uploaded; it then takes the video in. ``POST /assets``.

    Whether it costs credits is not documented.

    :param object_key: what :meth:`presign_upload` answered.
    :param fields: further fields, sent as they are; the vendor's readable pages show none.
    :raises Conflict: it was finalised before, or the file is not there.
    """
    given = _NewAsset.check("finalize_asset", object_key=object_key, fields=fields)
    at = api.endpoint("POST /assets")

    def parse(answer: Answer) -> AssetUpload:
        value = at.object(answer)
        fields = unwrapped(value, "asset_upload")
        asset = fields.get("asset")
        several = fields.get("assets")
        first = several[0] if isinstance(several, list) and several else None
        candidates = [fields.get("asset_id"), *_ids(asset), *_ids(first)]
        jobs = [job.id for job in shapes.job_refs({key: value.get(key) for key in ("job_id", "job", "jobs")}).jobs]
        candidates.append(fields.get("id"))
        found = next((one for one in map(readable_id, candidates) if one is not None and one not in jobs), None)
        if found is None and not jobs:
            raise at.unreadable("asset_id", "is missing")
        return at.model(AssetUpload, {**fields, "asset_id": found, "job_ids": jobs})

    return at.call(parse, body={**given.fields, "object_key": given.object_key})


def _ids(value: Any) -> list[Any]:
    return [value.get("id"), value.get("asset_id")] if isinstance(value, dict) else [value]


def upload(
    file_name: str,
    content_type: str,
    body: FileBody,
    purpose: Purpose,
    *,
    field_names: Mapping[str, str] | None = None,
    asset_fields: Mapping[str, Any] | None = None,
) -> Sequence[Uploaded]:
    """
    Upload one file: presign, put the bytes with the required headers only, finalise where the purpose needs it.

    The storage host sees neither the key nor any header of the connection's.

    :param file_name: the file's name.
    :param content_type: its MIME type.
    :param body: its content; opened anew for each attempt.
    :param purpose: ``asset_library_video`` or ``face_swap_source_video``.
    :param field_names: see :func:`presign_upload`.
    :param asset_fields: further fields of :func:`finalize_asset`.
    """
    if asset_fields and purpose != ASSET_LIBRARY:
        raise InvalidRequest(f"upload: asset_fields needs the purpose {ASSET_LIBRARY}. Nothing was sent.")
    further = dict(asset_fields or {})
    if "object_key" in further:
        raise InvalidRequest("upload: asset_fields must not hold object_key. Nothing was sent.")
    # Now, and not after the bytes were sent.
    _NewAsset.check("upload, asset_fields", object_key="-", fields=further)
    permit: Upload = yield presign_upload(file_name, content_type, body.size, purpose, field_names=field_names)
    needed = "object_key" if purpose == ASSET_LIBRARY else "media_url"
    if not getattr(permit, needed):
        raise _PRESIGN.unreadable(needed, "is missing")
    yield Call(
        method="PUT",
        path="",
        endpoint="PUT (upload to storage)",
        parse=nothing,
        body=body,
        headers={name: text for name, text in permit.required_headers.items() if name.lower() not in _NOT_OURS},
        foreign_url=permit.upload_url,
        repeatable=True,
    )
    asset = None
    if purpose == ASSET_LIBRARY and permit.object_key:
        asset = yield finalize_asset(permit.object_key, **further)
    return Uploaded(
        purpose=purpose,
        file_name=file_name,
        content_type=content_type,
        size=body.size,
        object_key=permit.object_key,
        media_url=permit.media_url,
        asset=asset,
    )


# --- ingestion ----------------------------------------------------------------------------------------------------

READY = frozenset({"ready", "completed", "indexed", "available", "active", "processed", "ingested"})
"""Words that are taken to mean that a video was taken in; none is documented."""

FAILED = frozenset({"failed", "error", "rejected", "canceled", "cancelled", "expired"})
"""Words that are taken to mean that it will never be."""

UNKNOWN = "unknown"
"""What is said of an asset that the vendor does not know (yet)."""


@dataclass(frozen=True)
class Ingestion:
    """
    How far the Asset Library is with a video.

    :param state: what it means.
    :param word: what the vendor says, for people.
    :param asset: the asset, once the vendor knows it.
    """

    state: Literal["waiting", "ready", "failed"]
    word: str
    asset: Asset | None = field(default=None, repr=False)


def ingestion(asset_id: str, *, ready: frozenset[str] = frozenset()) -> Sequence[Ingestion]:
    """
    Ask how far the Asset Library is with a video.

    Scenes are not searchable until a video was taken in, so an asset that is not known counts as waiting.

    :param asset_id: the asset.
    :param ready: further status words that mean it is ready, in lower case.
    """
    try:
        asset: Asset = yield api.get_asset(asset_id)
    except NotFound:
        return Ingestion("waiting", UNKNOWN)
    if asset.status is None:
        # The vendor's illustration of a scene has no status; it has its video, "when available".
        there = bool(asset.media_url)
        return Ingestion("ready" if there else "waiting", "ready" if there else "without media", asset)
    word = asset.status.strip().lower()
    if word in READY | ready:
        return Ingestion("ready", word, asset)
    return Ingestion("failed" if word in FAILED else "waiting", word, asset)
