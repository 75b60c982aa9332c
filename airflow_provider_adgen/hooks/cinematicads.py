# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""An account at CinematicAds."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.core import blocking
from airflow_provider_adgen.core.endpoint import Endpoint
from airflow_provider_adgen.core.errors import ApiError, InvalidRequest
from airflow_provider_adgen.core.vocabulary import Creative
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.hooks.endpoints import calling, listing, running
from airflow_provider_adgen.vendors.cinematicads import VENDOR, api
from airflow_provider_adgen.vendors.cinematicads.models import Project
from airflow_provider_adgen.vendors.cinematicads.shapes import OutputFile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from airflow_provider_adgen.core.calls import Call
    from airflow_provider_adgen.vendors.cinematicads.models import KnowledgeItem, WorkflowEvent

_NO_FILE = ("application/json", "text/html", "text/plain")


def _add_knowledge_file(source: Any) -> Call[KnowledgeItem]:
    """
    Add a file to the brand's knowledge base. ``POST /api/user/brand/knowledge/files``.

    Whether it costs credits is not documented.

    :param source: a PDF, DOCX, XLSX, CSV or TXT of at most 10 MB: a path of this machine or of object storage.
    :raises InvalidRequest: it cannot be read, or is of another kind, empty or too large.
    """
    from airflow_provider_adgen.delivery.sources import open_source

    file = open_source(source)
    return api.add_knowledge_file(file.name, file.body)


class CinematicAdsHook(AdGenHook):
    """
    An account at CinematicAds (https://cinematicads.studio).

    :param conn_id: the Airflow connection of type ``cinematicads``; its password holds the API key.
    """

    default_conn_name: ClassVar[str] = "cinematicads_default"
    conn_type: ClassVar[str] = "cinematicads"
    hook_name: ClassVar[str] = "CinematicAds"

    get_batch_status, aget_batch_status = calling(api.get_batch_status)
    get_stats, aget_stats = calling(api.get_stats)
    get_analytics, aget_analytics = calling(api.get_analytics)
    list_projects, alist_projects = listing(api.list_projects, Project)
    get_brand, aget_brand = calling(api.get_brand)
    update_brand, aupdate_brand = running(api.update_brand)
    add_knowledge_url, aadd_knowledge_url = calling(api.add_knowledge_url)
    add_knowledge_file, aadd_knowledge_file = calling(_add_knowledge_file, opens=True)
    get_models_status, aget_models_status = calling(api.get_models_status)
    get_health, aget_health = calling(api.get_health)

    # --- streams --------------------------------------------------------------------------------------------------

    def stream_workflow(self, job_id: str, *, silence: float = VENDOR.stream_seconds) -> Iterator[WorkflowEvent]:
        """
        Iterate over a workflow's events until its stream ends. ``GET /api/workflow/stream``.

        At most 10 connections are opened in an hour: one more is :class:`RateLimited` before anything is sent.

        :param job_id: the workflow.
        :param silence: seconds without a byte after which the stream counts as broken.
        :raises RateLimited: 10 connections were opened within the last hour.
        :raises NotFound: the account has no such workflow.
        :raises WireError: the stream broke.
        """
        api.workflow_stream(job_id)  # a wrong id is refused at once
        self.account()
        return blocking.iterate(self.astream_workflow(job_id, silence=silence))

    async def astream_workflow(
        self, job_id: str, *, silence: float = VENDOR.stream_seconds
    ) -> AsyncGenerator[WorkflowEvent]:
        """Iterate over a workflow's events; see :meth:`stream_workflow`."""
        stream = api.workflow_stream(job_id)
        account = await self.aaccount()
        async with self._wire(account) as wire, contextlib.aclosing(wire.stream(stream, silence=silence)) as events:
            async for event in events:
                yield event

    # --- files ----------------------------------------------------------------------------------------------------

    def export_projects(self, destination: str) -> Creative:
        """
        Store all projects as one ZIP of videos and metadata. ``GET /api/user/projects/export``.

        Whether it costs credits is not documented.

        :param destination: an object-storage path: the file's own where it ends in ``.zip``, else the folder in which
            it becomes ``cinematicads-projects.zip``. A file of that name is replaced.
        :return: the stored archive, with ``uri``, ``size`` and ``sha256``.
        :raises DownloadError: it could not be stored; a retry fetches it again.
        """
        self.account()
        return blocking.run(self.aexport_projects(destination))

    async def aexport_projects(self, destination: str) -> Creative:
        """Store all projects as one ZIP; see :meth:`export_projects`."""
        path = _file_path(destination, "cinematicads-projects", ".zip")
        return await self._store("archive", path, api.projects_archive())

    def export_video(self, source: str, destination: str) -> Creative:
        """
        Store a generated video as MP4, fetched through the vendor. ``GET /api/export``.

        Whether it costs credits is not documented.

        :param source: the video's https URL, on a domain that the vendor allows.
        :param destination: an object-storage path: the file's own where it ends in ``.mp4``, else the folder in which
            it gets a name made from its URL. A file of that name is replaced.
        :return: the stored video, with ``uri``, ``size`` and ``sha256``.
        :raises InvalidRequest: the source is not an https URL.
        :raises DownloadError: it could not be stored; a retry fetches it again.
        """
        self.account()
        return blocking.run(self.aexport_video(source, destination))

    async def aexport_video(self, source: str, destination: str) -> Creative:
        """Store a generated video as MP4; see :meth:`export_video`."""
        calls = api.export_video(source)
        return await self._store("video", _video_path(source, destination), *calls)

    async def _store(self, kind: Any, path: str, *calls: Call[None]) -> Creative:
        """Store the answer to the first call whose method the server knows."""
        from airflow_provider_adgen.delivery.names import describe
        from airflow_provider_adgen.delivery.store import store_stream

        async with self._wire(await self.aaccount()) as wire:
            for call in calls:
                try:
                    async with wire.open(call) as opened:
                        told = opened.headers.get("content-type", "")
                        if told.lower().startswith(_NO_FILE):
                            at = Endpoint(self.vendor.name, call.endpoint)
                            raise at.unreadable("", f"is {told[:40]} and not a file")
                        # What an export of projects holds is not documented; it may be text.
                        wanted = kind if kind == "video" else None
                        stored = await store_stream(opened, path, label=f"The answer to {call.endpoint}", kind=wanted)
                except ApiError as error:
                    if error.status not in api.NO_METHOD or call is calls[-1]:
                        raise
                    continue
                media_type = describe(told, path, kind)[1]
                return Creative(
                    kind=kind, uri=stored.uri, media_type=media_type, size=stored.size, sha256=stored.sha256
                )
        raise InvalidRequest("There is nothing to call. Nothing was sent.")


def _file_path(destination: str, name: str, suffix: str) -> str:
    """Return the full path of a file: *destination* itself if it names one, else *name* in that folder."""
    text = str(destination).strip()
    if not text:
        raise InvalidRequest("destination must not be empty. Nothing was sent.")
    return text if text.lower().endswith(suffix) else f"{text.rstrip('/')}/{name}{suffix}"


def _video_path(source: str, destination: str) -> str:
    # A signature in the query differs from link to link; the name must not.
    mark = hashlib.sha256(repr(OutputFile(source).identity).encode()).hexdigest()[:12]
    return _file_path(destination, f"cinematicads-video-{mark}", ".mp4")
