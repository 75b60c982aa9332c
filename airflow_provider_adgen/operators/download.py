# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Stores the creatives of a finished generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_adgen.operators._errors import no_useless_retry
from airflow_provider_adgen.operators._results import push_result
from airflow_provider_adgen.operators.links import STORED_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class DownloadCreativesOperator(BaseOperator):
    """
    Store a finished generation's creatives in object storage; costs nothing, and so does a retry.

    Links are asked for anew, so it does not matter how long ago the generation finished. Returns the generation as a
    dictionary whose creatives carry ``uri``, ``size`` and ``sha256``, and pushes ``id`` and ``uris``.

    :param conn_id: the Airflow connection.
    :param generation_id: the job id (several jobs of one generation are joined by commas).
    :param destination: an object-storage path (``s3://conn_id@bucket/prefix``).
    :raises AirflowFailException: the account has no such job, or its key is refused.
    :raises GenerationFailed: the job ended without a result.
    :raises GenerationTimeout: the job is not finished; wait for it with a ``GenerationSensor``.
    :raises DownloadError: a creative could not be fetched or stored.
    """

    template_fields: Sequence[str] = ("conn_id", "generation_id", "destination")
    ui_color = "#e8def8"
    operator_extra_links = (STORED_FILE,)

    def __init__(self, *, conn_id: str, generation_id: str, destination: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.generation_id = generation_id
        self.destination = destination
        self._result: dict[str, Any] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask for the generation and store its creatives."""
        from airflow_provider_adgen.core.errors import GenerationFailed, GenerationTimeout
        from airflow_provider_adgen.delivery.places import check_destination
        from airflow_provider_adgen.hooks.base import AdGenHook

        with no_useless_retry():
            check_destination(self.destination)
            with AdGenHook(self.conn_id) as hook:
                generation = hook.with_current_key(lambda: hook.get_generation(self.generation_id))
                title = hook.vendor.title
                if not generation.finished:
                    raise GenerationTimeout(
                        f"{title} job {generation.id} is {generation.status}, so there is nothing to store yet. Wait "
                        "for it with a GenerationSensor.",
                        generation_id=generation.id,
                    )
                if not generation.succeeded:
                    raise GenerationFailed(
                        f"{title} job {generation.id} ended as {generation.status}: there is nothing to store.",
                        generation_id=generation.id,
                        status=str(generation.status),
                    )
                result = hook.download(generation, self.destination).to_xcom(urls=False)
        push_result(self, context, result)
        self._result = result
        return result

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the stored files and the job; called by the OpenLineage provider, where that is installed."""
        from airflow_provider_adgen.operators._lineage import lineage

        return lineage({}, self._result)
