# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for Sume's Asset Library to take a video in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sensors.base import AdGenSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.legs import Resumed
    from airflow_provider_adgen.triggers.base import PollTrigger


class AssetSensor(AdGenSensor):
    """
    Wait until the Asset Library has taken an uploaded video in; costs nothing. Returns the asset as a dictionary.

    Sume does not document how an asset shows that. One that is not known (404) counts as not there yet, because scenes
    cannot be found before; a wrong id is therefore only told by the sensor's ``timeout``.

    :param conn_id: the Airflow connection of type ``sume``.
    :param asset_id: what a ``SumeUploadOperator`` returned as ``asset_id``.
    :param ready_words: status words that mean it is ready, besides ``ready``, ``completed``, ``indexed``,
        ``available``, ``active``, ``processed`` and ``ingested``.
    :raises AirflowFailException: the vendor says that it failed, or refuses the key.
    """

    template_fields: Sequence[str] = ("conn_id", "asset_id", "ready_words")

    def __init__(
        self,
        *,
        asset_id: str,
        ready_words: list[str] | None = None,
        conn_id: str = "sume_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.asset_id = asset_id
        self.ready_words = ready_words

    def _ready(self) -> frozenset[str]:
        return frozenset(str(word).strip().lower() for word in self.ready_words or ())

    def look(self, hook: AdGenHook, resumed: Resumed | None) -> Any | None:
        """Ask for the asset once."""
        from airflow_provider_adgen.core.errors import GenerationFailed
        from airflow_provider_adgen.core.scrub import scrub
        from airflow_provider_adgen.hooks.base import typed_hook
        from airflow_provider_adgen.vendors.sume import uploads

        own = typed_hook("sume", self.conn_id)
        seen = own.run_blocking(lambda wire: wire.run(uploads.ingestion(self.asset_id, ready=self._ready())))
        if seen.state == "failed":
            raise GenerationFailed(
                f"Sume's Asset Library did not take in {self.asset_id}: it is {scrub(seen.word, longest=80)}. Upload "
                "the video again.",
                generation_id=self.asset_id,
                status=seen.word,
            )
        if seen.state == "waiting" or seen.asset is None:
            self.log.info("Asset %s is %s.", self.asset_id, scrub(seen.word, longest=80))
            return None
        return seen.asset.model_dump(mode="json")

    def trigger(self, hook: AdGenHook, **waiting: Any) -> PollTrigger:
        """Wait for the asset in the triggerer."""
        from airflow_provider_adgen.triggers.sume import AssetTrigger

        return AssetTrigger(asset_id=self.asset_id, ready_words=sorted(self._ready()), **waiting)
