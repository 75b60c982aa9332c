# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The step of a campaign in which a person approves what was made.

Importing it needs Airflow 3.1: only a campaign with a review does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators import hitl
from airflow.providers.standard.triggers.hitl import HITLTrigger
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from airflow_provider_adgen.campaigns.saying import say_left_out
from airflow_provider_adgen.campaigns.step import pull, stop_if_dry
from airflow_provider_adgen.compat import (
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
    never_expire,
    task_state_store,
)
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.operators._errors import no_useless_retry
from airflow_provider_adgen.operators.links import GALLERY, show_stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow.sdk import Context

    from airflow_provider_adgen.campaigns.made import Made

APPROVE, REJECT = "Approve", "Reject"
REJECT_KEYS = "reject_keys"
_ASKED = "asked_for"

# From 3.3 on a task waits for a person in a state of its own.
_WAITING: tuple[type[BaseException], ...] = (TaskDeferred, getattr(hitl, "TaskAwaitingInput", TaskDeferred))

_RETRIES, _RETRY_DELAY = 5, timedelta(seconds=10)


class ReviewCampaignOperator(hitl.HITLOperator):
    """
    Ask a person, on Airflow's own page, whether a draft may be published. It costs nothing.

    The options are ``Approve`` and ``Reject``. In ``reject_keys`` the person may name creatives that must not be used:
    in the library they get a tombstone, so that the next run pays for new ones; in the manifest they stay, as not
    approved. Returns ``{"approved", "sha256", "rejected", "by", "at"}``; an answer counts only for the draft with that
    hash.

    If somebody answers while the task is about to wait, Airflow's scheduler may fail its try. So it has retries, and
    from Airflow 3.3 on the next try takes the answer that was given; before, it asks again.

    :param generate_task_id: the task that made the creatives.
    :param draft_task_id: the task that wrote the draft.
    :param library: the library that rejected creatives are taken out of; None where there is none.
    :param gallery_url: the https address under which people reach the campaign's destination.
    :param is_dry_run: ask nobody; see :class:`.CampaignStep`.
    :param retries: as for every task, but at least 5. They pay nothing.
    :param retry_delay: as for every task; 10 seconds unless it is given.
    :raises AirflowFailException: nobody answered in time, the draft changed while somebody was asked, or
        ``reject_keys`` names a key that the draft does not have. Nothing is published; clear the task to ask again.
    """

    template_fields: Sequence[str] = ("library", "gallery_url", "is_dry_run")
    ui_color = "#fde2e4"
    operator_extra_links = (*hitl.HITLOperator.operator_extra_links, GALLERY)

    def __init__(
        self,
        *,
        generate_task_id: str,
        draft_task_id: str,
        library: str | None = None,
        gallery_url: str | None = None,
        is_dry_run: bool | str = False,
        retries: int | None = None,
        retry_delay: float | timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            subject="Approve the creatives",
            options=[APPROVE, REJECT],
            retries=max(retries or 0, _RETRIES),
            retry_delay=_RETRY_DELAY if retry_delay is None else retry_delay,
            **kwargs,
        )
        self.generate_task_id = generate_task_id
        self.draft_task_id = draft_task_id
        self.library = library
        self.gallery_url = gallery_url
        self.is_dry_run = is_dry_run
        keys = Param(
            [],
            type=["null", "array"],
            items={"type": "string"},
            title="Keys to reject",
            description="Creatives that must not be used: their keys, one on each line.",
        )
        self.params = ParamsDict({REJECT_KEYS: keys})

    def execute(self, context: Context) -> Any:
        """Ask, unless an earlier try has asked."""
        with no_useless_retry():
            stop_if_dry(self.is_dry_run)
            draft = pull(context, self.draft_task_id)
            if draft is None:
                raise AirflowSkipException("There is no draft: nobody is asked.")
            self.subject = f"{context['ti'].dag_id}: approve the creatives of {context['ti'].run_id}"
            self.body = self._body(draft, self._show_gallery(context, draft))
            context["ti"].xcom_push(key=_ASKED, value=draft["sha256"])
        store = task_state_store(context)
        asking = _asking(context, draft["sha256"])
        if store is not None and store.get(_ASKED) == asking:
            self.log.info("An earlier try of this task has asked for this draft: its answer counts.")
            self._wait_for_that_answer(context)
        try:
            return super().execute(context)
        except _WAITING:  # now the question is written, and not before
            if store is not None:
                store.set(_ASKED, asking, retention=never_expire())
            raise

    def _wait_for_that_answer(self, context: Context) -> None:
        """
        Wait for the answer to the question that stands.

        Airflow keeps a task's question over its tries; to write it anew would take the answer away. Only a trigger may
        read an answer that is there already.
        """
        within = self.response_timeout
        self.defer(
            trigger=HITLTrigger(
                ti_id=context["ti"].id,
                options=self.options,
                params=self.serialized_params,
                timeout_datetime=datetime.now(UTC) + within if within is not None else None,
            ),
            method_name="execute_complete",
        )

    def _show_gallery(self, context: Context, draft: dict[str, Any]) -> str | None:
        """Let the task's page lead to the gallery, if people can reach it; return its address."""
        destination = draft["gallery"].rsplit("/", 2)[0]
        urls = {destination: self.gallery_url} if self.gallery_url else {}
        return show_stored(self, context, GALLERY, draft["gallery"], urls)

    def _body(self, draft: dict[str, Any], url: str | None) -> str:
        from airflow_provider_adgen.lifecycle.batch.results import say_credits

        counts = ", ".join(f"{number} {status}" for status, number in draft["counts"].items())
        place = f"[Open the gallery]({url})" if url else f"The gallery is at `{draft['gallery']}`"
        left_out = say_left_out(draft["left_out"])
        parts = [
            place,
            f"Creatives: {counts}{f'; {left_out}' if left_out else ''}.",
            *(f"Credits of {conn_id}: {say_credits(sums)}." for conn_id, sums in draft["credits"].items()),
            f"The answer counts for the draft {draft['sha256'][:12]} only.",
        ]
        return "\n\n".join(parts)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the answer."""
        draft = pull(context, self.draft_task_id)
        if draft is not None:
            self._show_gallery(context, draft)
        if event.get("error_type") == "timeout":
            raise AirflowFailException("Nobody answered in time. Nothing is published. Clear this task to ask again.")
        if "error" in event:
            raise AirflowFailException(
                f"The answer cannot be used: {event['error']}. Nothing is published. Clear this task to ask again."
            )
        answer: Any = super().execute_complete(context, event)
        with no_useless_retry():
            made, asked = self._asked_for(context)
            rejected = self._rejected(answer["params_input"].get(REJECT_KEYS), made)
            by = str((answer.get("responded_by_user") or {}).get("name") or "")
            if self.library:
                self._bury(self.library, made, rejected, by)
        approved = answer["chosen_options"] == [APPROVE]
        keys = counted(len(rejected), "key")
        self.log.info("%s by %s; %s rejected.", APPROVE if approved else REJECT, by or "somebody", keys)
        return {
            "approved": approved,
            "sha256": asked,
            "rejected": rejected,
            "by": by,
            "at": answer["responded_at"].isoformat(),
        }

    def _asked_for(self, context: Context) -> tuple[Made, str]:
        from airflow_provider_adgen.campaigns.made import Made
        from airflow_provider_adgen.core.errors import InvalidRequest

        asked = pull(context, context["ti"].task_id, _ASKED)
        made = Made.by(context, self.generate_task_id)
        if made is None or asked is None or made.sha256 != asked:
            raise InvalidRequest(
                "The results changed after somebody was asked: the answer does not count, and nothing is published. "
                f"Clear {self.draft_task_id} and those after it."
            )
        return made, asked

    def _rejected(self, value: Any, made: Made) -> list[str]:
        """
        Return the keys to reject.

        :raises InvalidRequest: there is no such creative.
        """
        from airflow_provider_adgen.core.errors import InvalidRequest

        lines: Iterable[Any] = value.splitlines() if isinstance(value, str) else value or ()
        keys = list(dict.fromkeys(text for line in lines if (text := str(line).strip())))
        if unknown := [key for key in keys if key not in made.with_result]:
            raise InvalidRequest(
                f"{REJECT_KEYS} names {', '.join(unknown[:20])}: the draft has no creative with such a key. Nothing is "
                "rejected and nothing is published. Clear this task to be asked again."
            )
        return keys

    def _bury(self, path: str, made: Made, keys: Sequence[str], by: str) -> None:
        """Write the tombstones; it may be repeated."""
        from airflow_provider_adgen.campaigns.made_before import Identities
        from airflow_provider_adgen.ledger.library import Library

        library, identities = Library(path), Identities()
        lines = {key: made.with_result[key] for key in keys}
        # By whichever request it was made: that of an earlier try may be none of the item's choices any more.
        stones = {
            (identities.of(key, choice).digest, lines[key]["generation"]["id"])
            for key, choice in made.sent(lines)
            if choice["conn_id"] == lines[key]["conn_id"]
        }
        for digest, generation_id in sorted(stones):
            library.reject(digest, generation_id, by=by, why="rejected in the review")


def _asking(context: Context, sha256: str) -> dict[str, Any]:
    """Return what tells one asking from another: a retry asks for the same, a clear does not."""
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

    return {"sha256": sha256, "epoch": TaskFacts.of(context).epoch}
