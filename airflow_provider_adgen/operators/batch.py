# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Hundreds or thousands of paid generations in one task."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_provider_adgen.compat import TRIGGER_FAILED, conf
from airflow_provider_adgen.operators._errors import no_useless_retry
from airflow_provider_adgen.operators._legs import LegRunner
from airflow_provider_adgen.operators._option_values import (
    BATCH_WORDS,
    Arguments,
    batch_word,
    credits_by_account,
    seconds,
    share_or_word,
    whole_number,
)
from airflow_provider_adgen.operators._worker_watch import WorkerWatch
from airflow_provider_adgen.operators.links import RESULTS as RESULTS_LINK
from airflow_provider_adgen.operators.links import show_stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.ledger.batch import BatchStore
    from airflow_provider_adgen.lifecycle.batch.leg import BatchLeg
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions

RESULTS = "results"
"""XCom that names the file of results; pushed on every leg, so that it is there after a failure."""


class GenerateBatchOperator(BaseOperator):
    """
    Generate many ad creatives in one task, with any vendors: submit each once, wait, store.

    Money: **each item is paid for once, or stops and says so**, as with :class:`GenerateOperator`. A retry goes on with
    what has no result. The task never succeeds while a job that is paid for is under way. It needs ``[adgen]
    ledger_path``.

    An item is ``{"key": ..., "request": {"kind": ..., ...}, "meta": {...}}``, with ``"conn_id"`` beside the request, or
    with ``"choices": [{"conn_id": ..., "request": {...}}, ...]`` in the order of preference. A choice may have
    ``reuse_as``, other values for fields of its request where its creative is identified in a library. The key is its
    identity over all tries; give each item one that stays the same. Items are never rendered: what a supplier writes is
    text.

    :param items: a list of items, an XComArg of one, or the path of a file with one item as JSON on each line.
    :param destination: an object-storage path to store the creatives under.
    :param conn_id: the account of items that name none.
    :param max_credits: the most that all tries may cost, less documented refunds: a number, or ``{conn_id: number}``
        where there are several accounts. A try that would spend more, by its known prices, buys nothing.
    :param assume_credits: what to count where no price is documented, in the same form; also ``{conn_id: {kind: n}}``.
    :param max_in_flight: jobs under way at once, over all accounts, at most 500.
    :param on_invalid: when items are wrong: ``fail`` (nothing is sent), or ``skip`` them.
    :param fail_when: when the task fails, after everything else was stored: ``any`` item has no result, ``all`` have
        none, or more than this share (0 to 1). Unknown submissions, jobs that are still under way, and an empty list
        always fail.
    :param on_item_failure: ``continue``, or ``stop``: submit nothing more after an item failed or was refused.
    :param on_failed: when a job failed: None moves the item to its next choice, or submits it again on the next try,
        where a refund is documented; ``fail``; or ``resubmit``, which pays again on the next try.
    :param on_clear: after a user cleared the task: ``missing`` (results are kept; failed and refused items are
        submitted again), ``fresh`` (everything that is over is paid for again) or ``reattach`` (as a retry).
    :param library: an object-storage path that remembers what was made: an item that is there, with the same key and
        request, is used again and costs nothing. Runs that want the same item at the same time pay for it once.
    :param reuse_max_age: seconds (or a timedelta) after its submission for which a creative is used again; None for
        any time.
    :param filename: the template of the files' names below the destination, with the fields ``key vendor id n ext
        kind`` and those of ``meta``; it must hold ``{id}`` and ``{n}``.
    :param on_suspended: when the vendor suspends a job for a person's review: ``wait``, or ``fail``.
    :param deferrable: wait in the triggerer instead of on a worker (default: Airflow's ``default_deferrable``).
    :param poll_interval: seconds (or a timedelta) between looks at a job (default ``[adgen] poll_interval``).
    :param timeout: seconds (or a timedelta) to wait for each job after the vendor accepted it, anew per try.
    :param submit_timeout: seconds (or a timedelta) within which the whole batch is submitted.
    :param on_unknown_submission: when nobody knows whether an earlier submission was accepted: ``fail``, or
        ``resubmit`` and accept paying twice, for at most 1 % of the items (at least one) per try.
    :param on_changed_input: when an item's request changed between tries: ``fail`` (its job is stored, it counts as
        failed), ``reattach`` (take the paid job's result) or ``fresh`` (pay for a new one).
    :param on_insufficient: without enough credits: ``fail`` (the account takes nothing more) or ``wait``.
    :raises AirflowFailException: a retry cannot help any item; or the list or the options of this try are wrong, and it
        bought nothing. What earlier tries bought is collected and stored before, unless the destination is wrong.
    :raises BatchFailed: items have no result; a retry goes on with those, and costs nothing for the others.
    """

    template_fields: Sequence[str] = ("items", "destination", "conn_id", "max_credits", "assume_credits", "library")
    ui_color = "#e8def8"
    operator_extra_links = (RESULTS_LINK,)

    def __init__(
        self,
        *,
        items: Any,
        destination: str,
        conn_id: str | None = None,
        max_credits: int | str | dict[str, Any] | None = None,
        assume_credits: int | dict[str, Any] | None = None,
        max_in_flight: int = 100,
        on_invalid: Literal["fail", "skip"] = "fail",
        fail_when: str | float = "any",
        on_item_failure: Literal["continue", "stop"] = "continue",
        on_failed: Literal["fail", "resubmit"] | None = None,
        on_clear: Literal["missing", "fresh", "reattach"] = "missing",
        library: str | None = None,
        reuse_max_age: float | timedelta | None = None,
        filename: str = "{key}-{id}-{n}.{ext}",
        on_suspended: Literal["wait", "fail"] = "wait",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta | None = None,
        timeout: float | timedelta = 7200.0,
        submit_timeout: float | timedelta = 86400.0,
        on_unknown_submission: Literal["fail", "resubmit"] = "fail",
        on_changed_input: Literal["fail", "reattach", "fresh"] = "fail",
        on_insufficient: Literal["fail", "wait"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.items = items
        self.destination = destination
        self.conn_id = conn_id
        self.max_credits = max_credits
        self.assume_credits = assume_credits
        self.max_in_flight = max_in_flight
        self.on_invalid = on_invalid
        self.fail_when = fail_when
        self.on_item_failure = on_item_failure
        self.on_failed = on_failed
        self.on_clear = on_clear
        self.library = library
        self.reuse_max_age = reuse_max_age
        self.filename = filename
        self.on_suspended = on_suspended
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.submit_timeout = submit_timeout
        self.on_unknown_submission = on_unknown_submission
        self.on_changed_input = on_changed_input
        self.on_insufficient = on_insufficient
        self._given: tuple[Any] | None = None
        self._leg: BatchLeg | None = None
        self._recorded: tuple[BatchStore, int] | None = None
        self._results: str | None = None

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Render the arguments, but not the items: their texts are other people's. A path is rendered."""
        parent.items = _path_as_text(parent.items)
        if not isinstance(parent.items, str):
            seen_oids.add(id(parent.items))
            if hasattr(parent.items, "resolve"):
                parent.items = _path_as_text(parent.items.resolve(context))
                seen_oids.add(id(parent.items))
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        if isinstance(parent.items, str):
            return
        # What Airflow shows as rendered is kept in its database: the items may be many, and hold signed links.
        parent._given = (parent.items,)
        from airflow_provider_adgen.core.wording import counted

        known = hasattr(parent.items, "__len__")
        parent.items = counted(len(parent.items), "item") if known else "no known number of items"

    # --- Airflow's entry points -----------------------------------------------------------------------------------

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit, wait, store; return a summary of what became of the items."""
        return self._run(context, resumed=False)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the trigger fired."""
        return self._run(context, resumed=True, event=event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral, also after one that went wrong: the paid jobs may be fine."""
        if next_method == TRIGGER_FAILED:
            reason = (next_kwargs or {}).get("error", "unknown")
            self.log.warning("The trigger ended without an event (%s).", reason)
            return self._run(context, resumed=True)
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Submit nothing more. What is being posted is finished and recorded, if the process is given the time."""
        if self._leg is not None:
            self._leg.close("the task is being stopped")

    # --- a batch ----------------------------------------------------------------------------------------------------

    def _options(self, context: Context) -> BatchOptions:
        """Parse what the author chose, after templates were rendered; what is wrong is told in ``problem``."""
        from airflow_provider_adgen.core.decisions.submission import Policy
        from airflow_provider_adgen.delivery.places import check_destination
        from airflow_provider_adgen.lifecycle.batch.options import BatchOptions, PerAccount, check_filename
        from airflow_provider_adgen.lifecycle.submit_options import SubmitOptions
        from airflow_provider_adgen.settings import batch_collect_seconds, poll_interval

        arguments = Arguments()
        read, destination = arguments.read, str(self.destination)

        def choice(name: str) -> Any:
            """Return a word; the first of those that are allowed is the default."""
            return read(BATCH_WORDS[name][0], batch_word, name, getattr(self, name))

        def library(value: Any) -> str | None:
            check_destination(str(value), "library")
            return str(value)

        read(None, check_destination, destination)
        options = BatchOptions(
            submit=SubmitOptions(
                policy=Policy(
                    on_unknown_submission=choice("on_unknown_submission"),
                    on_failed=choice("on_failed"),
                    on_changed_input=choice("on_changed_input"),
                ),
                on_insufficient=choice("on_insufficient"),
                submit_timeout=read(SubmitOptions.submit_timeout, seconds, "submit_timeout", self.submit_timeout),
                wait_seconds=read(SubmitOptions.wait_seconds, seconds, "timeout", self.timeout),
            ),
            destination=destination,
            conn_id=self.conn_id or None,
            max_credits=PerAccount("max_credits", read(None, credits_by_account, "max_credits", self.max_credits)),
            assume_credits=PerAccount(
                "assume_credits", read(None, credits_by_account, "assume_credits", self.assume_credits, by_kind=True)
            ),
            max_in_flight=read(BatchOptions.max_in_flight, whole_number, "max_in_flight", self.max_in_flight, 1, 500),
            on_invalid=choice("on_invalid"),
            fail_when=read(BatchOptions.fail_when, share_or_word, "fail_when", self.fail_when, ("any", "all")),
            on_item_failure=choice("on_item_failure"),
            on_clear=choice("on_clear"),
            on_suspended=choice("on_suspended"),
            filename=read(BatchOptions.filename, check_filename, self.filename),
            library=None if self.library is None else read(None, library, self.library),
            reuse_max_age=None
            if self.reuse_max_age is None
            else read(None, seconds, "reuse_max_age", self.reuse_max_age),
            collect_seconds=batch_collect_seconds(),
            poll_interval=poll_interval()
            if self.poll_interval is None
            else read(poll_interval(), seconds, "poll_interval", self.poll_interval),
        )
        return replace(options, problem=arguments.problem)

    def _items_of_try(self, context: Context) -> Any:
        """Return the items as they are given; asked for when a try begins."""
        return self.items if self._given is None else self._given[0]

    def _run(self, context: Context, *, resumed: bool, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """
        Run legs until every item's fate is known, or defer.

        :param resumed: a wait ended; without an *event* its trigger failed.
        """
        from airflow_provider_adgen.core.clock import SYSTEM
        from airflow_provider_adgen.core.errors import InvalidRequest
        from airflow_provider_adgen.hooks.base import AdGenHook
        from airflow_provider_adgen.ledger.batch import BatchStore
        from airflow_provider_adgen.ledger.stored_files import FileFacts, facts_of
        from airflow_provider_adgen.lifecycle.batch.leg import BatchLeg
        from airflow_provider_adgen.lifecycle.batch.member import Members
        from airflow_provider_adgen.lifecycle.batch.opening import Opening
        from airflow_provider_adgen.lifecycle.batch.results import results_uri
        from airflow_provider_adgen.lifecycle.batch.reuse import Reuse
        from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
        from airflow_provider_adgen.settings import ledger_path

        with no_useless_retry(), contextlib.ExitStack() as stack:
            options = self._options(context)
            base = ledger_path()
            if base is None:
                raise InvalidRequest(
                    "A batch needs [adgen] ledger_path, an object-storage path where it records what is paid for. "
                    "Nothing was sent. Set it, for example to s3://my_conn@bucket/adgen-ledger."
                )
            hooks: dict[str, AdGenHook] = {}

            def open_hook(conn_id: str) -> AdGenHook:
                if conn_id not in hooks:
                    hook = AdGenHook(conn_id)
                    hook.account()
                    hooks[conn_id] = stack.enter_context(hook)
                return hooks[conn_id]

            def tell(uri: str) -> None:
                self._results = uri
                context["ti"].xcom_push(key=RESULTS, value=uri)
                show_stored(self, context, RESULTS_LINK, uri, self._destination_urls())

            facts, stop_suspended = TaskFacts.of(context), options.on_suspended != "wait"
            uri = results_uri(options.destination, facts.identity) if options.problem is None else None
            if resumed and uri is not None:  # the leg before has written them
                show_stored(self, context, RESULTS_LINK, uri, self._destination_urls())
            elif facts.try_number > 1 and uri is not None and isinstance(facts_of([uri])[uri], FileFacts):
                # Airflow has deleted the XComs of the try before. What that has made is shown, whatever stops this one.
                tell(uri)
            runner = LegRunner(
                self,
                context,
                AdGenHook(self.conn_id or ""),
                deferrable=self.deferrable,
                poll_interval=options.poll_interval,
                make_trigger=_trigger_maker(options.collect_seconds, stop_suspended=stop_suspended),
                hooks=hooks.values,
            )
            store = BatchStore(base, facts.identity)
            self._recorded = (store, facts.try_number)
            opening = Opening(
                store=store, facts=facts, options=options, open_hook=open_hook, clock=SYSTEM, log=self.log
            )
            reuse: Reuse | None = None
            if options.library is not None:
                reuse = Reuse(
                    options.library,
                    ledger_path=base,
                    max_age=options.reuse_max_age,
                    # A clear raises Airflow's max_tries.
                    fresh=options.on_clear == "fresh" and facts.epoch > int(self.retries or 0),
                    opening=opening,
                    facts=facts,
                    clock=SYSTEM,
                )
                reuse.open()
                opening.known = reuse.known
            self._leg = BatchLeg(
                opening=opening,
                make_members=lambda items: Members(
                    opening=opening, reuse=reuse, facts=facts, options=options, items=items, clock=SYSTEM, log=self.log
                ),
                reuse=reuse,
                given=lambda: self._items_of_try(context),
                store=store,
                facts=facts,
                options=options,
                watch=WorkerWatch(open_hook, poll_interval=options.poll_interval, stop_suspended=stop_suspended),
                stop_at=runner.stop_at,
                tell=tell,
                clock=SYSTEM,
                log=self.log,
            )
            return runner.run(self._leg.run, runner.resumed(event, remembers=False) if resumed else None)

    def _destination_urls(self) -> dict[str, str]:
        """Return web addresses by path that hold for this task alone."""
        return {}

    # --- OpenLineage ------------------------------------------------------------------------------------------------

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Return what the items were made from, the stored files, counts and credits, without links.

        The OpenLineage provider calls it, where that is installed, also after a failure.
        """
        from airflow_provider_adgen.operators._lineage import batch_lineage

        if self._recorded is None:
            return None
        items = self.items if isinstance(self.items, str) and self._given is None else None
        return batch_lineage(*self._recorded, self._results, items)


def _path_as_text(items: Any) -> Any:
    """Return a path as text, with the connection that it names; anything else as it is."""
    from airflow.sdk import ObjectStoragePath

    return str(items) if isinstance(items, ObjectStoragePath | os.PathLike) else items


def _trigger_maker(collect_seconds: float, *, stop_suspended: bool) -> Any:
    from airflow_provider_adgen.triggers.batch import BatchTrigger

    def make(wait: Any, *, poll_interval: float, until: float, first_fire_delay: float, **_: Any) -> BatchTrigger:
        return BatchTrigger(
            jobs=[
                [one.conn_id, one.vendor, one.kind, ",".join(one.job_ids), one.since, one.until] for one in wait.jobs
            ],
            resume=[[one.conn_id, one.not_before, one.credits] for one in wait.submit],
            collect_at=wait.collect_at,
            collect_seconds=collect_seconds,
            until=until,
            poll_interval=poll_interval,
            stop_suspended=stop_suspended,
            first_fire_delay=first_fire_delay,
        )

    return make
