# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a vendor defines so that the engine can serve its API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.routing import compile_path

from airflow_provider_adgen.sandbox.engine.answers import Answer, Refusal
from airflow_provider_adgen.sandbox.engine.rules import VendorRules

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.jobs import Job
    from airflow_provider_adgen.sandbox.engine.limits import Window
    from airflow_provider_adgen.sandbox.engine.state import State
    from airflow_provider_adgen.sandbox.media.artwork import Artwork, Blob

Handler = Callable[["Call"], Answer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route.

    :param rate_class: the class of endpoint that a rate limit counts.
    :param public: whether it answers without a key.
    """

    method: str
    path: str
    handler: Handler
    rate_class: str = "read"
    public: bool = False


class Routes:
    """Finds the endpoint of a path."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._exact: dict[str, dict[str, Endpoint]] = {}
        self._patterns: list[tuple[re.Pattern[str], Endpoint]] = []
        for endpoint in endpoints:
            if "{" in endpoint.path:
                self._patterns.append((compile_path(endpoint.path)[0], endpoint))
            else:
                self._exact.setdefault(endpoint.path, {})[endpoint.method] = endpoint

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        """Return the endpoint and the path's parameters.

        :raises Refusal: 404 when there is no such path, 405 when it has other methods.
        """
        known = False
        methods = self._exact.get(path)
        if methods is not None:
            known = True
            if method in methods:
                return methods[method], {}
        for pattern, endpoint in self._patterns:
            match = pattern.match(path)
            if match is not None:
                known = True
                if endpoint.method == method:
                    return endpoint, match.groupdict()
        if known:
            raise Refusal(405, f"{method} is not allowed here")
        raise Refusal(404, "There is no such endpoint")


class Vendor(VendorRules, ABC):
    """One vendor's API. A subclass is the only place that knows its rules."""

    # The documented name of the idempotency header; None where there is none.
    idempotency_header: ClassVar[str | None] = None
    # What an account is told that may not use the API.
    forbidden: ClassVar[str] = "This account may not use the API"

    def __init__(self) -> None:
        self.routes = Routes(self.endpoints())

    @abstractmethod
    def endpoints(self) -> Sequence[Endpoint]:
        """List the routes, relative to the prefix."""

    @abstractmethod
    def envelope(self, refusal: Refusal) -> Any:
        """Put the vendor's error envelope around a refusal."""

    @abstractmethod
    def drawn(self, job: Job, name: str) -> Artwork | None:
        """Return what a job's file shows; None when there is no such file."""

    def kept(self, state: State, owner: str, name: str) -> Artwork | Blob | None:
        """Return a file that belongs to no job; None when there is no such file."""
        return None

    def artwork(self, state: State, owner: str, name: str) -> Artwork | Blob | None:
        """Return what a media path ``/media/<vendor>/<owner>/<name>`` shows; None when there is no such file."""
        job = state.jobs.get(self.name, owner)
        return self.kept(state, owner, name) if job is None else self.drawn(job, name)

    def token(self, headers: Mapping[str, str]) -> str | None:
        """Read the credential from a request: a bearer token unless the vendor says otherwise."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    def limit_headers(self, window: Window) -> dict[str, str]:
        """Return the rate limit headers of every answer; none unless documented."""
        return {}

    def event(self, state: State, job: Job, base_url: str) -> dict[str, Any] | None:
        """Return the webhook body for a job's end; None where no webhooks are documented."""
        return None

    def signature(self, secret: str, body: bytes) -> dict[str, str]:
        """Return the headers that sign a webhook."""
        return {}

    def replayed(self, answer: Answer, same_request: bool, call: Call) -> Answer:
        """Return the answer to a repeated idempotency key: the first one, unless the vendor says otherwise."""
        return answer

    def uploaded(self, state: State, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Accept a presigned upload with a valid signature; 404 where a vendor has no uploads."""
        return Answer(404, body=b"", content_type="text/plain")
