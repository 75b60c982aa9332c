# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A try of a batch that buys nothing, because its list or its options are wrong, and collects what is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from airflow_provider_adgen.core.errors import AdGenError


class Refusal(NamedTuple):
    """
    Why nothing is bought in a try, although earlier ones bought something.

    :param reason: what is wrong with its list or options.
    :param retry_helps: whether the next try may find that put right by itself.
    """

    reason: str
    retry_helps: bool

    @classmethod
    def by(cls, error: AdGenError) -> Self:
        """Make it of the error with which a try fails at once where nothing was bought."""
        return cls(error.message, error.retry_helps)

    @classmethod
    def of(cls, value: Mapping[str, Any] | None) -> Self | None:
        """Read it from a frozen list, or from the notes of a leg."""
        return cls(str(value["reason"]), bool(value["retry_helps"])) if value else None

    @property
    def short(self) -> str:
        """Its first line, as the reason of an item that was not submitted."""
        return f"this try buys nothing. {self.reason.splitlines()[0]}"
