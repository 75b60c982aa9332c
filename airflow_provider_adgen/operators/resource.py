# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Base of operators that make one call which is no paid generation."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_adgen.operators._arguments import TakesFields
from airflow_provider_adgen.operators._errors import no_useless_retry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class ResourceOperator(TakesFields, BaseOperator):
    """
    Makes one call with the vendor's own hook and returns what it answered as a dictionary.

    :cvar pushes_id: the answer's ``id`` is pushed as an XCom of its own.
    :param conn_id: the Airflow connection.
    :raises AirflowFailException: a retry cannot help: the arguments are wrong, the key is refused, or the vendor
        refuses what is asked for (4xx).
    """

    vendor_name: ClassVar[str]
    template_fields: Sequence[str] = ("conn_id",)
    gone_is_fine: ClassVar[bool] = False
    pushes_id: ClassVar[bool] = False

    def __init__(self, *, conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def task_key(self) -> str:
        """Return an idempotency key: a retry comes to the same, a cleared task or one with another input does not."""
        from airflow_provider_adgen.core.identity import digest, idempotency_key

        given = digest({name: getattr(self, name) for name in self.template_fields})
        return idempotency_key(self._facts.identity, epoch=self._facts.epoch, fingerprint=given, answered=0)

    @abc.abstractmethod
    def act(self, hook: Any) -> Any:
        """Make the call; return a model, a JSON value or None."""

    def execute(self, context: Context) -> Any:
        """Make the call."""
        from airflow_provider_adgen.core.errors import NotFound
        from airflow_provider_adgen.hooks.base import typed_hook
        from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

        self._facts = TaskFacts.of(context)
        with no_useless_retry():
            try:
                hook = typed_hook(self.vendor_name, self.conn_id)
                answer = hook.with_current_key(lambda: self.act(hook))
            except NotFound:
                if not self.gone_is_fine:
                    raise
                self.log.info("It was gone already.")
                return None
        result = answer.model_dump(mode="json") if hasattr(answer, "model_dump") else answer
        if self.pushes_id:
            context["ti"].xcom_push(key="id", value=result["id"])
        return result
