# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a vendor decides about accounts and jobs, without HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.sandbox.engine.settings import COMMON, MEDIA, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class VendorRules:
    """The name, settings and job rules of one vendor: all that the state and the handlers need."""

    name: ClassVar[str]
    prefix: ClassVar[str]
    default_key: ClassVar[str]
    # Its own settings and their defaults, besides settings.COMMON.
    settings: ClassVar[Mapping[str, Any]] = {}
    # How many seconds a job typically takes, by its kind.
    seconds: ClassVar[Mapping[str, float]]
    # The ends of a job that give its credits back: only what is documented.
    refunded: ClassVar[frozenset[str]] = frozenset()

    # The code of a 429 for too many running jobs; None: that of any 429.
    active_code: ClassVar[str | None] = None

    # The settings of the sandbox; set by the state that the vendor is added to.
    current: Settings

    def setting(self, name: str) -> Any:
        """Return one of the vendor's settings."""
        return self.current.get(self.name, name)

    def key_of(self, account: str) -> str:
        """Make a key for another account."""
        return f"{self.default_key}_{account}"

    def fixtures(self, account: str) -> list[tuple[str, str, dict[str, Any]]]:
        """List the documents (kind, id, data) of a new account: what requests name and no endpoint creates."""
        return []


def default_settings(vendors: Iterable[VendorRules]) -> dict[str, dict[str, Any]]:
    """Return every setting with its default, by section. Comments where they are defined explain them."""
    return {"media": dict(MEDIA)} | {vendor.name: {**COMMON, **vendor.settings} for vendor in vendors}
