# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo in the words that all vendors share: submit, fetch, list of jobs, status words, promises about money."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pendulum

from airflow_provider_adgen.core.calls import Answer, Call, Sequence
from airflow_provider_adgen.core.endpoint import Endpoint
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.reading import (
    as_link,
    as_links,
    as_text,
    file_kind,
    is_link,
    is_word,
    other_fields,
    unwrapped,
)
from airflow_provider_adgen.core.requests import checked
from airflow_provider_adgen.core.vendor import Assumption, Idempotency, Problem, Promises, Tracking, Vendor
from airflow_provider_adgen.core.vocabulary import (
    Creative,
    Credits,
    Generation,
    GenerationStatus,
    Kind,
)
from airflow_provider_adgen.vendors.adsumo import api
from airflow_provider_adgen.vendors.adsumo.assumptions import ASSUMPTIONS
from airflow_provider_adgen.vendors.adsumo.briefs import RECIPES
from airflow_provider_adgen.vendors.adsumo.models import GenerationItem, WebhookEvent
from airflow_provider_adgen.vendors.adsumo.requests import REQUESTS

if TYPE_CHECKING:
    from airflow_provider_adgen.core.briefs import Recipe
    from airflow_provider_adgen.core.requests import GenerationRequest

LINK_SECONDS = 3600
"""Result links are presigned and valid for one hour (pages Resources, Voiceovers)."""

_KIND_OF_TYPE: dict[str, Kind] = {"talking-avatar": "video", "ai-video": "video", "image": "image"}
_FILE_OF_KIND: dict[str, Literal["image", "video", "audio"]] = {"video": "video", "image": "image", "voice": "audio"}
# One link is documented; how several images come back is not, so likely places are read where there are any.
_SEVERAL = ("result_urls", "results", "images", "urls", "outputs")
_PLACED = (*_SEVERAL, "id", "generation_id", "error", "error_message")


