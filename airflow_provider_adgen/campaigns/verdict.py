# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The last step of a campaign: it keeps a run from ending well if something is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.step import CampaignStep, pull, read_flag, states
from airflow_provider_adgen.compat import AirflowFailException, AirflowSkipException

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


_BAD = frozenset({"failed", "upstream_failed"})
_SHOWN = 10


class CampaignVerdictOperator(CampaignStep):
    """
    Fail unless the steps before it ended well. It costs nothing.

    Give it the trigger rule ``all_done``. A step has ended well if it left what it returns, and no task before it, in
    the group or in front of it, has failed. After a dry run that went well it is skipped, as all steps that make or
    publish.

    :param generate_task_id: the task that made the creatives; it must have ended well.
    :param publish_task_id: the task that published.
    :param review_task_id: the task in which a person decides: what was rejected need not be published.
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
        destination: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(destination=destination, **kwargs)
        self.generate_task_id = generate_task_id
        self.publish_task_id = publish_task_id
        self.review_task_id = review_task_id

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
            shown = "What has a result is published. " if published else ""
            results = pull(context, self.generate_task_id, "results")
            where = f"Its log, and {results}, say which and why." if results else "Its log says why."
            raise AirflowFailException(
                f"{self.generate_task_id} did not end well: creatives are missing. {shown}{where} Clear it to make "
                "what is missing."
            )
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
        self.log.info(
            "The run ended well: %s.", ", ".join(f"{many} {word}" for word, many in made["counts"].items() if many)
        )
        return {"counts": made["counts"], "credits": made["credits"], "published": published is not None}


def _names(task_ids: Sequence[str]) -> str:
    more = f" and {len(task_ids) - _SHOWN} more" if len(task_ids) > _SHOWN else ""
    return f"{', '.join(task_ids[:_SHOWN])}{more}"


def _nothing_made(failed: Sequence[str]) -> str:
    logs, them = ("Its log says", "it") if len(failed) == 1 else ("Their logs say", "them")
    return (
        f"{_names(failed)} failed, so nothing was made and nothing was charged in this try. {logs} why. Mend that, "
        f"then clear {them} and the tasks after {them}."
    )
