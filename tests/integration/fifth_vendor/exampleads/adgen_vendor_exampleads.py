# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Example Ads, an invented vendor: all that has to be known of its API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from airflow_provider_adgen.core.briefs import Recipe
from airflow_provider_adgen.core.endpoint import Endpoint
from airflow_provider_adgen.core.reading import JobId
from airflow_provider_adgen.core.requests import GenerationRequest
from airflow_provider_adgen.core.vendor import Assumption, Problem, Promises, Vendor
from airflow_provider_adgen.core.vocabulary import (
    Creative,
    CreditBalance,
    Credits,
    Generation,
    GenerationStatus,
    Kind,
    Model,
)

if TYPE_CHECKING:
    from airflow_provider_adgen.core.calls import Answer, Call, Sequence

endpoint = partial(Endpoint, "exampleads")


class Banner(GenerationRequest):
    """
    One picture. ``POST /ads``, 2 credits.

    :param headline: at most 80 characters.
    :param shape: ``square`` (default) or ``story``.
    """

    kind: ClassVar[str] = "banner"
    result_kind: ClassVar[Kind] = "image"

    headline: Annotated[str, Field(min_length=1, max_length=80)]
    shape: Literal["square", "story"] = "square"

    def documented_price(self) -> int | None:
        """Return 2: the documented price of a banner."""
        return 2


class Ad(Model):
    """What the vendor answers. Only what we cannot do without is required."""

    id: JobId  # a text or a number
    state: str
    file: str | None = Field(default=None, repr=False)
    reason: str | None = None
    cost: int | None = None


class Wallet(Model):
    """``GET /wallet``."""

    credits: int


class ExampleAds(Vendor):
    """Example Ads, API v1."""

    name: ClassVar[str] = "exampleads"
    title: ClassVar[str] = "Example Ads"
    default_base_url: ClassVar[str | None] = "https://api.ads.example/v1"
    key_shapes: ClassVar[tuple[str, ...]] = (r"exads_[0-9a-z]+",)
    requests: ClassVar[tuple[type[GenerationRequest], ...]] = (Banner,)
    recipes: ClassVar[tuple[Recipe, ...]] = (Recipe("image", Banner, {"prompt": "headline"}),)
    statuses: ClassVar[dict[str, GenerationStatus]] = {
        "waiting": GenerationStatus.QUEUED,
        "drawing": GenerationStatus.PROCESSING,
        "done": GenerationStatus.COMPLETED,
        "error": GenerationStatus.FAILED,
    }
    # Only what the vendor's documentation says. What it is silent about is not promised.
    promises: ClassVar[Promises] = Promises(
        idempotency=None,
        nothing_started=frozenset({400, 401, 402, 429}),
        refunded=frozenset({GenerationStatus.FAILED}),
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        Assumption("links", "Whether they expire is not stated.", "One that is refused is asked for anew."),
    )

    def auth_headers(self, key: str, auth: str | None = None) -> dict[str, str]:
        """Return the header with the key."""
        return {"X-Api-Key": key}

    def read_problem(self, fields: dict[str, Any]) -> Problem:
        """Read ``{"message": ...}``; whatever else comes, this must not raise."""
        message = str(fields.get("message") or "")
        return Problem(message, own_words=fields.keys() == {"message"} and bool(message))

    def submit(self, request: GenerationRequest, idempotency_key: str | None) -> Call[Generation]:
        """Return the one call that spends credits."""
        at = endpoint("POST /ads")
        return at.submit(lambda answer: self._generation(answer, at), request.body())

    def fetch(
        self, job_ids: list[str], kind: str | None = None, *, stream_seconds: float = 0.0
    ) -> Sequence[Generation]:
        """Ask for one job."""
        at = endpoint("GET /ads/{id}")
        generation: Generation = yield at.call(lambda answer: self._generation(answer, at), job_ids[0])
        return generation

    def credits(self) -> Call[CreditBalance]:
        """Ask for the balance."""
        at = endpoint("GET /wallet")
        return at.call(lambda answer: CreditBalance(remaining=at.model(Wallet, at.object(answer)).credits))

    def _generation(self, answer: Answer, at: Endpoint) -> Generation:
        ad = at.model(Ad, at.object(answer))
        return Generation(
            vendor=self.name,
            id=ad.id,
            kind="image",
            status=self.status(ad.state),
            creatives=[Creative(kind="image", url=ad.file)] if ad.file else [],
            credits=Credits(charged=ad.cost),
            error=ad.reason,
        )


VENDOR = ExampleAds()
