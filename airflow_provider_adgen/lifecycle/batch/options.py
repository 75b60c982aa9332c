# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the author of a batch chose; parsed once per leg, from the operator's arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.lifecycle.submit_options import SubmitOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_adgen.core.errors import AdGenError
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


@dataclass(frozen=True)
class PerAccount:
    """
    A number of credits for each account: credits of two accounts are never added up.

    :param name: the argument's name.
    :param value: a whole number where there is one account, else ``{conn_id: n}``; each n may be ``{kind: n}``.
    """

    name: str
    value: Any = None

    def check(self, accounts: Collection[str]) -> None:
        """
        Check that it says a number for each account.

        :raises InvalidRequest: it is one number for several accounts, or one is missing.
        """
        if self.value is None:
            return
        if not isinstance(self.value, dict):
            if len(accounts) > 1:
                raise InvalidRequest(
                    f"{self.name} is one number, and the items use {len(accounts)} accounts, whose credits are not "
                    f"the same: write {{{', '.join(f'{one!r}: ...' for one in sorted(accounts))}}}. Nothing was sent."
                )
            return
        if missing := sorted(set(accounts) - set(self.value)):
            raise InvalidRequest(f"{self.name} says nothing of {', '.join(missing)}. Nothing was sent.")

    def of(self, conn_id: str, kind: str = "") -> int | None:
        """Return the credits for an account, and for a kind of request there."""
        value = self.value.get(conn_id) if isinstance(self.value, dict) else self.value
        if isinstance(value, dict):
            value = value.get(kind)
        return None if value is None else int(value)


@dataclass(frozen=True)
class BatchOptions:
    """
    All that the author of a batch chose; see :class:`GenerateBatchOperator`.

    :param submit: how each item may be submitted; its credits are those of the batch.
    :param destination: where the creatives are stored.
    :param conn_id: the account of items that name none.
    :param max_credits: the most that all tries may cost, by account.
    :param assume_credits: what to count where no price is documented, by account.
    :param max_in_flight: jobs under way at once, over all accounts.
    :param on_invalid: ``fail`` or ``skip``.
    :param fail_when: ``any``, ``all``, or a share.
    :param on_item_failure: ``continue`` or ``stop``.
    :param on_clear: ``missing``, ``fresh`` or ``reattach``.
    :param on_suspended: ``wait`` or ``fail``.
    :param filename: the template of the files' names.
    :param library: the path of the library; None for none.
    :param reuse_max_age: seconds after which a creative of the library is not used again; None for never.
    :param poll_interval: seconds between looks at a job.
    :param collect_seconds: seconds after the first job is over at which the batch collects.
    :param resubmit_share: the share of items that one try may submit again although nobody knows about the submission
        before.
    :param problem: what is wrong with the options; then nothing is bought. Each that is wrong has its default here, but
        not the destination: nothing is stored elsewhere than the author wants it.
    """

    submit: SubmitOptions = field(default_factory=SubmitOptions)
    destination: str = ""
    conn_id: str | None = None
    max_credits: PerAccount = field(default_factory=lambda: PerAccount("max_credits"))
    assume_credits: PerAccount = field(default_factory=lambda: PerAccount("assume_credits"))
    max_in_flight: int = 100
    on_invalid: Literal["fail", "skip"] = "fail"
    fail_when: str | float = "any"
    on_item_failure: Literal["continue", "stop"] = "continue"
    on_clear: Literal["missing", "fresh", "reattach"] = "missing"
    on_suspended: Literal["wait", "fail"] = "wait"
    filename: str = "{key}-{id}-{n}.{ext}"
    library: str | None = None
    reuse_max_age: float | None = None
    poll_interval: float = 15.0
    collect_seconds: float = 300.0
    resubmit_share: float = 0.01
    problem: AdGenError | None = None

    def epoch(self, facts: TaskFacts) -> int | None:
        """Return the epoch whose spending counts; None for all: where a clear is a retry, it intends nothing new."""
        return facts.epoch if self.on_clear == "fresh" else None

    def filename_of(self, meta: Mapping[str, Any]) -> str:
        """
        Return the template of the names of an item's files.

        An item of an earlier list may lack a field of its ``meta`` that the template names by now: then it is the usual
        template, because what is paid for is stored.
        """
        try:
            return check_filename(self.filename, meta)
        except ValueError:
            return BatchOptions.filename


def check_filename(template: str, meta_names: Mapping[str, Any] | None = None) -> str:
    """
    Check a template of file names, and return it.

    :param template: the template.
    :param meta_names: the fields of an item's ``meta``; None to check only what does not depend on an item.
    :raises ValueError: it is no template, lacks ``{id}`` or ``{n}``, or names a field that there is not.
    """
    import string

    try:
        parts = list(string.Formatter().parse(template))
    except (TypeError, ValueError) as error:
        raise ValueError(f"filename is no template: {error}") from None
    names = []
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ValueError(f"filename may hold plain fields such as {{id}}, not {{{name}}} with more to it")
        names.append(name)
    if not {"id", "n"} <= set(names):
        raise ValueError(
            "filename must hold {id} and {n}: otherwise a file could overwrite another one that is paid for"
        )
    if any(part in {".", ".."} for part in template.split("/")) or template.startswith("/"):
        raise ValueError("filename must stay below the destination")
    if meta_names is not None:
        known = {"key", "vendor", "id", "n", "ext", "kind", *meta_names}
        if unknown := sorted(set(names) - known):
            raise ValueError(f"filename names {', '.join(unknown)}, which is no field, and not in the item's meta")
    return template
