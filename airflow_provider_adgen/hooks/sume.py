# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""An account at Sume."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.hooks.endpoints import calling, listing, running
from airflow_provider_adgen.vendors.sume import api, uploads
from airflow_provider_adgen.vendors.sume.models import Asset, Avatar, Brand, Job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.core.calls import Sequence
    from airflow_provider_adgen.vendors.sume.models import Uploaded


def _upload(
    source: Any,
    purpose: uploads.Purpose,
    *,
    content_type: str | None = None,
    field_names: Mapping[str, str] | None = None,
    asset_fields: Mapping[str, Any] | None = None,
) -> Sequence[Uploaded]:
    """
    Upload a video: presign, put it with the required headers only, finalise.

    Whether it costs credits is not documented. The file is streamed, a piece at a time. The storage host sees
    neither the key nor a header of the connection's.

    :param source: a path of this machine, or anything that Airflow's ``ObjectStoragePath`` takes.
    :param purpose: ``asset_library_video`` (the library then takes it in; wait with an ``AssetSensor``) or
        ``face_swap_source_video`` (its ``media_url`` is what a face swap takes).
    :param content_type: MIME type (default: by the file's name).
    :param field_names: other names on the wire for the fields of :meth:`presign_upload`.
    :param asset_fields: further fields of :meth:`finalize_asset`.
    :raises InvalidRequest: it cannot be read, is empty, or an argument is wrong; nothing was sent.
    :raises PayloadTooLarge: it is too large; the most is not documented.
    :raises ApiError: the vendor or its storage refused it. A retry uploads it again.
    """
    from airflow_provider_adgen.delivery.sources import open_source

    file = open_source(source)
    guessed, packed = mimetypes.guess_type(file.name)
    kind = content_type or guessed
    if kind is None or (packed and not content_type):
        raise InvalidRequest(f"upload: the type of {file.name!r} is not known; give content_type. Nothing was sent.")
    if file.body.size == 0:
        raise InvalidRequest(f"upload: {file.name!r} is empty. Nothing was sent.")
    return uploads.upload(file.name, kind, file.body, purpose, field_names=field_names, asset_fields=asset_fields)


class SumeHook(AdGenHook):
    """
    An account at Sume (https://www.sume.so, public API v1).

    :param conn_id: the Airflow connection of type ``sume``; its password holds the ``sume_live_...`` key.
    """

    default_conn_name: ClassVar[str] = "sume_default"
    conn_type: ClassVar[str] = "sume"
    hook_name: ClassVar[str] = "Sume"

    get_me, aget_me = calling(api.get_me)
    list_brands, alist_brands = listing(api.list_brands, Brand)
    get_current_brand, aget_current_brand = calling(api.get_current_brand)
    list_avatars, alist_avatars = listing(api.list_avatars, Avatar)
    get_avatar, aget_avatar = calling(api.get_avatar)
    list_jobs, alist_jobs = listing(api.list_jobs, Job)
    get_job_result, aget_job_result = calling(api.get_job_result)
    presign_upload, apresign_upload = calling(uploads.presign_upload)
    finalize_asset, afinalize_asset = calling(uploads.finalize_asset)
    list_assets, alist_assets = listing(api.list_assets, Asset)
    get_asset, aget_asset = calling(api.get_asset)
    upload, aupload = running(_upload, opens=True)
