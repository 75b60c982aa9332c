# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Submits one paid generation, waits for it without a worker, stores it: for any vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator

from airflow_provider_adgen.compat import TRIGGER_FAILED, conf
from airflow_provider_adgen.operators._arguments import TakesFields
from airflow_provider_adgen.operators._errors import no_useless_retry
from airflow_provider_adgen.operators._legs import LegRunner
from airflow_provider_adgen.operators._option_values import one_of, refused_options, seconds, whole_credits
from airflow_provider_adgen.operators._results import push_result
from airflow_provider_adgen.operators.links import DASHBOARD, STORED_FILE, show_dashboard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.submit_options import GenerateOptions


class GenerateOperator(TakesFields, BaseOperator):
    """
    Generate one ad creative with any vendor: submit once, wait, store.

    Money: **one task pays for one generation, or stops and says so.** A retry goes on with the job that is paid for;
    what it does in every other case is listed in the documentation of decisions. A wrong request is refused before
    anything is sent.

    :param conn_id: the Airflow connection; its type says which vendor.
    :param request: ``{"kind": ..., ...}`` with the vendor's fields in snake_case.
    :param wait_for_completion: wait for the result; otherwise return the submitted generation.
    :param deferrable: wait in the triggerer instead of on a worker (default: Airflow's ``default_deferrable``).
    :param poll_interval: seconds (or a timedelta) between looks at the job (default ``[adgen] poll_interval``).
    :param timeout: seconds (or a timedelta) to wait after the vendor accepted, anew per try. A job that takes longer
        is still paid for; a retry goes on waiting for it.
    :param submit_timeout: seconds (or a timedelta) to wait for being allowed to submit (rate limits, credits).
    :param max_credits: the most that all tries may cost together, less documented refunds. A request whose price is
        not documented is refused unless ``assume_credits`` is given.
    :param assume_credits: what to count where no price is documented.
    :param destination: an object-storage path to store the creatives under (``s3://conn_id@bucket/prefix``).
    :param on_clear: after a user cleared the task: ``fresh`` (pay for a new one if the recorded one is over) or
        ``reattach``.
    :param on_unknown_submission: when nobody knows whether an earlier submission was accepted: ``fail``, or
        ``resubmit`` and accept paying twice.
    :param on_failed: when the recorded job failed: ``fail``, ``resubmit`` (pays again), or None: submit again only
        where the vendor documents a refund.
    :param on_changed_input: when the input changed between tries: ``fail``, ``reattach`` (take the paid job's result)
        or ``fresh`` (pay for a new one).
    :param on_insufficient: without enough credits, or without room in ``[adgen] budgets``: ``fail`` at once, or
        ``wait`` until there are.
    :param on_suspended: when the vendor suspends the job for a person's review: ``wait``, ``fail`` or ``skip``.
    :param idempotency_key: a seed for the vendor's idempotency key in place of DAG, run and task; refused where the
        vendor has no keys.
    :raises AirflowFailException: a retry cannot help: the request is wrong, the key is refused, credits are missing,
        or nobody knows whether an earlier submission was accepted.
    :raises GenerationFailed: the vendor says that the job ended without a result.
    :raises GenerationTimeout: it did not finish in time; a retry goes on waiting and costs nothing.
    :raises DownloadError: the result could not be stored; a retry stores it and costs nothing.
    """

    template_fields: Sequence[str] = ("conn_id", "request", "destination", "idempotency_key", "max_credits")
    ui_color = "#e8def8"
    operator_extra_links = (STORED_FILE, DASHBOARD)

    vendor_name: ClassVar[str | None] = None
    """The vendor of a typed operator; None: the connection's type says."""

    request_kind: ClassVar[str] = ""

    def __init__(
        self,
        *,
        conn_id: str,
        request: dict[str, Any] | None = None,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta | None = None,
        timeout: float | timedelta = 7200.0,
        submit_timeout: float | timedelta = 86400.0,
        max_credits: int | str | None = None,
        assume_credits: int | None = None,
        destination: str | None = None,
        on_clear: Literal["fresh", "reattach"] = "fresh",
        on_unknown_submission: Literal["fail", "resubmit"] = "fail",
        on_failed: Literal["fail", "resubmit"] | None = None,
        on_changed_input: Literal["fail", "reattach", "fresh"] = "fail",
        on_insufficient: Literal["fail", "wait"] = "fail",
        on_suspended: Literal["wait", "fail", "skip"] = "wait",
        idempotency_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.request = request
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.submit_timeout = submit_timeout
        self.max_credits = max_credits
        self.assume_credits = assume_credits
        self.destination = destination
        self.on_clear = on_clear
        self.on_unknown_submission = on_unknown_submission
        self.on_failed = on_failed
        self.on_changed_input = on_changed_input
        self.on_insufficient = on_insufficient
        self.on_suspended = on_suspended
        self.idempotency_key = idempotency_key
        self._result: dict[str, Any] | None = None

    # --- Airflow's entry points -----------------------------------------------------------------------------------

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit, wait, store; return the generation as a dictionary."""
        return self._run(context, resumed=False)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the trigger fired."""
        return self._run(context, resumed=True, event=event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral, also after one that went wrong: the paid job may be fine."""
        if next_method == TRIGGER_FAILED:
            reason = (next_kwargs or {}).get("error", "unknown")
            self.log.warning("The trigger ended without an event (%s); asking the vendor once.", reason)
            return self._run(context, resumed=True)
        return super().resume_execution(next_method, next_kwargs, context)

    # --- the request ----------------------------------------------------------------------------------------------

    def request_value(self) -> dict[str, Any]:
        """Return the request as JSON, after templates were rendered."""
        if not self.request_kind:
            request: Any = self.request or {}  # a template may have made anything of it
            if not isinstance(request, dict):
                from airflow_provider_adgen.core.errors import InvalidRequest

                raise InvalidRequest('request must be a dictionary {"kind": ..., ...}. Nothing was sent.')
            return dict(request)
        return {"kind": self.request_kind, **self.fields()}

    def _hook(self) -> AdGenHook:
        from airflow_provider_adgen.hooks.base import AdGenHook

        hook = AdGenHook(self.conn_id, vendor=self.vendor_name)
        hook.account()
        return hook

    def _options(self) -> GenerateOptions:
        """Parse what the author chose, after templates were rendered."""
        from airflow_provider_adgen.core.decisions.submission import Policy
        from airflow_provider_adgen.lifecycle.submit_options import GenerateOptions, SubmitOptions

        if self.destination is not None and not self.wait_for_completion:
            raise ValueError("destination needs wait_for_completion=True: there is nothing to store before the end")
        return GenerateOptions(
            submit=SubmitOptions(
                policy=Policy(
                    on_clear=one_of("on_clear", self.on_clear, ("fresh", "reattach")),
                    on_unknown_submission=one_of(
                        "on_unknown_submission", self.on_unknown_submission, ("fail", "resubmit")
                    ),
                    on_failed=one_of("on_failed", self.on_failed, (None, "fail", "resubmit")),
                    on_changed_input=one_of("on_changed_input", self.on_changed_input, ("fail", "reattach", "fresh")),
                ),
                max_credits=whole_credits("max_credits", self.max_credits),
                assume_credits=whole_credits("assume_credits", self.assume_credits),
                on_insufficient=one_of("on_insufficient", self.on_insufficient, ("fail", "wait")),
                submit_timeout=seconds("submit_timeout", self.submit_timeout),
                wait_seconds=seconds("timeout", self.timeout),
                seed=self.idempotency_key or None,
            ),
            destination=self.destination,
            wait_for_completion=self.wait_for_completion,
            on_suspended=one_of("on_suspended", self.on_suspended, ("wait", "fail", "skip")),
        )

    # --- the life of a generation ---------------------------------------------------------------------------------

    def _run(self, context: Context, *, resumed: bool, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """
        Run legs until the generation is delivered, or defer.

        :param resumed: a wait ended; without an *event* its trigger failed.
        """
        from airflow_provider_adgen.core.clock import SYSTEM
        from airflow_provider_adgen.delivery.places import check_destination
        from airflow_provider_adgen.ledger.ledger import task_ledger
        from airflow_provider_adgen.lifecycle.generation import GenerationLeg
        from airflow_provider_adgen.lifecycle.submission import Submission
        from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
        from airflow_provider_adgen.settings import poll_interval

        with no_useless_retry():
            with refused_options():
                options = self._options()
                interval = seconds(
                    "poll_interval", poll_interval() if self.poll_interval is None else self.poll_interval
                )
            hook = self._hook()
            request = hook.vendor.parse_request(self.request_value())
            if options.destination is not None and not resumed:
                # A path that cannot be stored to is refused before anything is paid for.
                check_destination(options.destination)
            show_dashboard(self, context, hook.account(), hook.vendor)
            with hook:
                facts = TaskFacts.of(context)
                runner = LegRunner(self, context, hook, deferrable=self.deferrable, poll_interval=interval)
                submission = Submission(
                    hook=hook,
                    request=request,
                    ledger=task_ledger(context, facts.identity),
                    facts=facts,
                    options=options.submit,
                    clock=SYSTEM,
                    log=self.log,
                )
                leg = GenerationLeg(submission, options, clock=SYSTEM, log=self.log)
                generation = runner.run(leg.run, runner.resumed(event) if resumed else None)
        result = generation.to_xcom(urls=options.destination is None)
        push_result(self, context, result)
        self._result = result
        return result

    # --- OpenLineage ----------------------------------------------------------------------------------------------

    def get_openlineage_facets_on_start(self) -> Any:
        """Return what the generation is made from; called by the OpenLineage provider, where that is installed."""
        from airflow_provider_adgen.operators._lineage import lineage

        return lineage(self.request_value(), None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what it was made from, the stored files, and what it cost, without links."""
        from airflow_provider_adgen.operators._lineage import lineage

        return lineage(self.request_value(), self._result)
