# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for a generation that was submitted elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sensors.base import AdGenSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.legs import Resumed
    from airflow_provider_adgen.triggers.base import PollTrigger


class GenerationSensor(AdGenSensor):
    """
    Wait until a generation is completed; costs nothing. Returns it as a dictionary, links included.

    :param conn_id: the Airflow connection.
    :param generation_id: the job id (several jobs of one generation are joined by commas).
    :raises AirflowFailException: the job ended without a result, or the account has no such job.
    """

    template_fields: Sequence[str] = ("conn_id", "generation_id")

    def __init__(self, *, generation_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generation_id = generation_id

    def look(self, hook: AdGenHook, resumed: Resumed | None) -> Any | None:
        """Ask for the generation once."""
        from airflow_provider_adgen.core.errors import GenerationFailed
        from airflow_provider_adgen.core.scrub import scrub

        seen = self._seen(hook, resumed)
        if not seen.finished:
            self.log.debug("%s is %s.", seen.id, seen.status)
            return None
        if not seen.succeeded:
            why = f": {scrub(seen.error).rstrip('.')}" if seen.error else ""
            raise GenerationFailed(
                f"{hook.vendor.title} job {seen.id} ended as {seen.status}{why}.",
                generation_id=seen.id,
                status=str(seen.status),
            )
        return seen.to_xcom(urls=True)

    def _seen(self, hook: AdGenHook, resumed: Resumed | None) -> Generation:
        """Ask; where the trigger heard the end from a vendor that may tell it only once, take what it heard."""
        from airflow_provider_adgen.core.errors import AdGenError
        from airflow_provider_adgen.core.sealing import together, unseal
        from airflow_provider_adgen.hooks.base import job_ids

        sealed = resumed.sealed if resumed is not None else ""
        heard = unseal(sealed, hook.account(), job_ids(self.generation_id)) if sealed else None
        try:
            seen = hook.get_generation(self.generation_id)
        except AdGenError:
            if heard is None:
                raise
            return heard
        return together(seen, heard)

    def trigger(self, hook: AdGenHook, **waiting: Any) -> PollTrigger:
        """Wait for the generation in the triggerer."""
        from airflow_provider_adgen.hooks.base import job_ids
        from airflow_provider_adgen.triggers.generation import GenerationTrigger

        return GenerationTrigger(vendor=hook.vendor.name, job_ids=job_ids(self.generation_id), **waiting)
