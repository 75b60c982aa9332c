# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The step of a campaign that publishes: the latest manifest, and an event for whoever waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetAlias

from airflow_provider_adgen.campaigns.step import ShowingStep, pull
from airflow_provider_adgen.compat import AirflowSkipException

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.sdk import Asset, Context

    from airflow_provider_adgen.campaigns.made import Made

MOST_EVENTS = 100
"""Events of single creatives that a run sends."""


class PublishCampaignOperator(ShowingStep):
    """
    Publish a run: a marker, ``<destination>/latest.json``, and one event on an asset. It costs nothing.

    ``latest.json`` is ``{"run_id", "logical_date", "manifest"}`` of the run with the newest logical date (of one
    without, when it was to run), so that an older run that is published later does not replace a newer one. The event's
    extra is the same of this run, with ``counts``. After a clear it publishes again, which is one event more.

    If a person rejects the draft, nothing is published. The manifest then says of every creative that it is not
    approved.

    :param generate_task_id: the task that made the creatives.
    :param draft_task_id: the task that wrote the draft.
    :param review_task_id: the task in which a person approves; None publishes without. An approval counts only for the
        very draft that it was given for.
    :param asset: the asset that the event is of.
    :param creative_asset: the asset of one event more for each file of a creative, those that this run has made before
        those that are used again: at most 100. None: no such events.
    :raises AirflowFailException: the draft is another one than the approved one. Nothing was published.
    :raises AdGenError: the storage failed. A retry may help, and publishes again.
    """

    def __init__(
        self,
        *,
        generate_task_id: str,
        draft_task_id: str,
        asset: Asset,
        review_task_id: str | None = None,
        creative_asset: Asset | None = None,
        **kwargs: Any,
    ) -> None:
        # One task sends one event of an asset, but by way of an alias any number.
        alias = [] if creative_asset is None else [AssetAlias(creative_asset.name)]
        kwargs["outlets"] = [*(kwargs.get("outlets") or ()), asset, *alias]
        super().__init__(**kwargs)
        self.generate_task_id = generate_task_id
        self.draft_task_id = draft_task_id
        self.review_task_id = review_task_id
        self.asset = asset
        self.creative_asset = creative_asset

    def do(self, context: Context) -> dict[str, Any]:
        """Publish, if everything is as it was drafted and approved."""
        from airflow_provider_adgen.campaigns.latest import LATEST, Latest
        from airflow_provider_adgen.campaigns.made import Made, when
        from airflow_provider_adgen.campaigns.run_folder import RunFolder
        from airflow_provider_adgen.core.errors import InvalidRequest

        draft = pull(context, self.draft_task_id)
        made = Made.by(context, self.generate_task_id)
        if draft is None or made is None:
            raise AirflowSkipException("There is no draft: nothing is published.")
        if made.sha256 != draft["sha256"]:
            raise InvalidRequest(
                f"The results changed after {self.draft_task_id} had written the draft. Nothing was published. Clear "
                "that task and those after it."
            )
        said = self._answer(context, made)
        approvals, pages = None, draft
        if said is not None:
            approvals = {key: said["approved"] and key not in said["rejected"] for key in made.with_result}
            pages = made.write(RunFolder(self.destination, context["ti"].run_id), approvals)
            if not said["approved"]:
                who = said["by"] or "a person"
                raise AirflowSkipException(f"The draft was rejected by {who}: nothing is published.")
        entry = {"run_id": context["ti"].run_id, "logical_date": when(context), "manifest": pages["manifest"]}
        latest = Latest(self.destination).publish(entry)
        self._read = [pull(context, self.generate_task_id, "results"), draft["manifest"]]
        self._written = [pages["manifest"], pages["gallery"]] if approvals is not None else []
        self._written.append(f"{self.destination.rstrip('/')}/{LATEST}")
        if latest == entry:
            self.log.info("Published: %s is now the campaign's latest.", pages["manifest"])
        else:
            self.log.warning(
                "Run %s is newer and stays the latest one; this one is published beside it.", latest["run_id"]
            )
        self.show_gallery(context, pages["gallery"])
        told = {**entry, "counts": draft["counts"]}
        context["outlet_events"][self.asset].extra = told
        if self.creative_asset is not None:
            self._tell_creatives(context, self.creative_asset, list(_creatives(made, approvals or {})), entry)
        return {**told, "gallery": pages["gallery"], "latest": latest == entry}

    def _tell_creatives(
        self, context: Context, asset: Asset, creatives: list[dict[str, Any]], entry: Mapping[str, Any]
    ) -> None:
        events = context["outlet_events"][AssetAlias(asset.name)]
        for one in creatives[:MOST_EVENTS]:
            events.add(asset, extra={**entry, **one})
        if len(creatives) > MOST_EVENTS:
            self.log.warning(
                "%d of %d creatives have an event of their own, and no run sends more: the manifest has them all.",
                MOST_EVENTS,
                len(creatives),
            )

    def _answer(self, context: Context, made: Made) -> dict[str, Any] | None:
        """
        Return what a person answered; None where nobody has to be asked.

        :raises InvalidRequest: nobody answered for this draft.
        """
        from airflow_provider_adgen.core.errors import InvalidRequest

        if self.review_task_id is None:
            return None
        said: dict[str, Any] | None = pull(context, self.review_task_id)
        if said is None:
            raise InvalidRequest(f"{self.review_task_id} has no answer. Nothing was published.")
        if said["sha256"] != made.sha256:
            raise InvalidRequest(
                f"The approval is for another draft than the one that {self.draft_task_id} has written. Nothing was "
                f"published. Clear {self.review_task_id} and those after it, and look at the gallery again."
            )
        return said


def _creatives(made: Made, approvals: Mapping[str, bool]) -> Iterator[dict[str, Any]]:
    """
    Yield what is told of each stored file, the new ones first; of ad copy, which has no file, once for its item.

    No value is a list: Airflow 3.0 cannot take any.
    """
    lines = made.with_result.values()
    for line in sorted(lines, key=lambda line: line["status"] == "reused"):
        if not approvals.get(line["key"], True):
            continue
        meta, generation = line["meta"] or {}, line["generation"]
        told = {
            "key": line["key"],
            **{name: meta.get(name) for name in ("product_id", "brief", "locale", "format")},
            "origin": "reused" if line["status"] == "reused" else "made",
            "vendor": generation["vendor"],
        }
        for creative in generation["creatives"] or [{"kind": "copy", "uri": None}]:
            yield {**told, "kind": creative["kind"], "uri": creative["uri"]}