class AdsumoVendor(Vendor):
    """Adsumo, API v1."""

    name: ClassVar[str] = "adsumo"
    title: ClassVar[str] = "Adsumo"
    default_base_url: ClassVar[str | None] = "https://www.adsumo.ai/api/v1"
    key_shapes: ClassVar[tuple[str, ...]] = (r"adsumo_sk_[\w\-]+",)
    requests: ClassVar[tuple[type[GenerationRequest], ...]] = REQUESTS
    recipes: ClassVar[tuple[Recipe, ...]] = RECIPES
    promises: ClassVar[Promises] = Promises(
        # 24 hours are documented; an hour is left for clocks that differ.
        idempotency=Idempotency(seconds=23 * 3600.0, longest_key=64),
        # Documented is 402: "no generation is started". The others are the documented refusals.
        nothing_started=frozenset({400, 401, 402, 403, 404, 409, 429}),
        inferred=frozenset({400, 401, 403, 404, 409, 429}),
        refunded=frozenset(),
        lists_jobs=True,
        # A generation in the list is a talking avatar, a video or an image.
        unlisted=frozenset({"voice"}),
    )
    tracking: ClassVar[Tracking] = Tracking(
        # A video of the webhook page's example took 150 s; nothing is said of images: 20 s are a guess.
        first_look={"image": 2.0, "video": 5.0},
        typical={"image": 20.0, "video": 150.0},
    )
    statuses: ClassVar[dict[str, GenerationStatus]] = {
        "processing": GenerationStatus.PROCESSING,
        "completed": GenerationStatus.COMPLETED,
        "failed": GenerationStatus.FAILED,
    }
    credits = staticmethod(api.get_credits)
    without: ClassVar[tuple[str, ...]] = ("face swap", "localization", "video edit", "image edit", "speech-to-speech")
    assumptions: ClassVar[tuple[Assumption, ...]] = ASSUMPTIONS

    # --- Vendor ---------------------------------------------------------------------------------------------------

    def read_problem(self, fields: dict[str, Any]) -> Problem:
        """Read ``{"error": {"code", "message"}}``."""
        said = fields.get("error")
        if not isinstance(said, dict):
            return Problem(said if isinstance(said, str) else "")
        message, code = as_text(said.get("message")) or "", as_text(said.get("code"))
        return Problem(
            message, code, as_text(said.get("request_id")), own_words=bool(message and is_word(said.get("code")))
        )

    def submit(self, request: GenerationRequest, idempotency_key: str | None) -> Call[Generation]:
        """Return the paid POST of *request*."""
        at = self.endpoint_of(request)

        def parse(answer: Answer) -> Generation:
            value, usual = unwrapped(at.object(answer)), "processing"
            if request.synchronous:
                value["result_url"], usual = value.pop("audio_url", None), "completed"
            item = at.model(GenerationItem, {**value, "status": as_text(value.get("status")) or usual})
            generation = self._generation(item, request.result_kind)
            if request.synchronous and generation.succeeded and not is_link(as_link(item.result_url)):
                # No endpoint gives it again: a voiceover without it is no result.
                raise at.unreadable("audio_url", "is missing")
            generation.credits = Credits(quoted=request.price())
            return generation

        return at.submit(parse, request.body(), {"Idempotency-Key": idempotency_key} if idempotency_key else None)

    def fetch(
        self, job_ids: list[str], kind: str | None = None, *, stream_seconds: float = 0.0
    ) -> Sequence[Generation]:
        """Ask ``GET /generations/{id}``; its result link is fresh for an hour."""
        item: GenerationItem = yield api.generation_item(job_ids[0])
        return self._generation(item, kind)

    def list_jobs(self) -> Sequence[None]:
        """Emit recent generations, a hundred per request. The order of the list is not documented."""
        return self.list_generations()

    def list_generations(
        self,
        *,
        type: Literal["talking-avatar", "ai-video", "image"] | None = None,  # noqa: A002 - the vendor's own name
        status: Literal["processing", "completed", "failed"] | None = None,
        limit: api.Limit = api.PAGE,
        offset: api.Offset = 0,
    ) -> Sequence[None]:
        """
        Iterate over the account's generations, all pages. ``GET /generations``.

        :param limit: generations per request, 1 to 100.
        :param offset: generations to skip.
        :raises InvalidRequest: a filter is not one of those.
        """
        query = checked(AdsumoVendor.list_generations, locals())
        return api.pages("/generations", lambda row, at: self._generation(at.model(GenerationItem, row), None), query)

    # --- translation ----------------------------------------------------------------------------------------------

    def _generation(self, item: GenerationItem, kind: str | None) -> Generation:
        told = _KIND_OF_TYPE.get(item.type or "") or kind
        made = told or "video"
        status = self.status(item.status)
        details = item.details if isinstance(item.details, dict) else {}
        extra = item.model_extra or {}
        links = as_links(item.result_url)
        several = [link for name in _SEVERAL for link in as_links(extra.get(name))]
        if not links or {_file(link) for link in links} < {_file(link) for link in several}:
            # Beside the one documented link there is a list that holds it and more: all of it is paid for.
            links = several
        error = extra.get("error_message") or extra.get("error")
        if isinstance(error, dict):
            error = error.get("message") or error.get("code")
        return Generation.model_validate(
            {
                "vendor": self.name,
                "id": item.id,
                "kind": made,
                "kind_guessed": told is None,
                "status": status,
                "creatives": [self._creative(link, made) for link in links]
                if status == GenerationStatus.COMPLETED
                else [],
                "created_at": item.created_at,
                "completed_at": item.completed_at,
                "error": str(error) if error else None,
                "details": {**({"type": item.type} if item.type else {}), **other_fields(item, *_PLACED), **details},
            }
        )

    def _creative(self, link: str, kind: str) -> Creative:
        return Creative(
            kind="archive" if file_kind(link) == "archive" else _FILE_OF_KIND.get(kind, "video"),
            url=link,
            expires_at=pendulum.now("UTC").add(seconds=LINK_SECONDS),
        )

    # --- webhooks -------------------------------------------------------------------------------------------------

    def verify_webhook(
        self, body: bytes | bytearray | memoryview | str, signature: str | None, secret: str
    ) -> WebhookEvent:
        """Check a notification's signature and read it; see :meth:`AdsumoHook.verify_webhook`."""
        if not isinstance(signature, str) or not signature.strip():
            raise InvalidRequest("The webhook has no X-Adsumo-Signature: do not trust it.")
        if not isinstance(body, bytes | bytearray | memoryview | str):
            raise InvalidRequest("The webhook's body must be the bytes that arrived, before anything read them.")
        # What cannot be encoded was never sent: it matches nothing.
        raw = body.encode(errors="replace") if isinstance(body, str) else bytes(body)
        expected = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.strip().encode(errors="replace")):
            raise InvalidRequest("The webhook's X-Adsumo-Signature does not match its body: do not trust it.")
        at = Endpoint(self.name, "webhook")
        return at.model(WebhookEvent, at.object(Answer(200, {}, raw)))


def _file(link: str) -> str:
    return link.split("?", 1)[0]


VENDOR = AdsumoVendor()
