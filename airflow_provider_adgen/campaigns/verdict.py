# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The last step of a campaign: it keeps a run from ending well if something is missing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.saying import say_left_out, say_missing
from airflow_provider_adgen.campaigns.step import CampaignStep, pull, read_flag, states
from airflow_provider_adgen.compat import AirflowFailException, AirflowSkipException

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


_BAD = frozenset({"failed", "upstream_failed"})
_SHOWN = 10
_ANEW = (
    "Clear it to make what is missing. Unless on_clear says otherwise, that pays anew for what failed, and with reuse "
    "for what a person rejected; other results are kept."
)


class CampaignVerdictOperator(CampaignStep):
    """
    Fail unless the steps before it ended well. It costs nothing.

    Give it the trigger rule ``all_done``. A step has ended well if it left what it returns, and no task before it, in
    the group or in front of it, has failed. After a dry run that went well it is skipped, as all steps that make or
    publish.

    :param generate_task_id: the task that made the creatives; it must have ended well.
    :param publish_task_id: the task that published.
    :param review_task_id: the task in which a person decides: what was rejected need not be published.
    :param plan_task_id: the task that planned: what it left out is said.
    :raises AirflowFailException: something is missing. A retry of this task does not help.
    :raises AirflowSkipException: this is a dry run, and the plan is good.
    """

    template_fields: Sequence[str] = ("is_dry_run",)
    in_dry_run = True

    def __init__(
        self,
        *,
        generate_task_id: str,
        publish_task_id: str,
        review_task_id: str | None = None,
        plan_task_id: str | None = None,
        destination: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(destination=destination, **kwargs)
        self.generate_task_id = generate_task_id
        self.publish_task_id = publish_task_id
        self.review_task_id = review_task_id
        self.plan_task_id = plan_task_id

    def do(self, context: Context) -> dict[str, Any]:
        """Look at how the steps ended, and at what they left."""
        before = states(context, self.get_flat_relative_ids(upstream=True))
        # Where a task failed itself, those after it are not to blame.
        failed = sorted(name for name, state in before.items() if state == "failed")
        failed = failed or sorted(name for name, state in before.items() if state in _BAD)
        if read_flag("dry_run", self.is_dry_run):
            if failed:
                raise AirflowFailException(_nothing_made(failed))
            raise AirflowSkipException("This is a dry run, and the plan is good. Nothing was made or charged.")
        made = pull(context, self.generate_task_id)
        published = pull(context, self.publish_task_id)
        if failed and before.get(self.generate_task_id) == "upstream_failed":
            raise AirflowFailException(_nothing_made(failed))
        if made is None:
            raise AirflowFailException(self._missing(context, published=published is not None))
        said = pull(context, self.review_task_id) if self.review_task_id is not None else None
        if published is None and (said is None or said["approved"]):
            raise AirflowFailException(
                f"{_names(failed) or self.publish_task_id} did not end well: the creatives are made, and not published."
                " Clear the task that failed, and those after it; what was made is not paid for again."
            )
        if failed:
            raise AirflowFailException(
                f"{_names(failed)} did not end well. What is published was made before. Clear what failed, and the "
                "tasks after it; what was made is not paid for again."
            )
        from airflow_provider_adgen.lifecycle.batch.results import say_credits

        for conn_id, sums in made["credits"].items():
            told = say_credits({**sums, "estimated": made["estimated"].get(conn_id, 0)})
            self.log.info("Credits of %s: %s.", conn_id, told)
        counts = ", ".join(f"{many} {word}" for word, many in made["counts"].items() if many)
        rejected = f", {len(said['rejected'])} of them rejected" if said is not None and said["rejected"] else ""
        left_out = self._left_out(context)
        level = logging.WARNING if left_out else logging.INFO
        self.log.log(level, "The run ended well: %s%s%s.", counts, rejected, f"; {left_out}" if left_out else "")
        return {"counts": made["counts"], "credits": made["credits"], "published": published is not None}

    def _left_out(self, context: Context) -> str:
        planned = pull(context, self.plan_task_id) if self.plan_task_id is not None else None
        return say_left_out((planned or {}).get("left_out", {}))

    def _missing(self, context: Context, *, published: bool) -> str:
        """Return what has no result, and why."""
        from airflow_provider_adgen.campaigns.run_folder import read_items
        from airflow_provider_adgen.core.errors import AdGenError

        shown = " What has a result is published." if published else ""
        lines = [f"{self.generate_task_id} did not end well: creatives are missing.{shown}"]
        if left_out := self._left_out(context):
            lines.append(f"{left_out[0].upper()}{left_out[1:]}.")
        if results := pull(context, self.generate_task_id, "results"):
            try:
                lines += say_missing(read_items(results))
            except AdGenError as error:  # the verdict is the same
                lines.append(f"Which, cannot be said here: {error}")
        where = f"Its log, and {results}, say which and why." if results else "Its log says why."
        return "\n".join([*lines, f"{where} {_ANEW}"])


def _names(task_ids: Sequence[str]) -> str:
    more = f" and {len(task_ids) - _SHOWN} more" if len(task_ids) > _SHOWN else ""
    return f"{', '.join(task_ids[:_SHOWN])}{more}"


def _nothing_made(failed: Sequence[str]) -> str:
    logs, them = ("Its log says", "it") if len(failed) == 1 else ("Their logs say", "them")
    return (
        f"{_names(failed)} failed, so nothing was made and nothing was charged in this try. {logs} why. Mend that, "
        f"then clear {them} and the tasks after {them}."
    )
