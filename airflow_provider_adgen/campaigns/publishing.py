# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The step of a campaign that publishes: the latest manifest, and an event for whoever waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.step import ShowingStep, pull
from airflow_provider_adgen.compat import AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Asset, Context

    from airflow_provider_adgen.campaigns.made import Made


class PublishCampaignOperator(ShowingStep):
    """
    Publish a run: a marker, ``<destination>/latest.json``, and one event on an asset. It costs nothing.

    ``latest.json`` is ``{"run_id", "logical_date", "manifest"}`` of the run with the newest logical date (of one
    without, when it was to run), so that an older run that is published later does not replace a newer one. The event's
    extra is the same of this run, with ``counts``. After a clear it publishes again, which is one event more.

    :param generate_task_id: the task that made the creatives.
    :param draft_task_id: the task that wrote the draft.
    :param review_task_id: the task in which a person approves; None publishes without. An approval counts only for the
        very draft that it was given for.
    :param asset: the asset that the event is of.
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
        **kwargs: Any,
    ) -> None:
        kwargs["outlets"] = [*(kwargs.get("outlets") or ()), asset]
        super().__init__(**kwargs)
        self.generate_task_id = generate_task_id
        self.draft_task_id = draft_task_id
        self.review_task_id = review_task_id
        self.asset = asset

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
        approvals = self._approvals(context, made)
        pages = draft
        if approvals is not None:
            pages = made.write(RunFolder(self.destination, context["ti"].run_id), approvals)
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
        return {**told, "gallery": pages["gallery"], "latest": latest == entry}

    def _approvals(self, context: Context, made: Made) -> dict[str, bool] | None:
        """
        Return which keys are approved; None where nobody has to be asked.

        :raises InvalidRequest: nobody approved this draft.
        :raises AirflowSkipException: it was rejected.
        """
        from airflow_provider_adgen.core.errors import InvalidRequest

        if self.review_task_id is None:
            return None
        said = pull(context, self.review_task_id)
        if said is None:
            raise InvalidRequest(f"{self.review_task_id} has no answer. Nothing was published.")
        if said["sha256"] != made.sha256:
            raise InvalidRequest(
                f"The approval is for another draft than the one that {self.draft_task_id} has written. Nothing was "
                f"published. Clear {self.review_task_id} and those after it, and look at the gallery again."
            )
        if not said["approved"]:
            raise AirflowSkipException(f"The draft was rejected by {said['by'] or 'a person'}: nothing is published.")
        return {key: key not in said["rejected"] for key in made.with_result}
