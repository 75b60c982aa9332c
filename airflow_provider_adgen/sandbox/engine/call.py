# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One request to a vendor, as a handler sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.checks import Fields, read_object
from airflow_provider_adgen.sandbox.engine.jobs import Which

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.sandbox.engine.accounts import Account, Key
    from airflow_provider_adgen.sandbox.engine.documents import Document
    from airflow_provider_adgen.sandbox.engine.faults import Fault
    from airflow_provider_adgen.sandbox.engine.jobs import Job
    from airflow_provider_adgen.sandbox.engine.rules import VendorRules
    from airflow_provider_adgen.sandbox.engine.state import State


@dataclass(slots=True)
class Call:
    """A request that was routed and authenticated. ``account`` and ``key`` are those of its credential.

    ``now`` is the moment up to which jobs were settled when it came: every status in its answer is of that moment.
    """

    state: State
    vendor: VendorRules
    method: str
    path: str
    params: dict[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    account: Account
    key: Key
    now: float
    # The fault that strikes this request.
    fault: Fault | None = None
    _fields: Fields | None = field(default=None)

    def setting(self, name: str) -> Any:
        """Return one of the vendor's settings."""
        return self.vendor.setting(name)

    def fields(self) -> Fields:
        """Read the JSON body.

        :raises Invalid: when it is not JSON or not declared as such.
        """
        if self._fields is None:
            content_type = self.headers.get("content-type", "")
            if content_type.partition(";")[0].strip().lower() != "application/json":
                raise Invalid("", "The Content-Type must be application/json")
            self._fields = Fields(read_object(self.body))
        return self._fields

    def checked(self) -> None:
        """Declare that every known field was read; with ``strict_fields`` any other field is refused."""
        if self._fields is not None and self.setting("strict_fields"):
            self._fields.refuse_unknown()

    def job(self, job_id: str, missing: str) -> Job:
        """Find a job of the account.

        :raises Refusal: 404 with the text *missing*.
        """
        job = self.state.jobs.get(self.vendor.name, job_id, self.account.id)
        if job is None:
            raise Refusal(404, missing)
        return job

    def document(self, kind: str, name: str, missing: str) -> Document:
        """Find a document of the account.

        :raises Refusal: 404 with the text *missing*.
        """
        document = self.state.documents.get(self.vendor.name, kind, name, self.account.id)
        if document is None:
            raise Refusal(404, missing)
        return document

    def documents(self, kind: str, *, project: str | None = None, limit: int = -1, offset: int = 0) -> list[Document]:
        """List documents of the account, or of one of its projects."""
        return self.state.documents.page(
            self.vendor.name, self.account.id, kind, project=project, limit=limit, offset=offset
        )

    def which(self, **wanted: Any) -> Which:
        """Say which of the account's jobs are meant."""
        return Which(self.vendor.name, self.account.id, **wanted)

    def store(self, kind: str, name: str, data: dict[str, Any]) -> Document:
        """Store a new document of the account, or replace the data of an existing one."""
        return self.state.documents.put(self.vendor.name, self.account.id, kind, name, data)

    @property
    def expired_links(self) -> bool:
        """Whether every link of this answer has expired already."""
        return self.fault is not None and self.fault.kind == "expired_link"

    def links(self, owner: str, names: Sequence[str]) -> list[str]:
        """Make fresh signed links to several files; a fault may leave some out."""
        most = self.fault.files if self.fault is not None and self.fault.kind == "fewer_files" else None
        return [self.link(owner, name) for name in names[:most]]

    def link(self, owner: str, name: str) -> str:
        """Make a fresh signed link to one of the vendor's files."""
        return self.state.link(self.vendor.name, owner, name, self.base_url, expired=self.expired_links)

    def picture(self, kind: str, name: str) -> str:
        """Return a public link (unsigned, lasting) to a picture or a sound that is made from its name."""
        return f"{self.state.media_base(self.base_url)}/media/public/{kind}/{name}"
