# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What the command line reads and writes where it runs: Airflow's database, as ``airflow variables`` does.

Task code has no access to the database, so only ``cli`` may import this.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen import settings
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest
from airflow_provider_adgen.core.record import RecordUnreadable
from airflow_provider_adgen.core.scrub import reason
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.ledger.batch import BatchStore
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.stores import ObjectStore, StateStore, Store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_adgen.core.identity import TaskIdentity
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.core.wire import Wire

_AT_A_TIME = 8
"""Jobs that the vendor is asked for at the same time."""


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
    """Return the ledger of a task that is no batch, with the stores it uses, and the names of those stores."""
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


def batch_of(identity: TaskIdentity) -> BatchStore | None:
    """
    Return the record of a batch; None where the task is none.

    :raises RecordUnreadable: the storage cannot be read.
    """
    path = settings.ledger_path()
    if path is None:
        return None
    store = BatchStore(path, identity)
    try:
        return store if store.all_frozen() else None
    except Exception as error:  # whatever the storage, its package or its connection raises
        raise RecordUnreadable(
            f"The storage of [adgen] ledger_path cannot be read here ({reason(error)}). Nothing was changed."
        ) from None


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
    """A hook that reads its connection where the command line runs, and asks for many jobs at a time."""

    def get_generations(self, wanted: Iterable[tuple[list[str], str | None]]) -> list[Generation | AdGenError]:
        """
        Ask for generations; return each, or why it could not be had. Costs nothing.

        :param wanted: of each the job ids, and the kind.
        :raises InvalidRequest: the connection cannot be used.
        """
        turns = asyncio.Semaphore(_AT_A_TIME)

        async def ask(wire: Wire, ids: list[str], kind: str | None) -> Generation | AdGenError:
            async with turns:
                try:
                    return await wire.run(self.vendor.fetch(ids, kind, stream_seconds=0.0))
                except AdGenError as error:
                    return error

        async def all_of_them(wire: Wire) -> list[Generation | AdGenError]:
            return list(await asyncio.gather(*(ask(wire, ids, kind) for ids, kind in wanted)))

        return self.run_blocking(all_of_them)

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
