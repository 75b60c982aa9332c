# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What the command line reads and writes where it runs: Airflow's database, as ``airflow variables`` does.

Task code has no access to the database, so only ``cli`` may import this.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen import settings
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.stores import ObjectStore, StateStore, Store

if TYPE_CHECKING:
    from airflow_provider_adgen.core.identity import TaskIdentity


class _Saved:
    """Airflow's task state store, read from outside the task."""

    def __init__(self, identity: TaskIdentity) -> None:
        from airflow.state import TaskScope, get_state_backend  # ImportError before 3.3

        self._backend = get_state_backend()
        self._scope = TaskScope(identity.dag_id, identity.run_id, identity.task_id, identity.map_index)

    def get(self, key: str) -> Any:
        text = self._backend.get(self._scope, key)
        return None if text is None else json.loads(text)


def ledger_of(identity: TaskIdentity) -> tuple[Ledger, list[str]]:
    """Return the ledger of a task, with the stores that the task uses, and the names of those stores."""
    stores: list[Store] = []
    names: list[str] = []
    try:
        stores.append(StateStore(_Saved(identity), identity.slot))
        names.append("Airflow's task state store")
    except ImportError:  # before 3.3
        pass
    path = settings.ledger_path()
    if path is not None:
        stores.append(ObjectStore(path, identity))
        names.append("[adgen] ledger_path")
    return Ledger(stores), names


def set_variable(name: str, value: str, description: str) -> None:
    """Set an Airflow Variable."""
    from airflow.models import Variable  # noqa: TID251 - not in a task: this runs where "airflow variables" does

    Variable.set(name, value, description=description)  # noqa: AIR311 - the SDK's works in tasks only


def get_variable(name: str) -> str | None:
    """Return an Airflow Variable, None where it is not set."""
    from airflow.models import Variable  # noqa: TID251 - as above

    value = Variable.get(name, default_var=None)  # noqa: AIR311 - as above
    return None if value is None else str(value).strip() or None


class ServerHook(AdGenHook):
    """A hook that reads its connection where the command line runs."""

    @classmethod
    def get_connection(cls, conn_id: str) -> Any:
        """
        Return the connection.

        :raises InvalidRequest: there is none.
        """
        from airflow.models import Connection  # noqa: TID251 - as above

        try:
            return Connection.get_connection_from_secrets(conn_id)  # noqa: AIR311 - as above
        except Exception as error:
            raise InvalidRequest(
                f"Connection {conn_id!r} could not be read here ({type(error).__name__}). Nothing was sent."
            ) from None
