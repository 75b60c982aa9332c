# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
CinematicAds: paid workflows, the brand they use, what it knows, and the export of projects.

The operators of paid generations take all arguments of
:class:`~airflow_provider_adgen.operators.generate.GenerateOperator` as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.links import STORED_FILE, show_stored
from airflow_provider_adgen.operators.resource import ResourceOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CinematicAdsWorkflowOperator(GenerateOperator):
    """
    Run one workflow of CinematicAds' video studio.

    Costs 1 to 25 credits by type and quality; a workflow that fails is refunded, as the vendor documents. The vendor
    has no idempotency keys, so a submission whose answer was lost stops the task.

    :param workflow_type: ``avatar``, ``cinematic``, ``clone``, ``factory``, ``influencer``, ``brand``, ``staticad``,
        ``painpoint`` or ``ad-optimizer`` (the vendor's ``type``).
    :param url: the source; required for ``clone`` and ``factory``.
    :param concept: the creative concept, for ``cinematic`` and ``brand``.
    :param quality: ``standard`` (default) or ``premium``.
    :param models: ``{"image": ..., "video": ..., "voice": ...}``; the vendor does not document their names.
    :param formats: a list of ``9:16``, ``1:1`` and ``16:9``.
    :param seasonal: ``ramadan`` or ``eid``.
    :param framework: ``pas``, ``aida``, ``sb7``, ``cialdini``, ``uvp`` or ``bant``.
    :param hitl: pause after art direction until a person has reviewed it at the vendor; see ``on_suspended``.
    :param extra_fields: fields sent along as they are, for the inputs that the vendor does not document; one that has
        the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "cinematicads"
    request_kind: ClassVar[str] = "workflow"

    def __init__(
        self,
        *,
        workflow_type: str | None,
        url: str | None = None,
        concept: str | None = None,
        quality: str = "standard",
        models: dict[str, str] | None = None,
        formats: list[str] | str | None = None,
        seasonal: str | None = None,
        framework: str | None = None,
        hitl: bool | str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "cinematicads_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class CinematicAdsBrandOperator(ResourceOperator):
    """
    Create or update the brand profile, which all later generations use.

    Whether it costs credits is not documented. Returns the profile as a dictionary. Repeating it changes nothing.

    :param name: the brand's name.
    :param industry: its sector.
    :param tone: how it speaks.
    :param target_audience: whom it speaks to.
    :param colors: ``{"primary": ..., "secondary": ..., "accent": ...}``.
    """

    vendor_name: ClassVar[str] = "cinematicads"

    def __init__(
        self,
        *,
        name: str,
        industry: str | None = None,
        tone: str | None = None,
        target_audience: str | None = None,
        colors: dict[str, str] | None = None,
        conn_id: str = "cinematicads_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Write the profile."""
        return hook.update_brand(**self.fields())


class CinematicAdsKnowledgeOperator(ResourceOperator):
    """
    Add a page or a file to the brand's knowledge base. Give one of the two.

    Whether it costs credits is not documented.
    Whether the vendor notices that something was added before is not documented, so a retry may add it twice.

    :param url: a page that the vendor reads and indexes.
    :param source: a PDF, DOCX, XLSX, CSV or TXT of at most 10 MB: a path of the worker or of object storage.
    :raises AirflowFailException: neither or both are given, or the file is not one that is taken.
    """

    vendor_name: ClassVar[str] = "cinematicads"

    def __init__(
        self,
        *,
        url: str | None = None,
        source: str | None = None,
        conn_id: str = "cinematicads_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Add the page or the file."""
        from airflow_provider_adgen.core.errors import InvalidRequest

        url, source = self.fields().values()
        if bool(url) == bool(source):
            raise InvalidRequest("Give url or source, one of them. Nothing was sent.")
        return hook.add_knowledge_url(url) if url else hook.add_knowledge_file(source)


class CinematicAdsExportProjectsOperator(ResourceOperator):
    """
    Store all projects of the account, videos and metadata, as one ZIP in object storage.

    Whether it costs credits is not documented. The archive is streamed.

    Returns ``{"kind": "archive", "uri": ..., "size": ..., "sha256": ...}``.

    :param destination: the file's own path where it ends in ``.zip``, else the folder in which it becomes
        ``cinematicads-projects.zip``. A file of that name is replaced.
    :raises DownloadError: it could not be stored; a retry costs nothing.
    """

    vendor_name: ClassVar[str] = "cinematicads"
    operator_extra_links = (STORED_FILE,)

    def __init__(self, *, destination: str, conn_id: str = "cinematicads_default", **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())
        self._stored: list[str] = []

    def execute(self, context: Context) -> Any:
        """Store the archive, and link to it."""
        result = super().execute(context)
        self._stored = [result["uri"]]
        show_stored(self, context, STORED_FILE, result["uri"])
        return result

    def act(self, hook: Any) -> Any:
        """Store the archive."""
        return hook.export_projects(**self.fields()).model_dump(mode="json", exclude={"url", "expires_at"})

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the archive; called by the OpenLineage provider, where that is installed."""
        from airflow_provider_adgen.operators._lineage import files_lineage

        return files_lineage([], self._stored)
