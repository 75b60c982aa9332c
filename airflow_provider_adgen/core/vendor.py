# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What has to be said about a vendor so that everything else can work with it."""

from __future__ import annotations

import abc
import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.core.briefs import FilledBrief, make_request
from airflow_provider_adgen.core.endpoint import Endpoint
from airflow_provider_adgen.core.errors import NOTHING_SENT, ApiError, InsufficientCredits, InvalidRequest, error_class
from airflow_provider_adgen.core.requests import GenerationRequest, PostedRequest, build_request
from airflow_provider_adgen.core.scrub import register_key_shapes, scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_adgen.core.briefs import CannotMake, OpenBrief, Recipe, ShopProduct
    from airflow_provider_adgen.core.calls import Answer, Call, RateClass, Sequence
    from airflow_provider_adgen.core.decisions.rates import RateLimit
    from airflow_provider_adgen.core.vocabulary import CreditBalance, Generation, GenerationStatus


log = logging.getLogger(__name__)

_LONGEST_WORD = 80
_warned: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Idempotency:
    """
    What a vendor promises about a submission that is repeated with the same key.

    :param seconds: how long after the first submission a repeat is safe, a margin taken off.
    :param kinds: the request words it is safe for; None means all.
    :param longest_key: characters a key may have.
    :param while_running: what a repeat does while the first request may still be running is documented; otherwise it
        waits until the first one's deadline.
    """

    seconds: float
    kinds: frozenset[str] | None = None
    longest_key: int = 128
    while_running: bool = False

    def covers(self, kind: str) -> bool:
        """Whether requests of this word may be repeated."""
        return self.kinds is None or kind in self.kinds


@dataclass(frozen=True)
class Listed:
    """
    A job that a list shows, read only if somebody wants to know it: an answer may show all that an account ever made.

    :param id: the job's id.
    :param read: reads it; None where it cannot be read, which says nothing about the other jobs of the list.
    """

    id: str
    read: Callable[[], Generation | None] = field(repr=False)


def read_listed(job: Generation | Listed) -> Generation | None:
    """Return a job of a list; None where it cannot be read."""
    return job.read() if isinstance(job, Listed) else job


@dataclass(frozen=True)
class Promises:
    """
    What a vendor's documentation lets us rely on where money is concerned.

    :param idempotency: repeating a submission; None where the vendor has no keys.
    :param nothing_started: the error statuses of a submission after which no job exists.
    :param inferred: those of them of which no page says so. They are errors that the vendor documents as a refusal (of
        the request, the key, the account or the pace), and are taken to come before anything is started.
    :param refunded: the final statuses for which a refund is documented.
    :param lists_jobs: it can list jobs, so that a lost submission can be looked for.
    :param unlisted: the kinds of results whose jobs that list does not show.
    """

    idempotency: Idempotency | None = None
    nothing_started: frozenset[int] = frozenset()
    inferred: frozenset[int] = frozenset()
    refunded: frozenset[GenerationStatus] = frozenset()
    lists_jobs: bool = False
    unlisted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Problem:
    """
    What an error answer says, in the vendor's own words.

    :param message: the text.
    :param code: the machine-readable word.
    :param request_id: the vendor's id of the request.
    :param own_words: the answer had the shape that the vendor documents for its errors. Only then may an item of a
        batch be paid for at another account: a wrong address or a proxy says nothing of the request.
    """

    message: str = ""
    code: str | None = None
    request_id: str | None = None
    own_words: bool = False


@dataclass(frozen=True)
class Assumption:
    """Something the vendor's readable documentation does not say and we had to decide."""

    subject: str
    silent: str
    decided: str


def assumed(*rows: str) -> tuple[Assumption, ...]:
    """
    Return the assumptions about a vendor.

    :param rows: the rows of the table on its page: what it is about, what is not said, what was decided, with
        ``" | "`` in between.
    """
    return tuple(Assumption(*row.split(" | ")) for row in rows)


@dataclass(frozen=True)
class Tracking:
    """
    How a job of this vendor can be followed.

    :param first_look: seconds after submission before which a job of that kind is not worth asking for.
    :param typical: seconds that jobs of that kind usually take: documented, seen in an example, or a guess that stands
        among the vendor's assumptions.
    """

    first_look: Mapping[str, float] = field(default_factory=dict)
    typical: Mapping[str, float | tuple[float, float]] = field(default_factory=dict)


class Vendor(abc.ABC):
    """
    One vendor: its endpoints as data, its words translated, its promises about money.

    A subclass is the only place where anything of that vendor's API is written. Register an instance under the entry
    point group ``airflow_provider_adgen.vendors``; the entry's name is the connection type.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    default_base_url: ClassVar[str | None]
    requests: ClassVar[tuple[type[GenerationRequest], ...]]
    promises: ClassVar[Promises]
    tracking: ClassVar[Tracking] = Tracking()
    stream_seconds: ClassVar[float] = 0.0
    """Seconds for which one of its streams is worth holding open while waiting; 0 for a vendor without."""

    rate_limits: ClassVar[Mapping[RateClass, RateLimit]] = {}
    """Limits we keep by ourselves, because running into them costs more than a 429 (rationed streams)."""

    submit_ration: ClassVar[RateLimit | None] = None
    """How many submissions it lets through, where its pages say so; only to tell how long many of them need."""

    tells_in_flight_limit: ClassVar[bool] = False
    """Its balance says how many jobs an account may have under way."""

    statuses: ClassVar[Mapping[str, GenerationStatus]]
    likely_statuses: ClassVar[frozenset[str]] = frozenset()
    """Words of :attr:`statuses` that are on no page: likely, because other APIs have them."""

    without: ClassVar[tuple[str, ...]] = ()
    """What the vendor's pages mention and do not describe, as far as they can be read: there is no request for it."""

    assumptions: ClassVar[tuple[Assumption, ...]] = ()
    key_form: ClassVar[str] = "API key"
    key_shapes: ClassVar[tuple[str, ...]] = ()
    """Regular expressions for its keys: what matches is taken out of every text that leaves this package."""

    dashboard: ClassVar[str | None] = None
    """The path of its dashboard below the base URL; None where no page says where it is."""

    recipes: ClassVar[tuple[Recipe, ...]] = ()
    """How it makes briefs, in order of preference; a vendor without any makes none."""

    auth_schemes: ClassVar[tuple[str, ...]] = ("bearer",)
    """What a connection's extra may name as ``auth``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register_key_shapes(*cls.key_shapes)

    # --- what every vendor says -----------------------------------------------------------------------------------

    def auth_headers(self, key: str, auth: str | None = None) -> dict[str, str]:
        """
        Return the headers that authenticate a request.

        :param key: the key.
        :param auth: one of :attr:`auth_schemes`, where the connection names one.
        """
        return {"Authorization": f"Bearer {key}"}

    def problem(self, answer: Answer) -> Problem:
        """Read an error answer; never raises."""
        try:
            value = answer.json()
        except ValueError:  # an error page of a proxy: the status alone must do
            value = None
        problem = (
            self.read_problem(value) if isinstance(value, dict) else Problem(value if isinstance(value, str) else "")
        )
        return replace(problem, request_id=problem.request_id or answer.headers.get("x-request-id"))

    @abc.abstractmethod
    def read_problem(self, fields: dict[str, Any]) -> Problem:
        """
        Read the JSON object of an error answer; must never raise.

        What else may say what is wrong is read, too; ``own_words`` says whether it has the documented shape.
        """

    @abc.abstractmethod
    def submit(self, request: GenerationRequest, idempotency_key: str | None) -> Call[Generation]:
        """Return the one paid call that starts *request*."""

    @abc.abstractmethod
    def fetch(
        self, job_ids: list[str], kind: str | None = None, *, stream_seconds: float = 0.0
    ) -> Sequence[Generation]:
        """
        Ask for one generation, all its jobs included; links in it are fresh.

        :param job_ids: the jobs.
        :param kind: kind of the result, for vendors that do not say it of a job.
        :param stream_seconds: seconds for which a vendor with streams may hold one open; others answer at once.
        """

    def poll(
        self, job_ids: list[str], kind: str | None = None, *, stream_seconds: float = 0.0
    ) -> Sequence[Generation | GenerationStatus | str]:
        """
        Ask whether a generation is finished; return it, or, while it is not, what is read sooner: its status alone.

        The parameters are those of :meth:`fetch`, which does where an answer is read quickly, or many jobs at once.
        """
        return self.fetch(job_ids, kind, stream_seconds=stream_seconds)

    @abc.abstractmethod
    def credits(self) -> Call[CreditBalance]:
        """Ask for the account's balance."""

    def check(self) -> Call[Any]:
        """Return a call that costs nothing and succeeds only with a valid key."""
        return self.credits()

    def warn(self, key: str, now: float) -> str | None:
        """Return a warning about the key itself (one that is about to expire), if there is one."""
        return None

    # --- what some vendors can do ---------------------------------------------------------------------------------

    def list_jobs(self) -> Sequence[None] | None:
        """
        Emit the account's recent jobs, many per request; None where it cannot.

        Each is a :class:`Generation`, or a :class:`Listed` where reading all that a request shows would take long.
        """
        return None

    def why_unlisted(self, kind: str | None) -> str | None:
        """Return why its list cannot show a lost submission of a kind of result, as a sentence; None where it can."""
        if not self.promises.lists_jobs:
            return f"{self.title} cannot list its jobs."
        return f"{self.title}'s list of jobs shows none of kind {kind}." if kind in self.promises.unlisted else None

    def request_for(self, brief: FilledBrief | OpenBrief, product: ShopProduct) -> dict[str, Any] | CannotMake:
        """
        Return the request that makes a brief, as :meth:`parse_request` takes it, or why there is none.

        A field that the brief states and no request takes is a reason; nothing is left out in silence. The request may
        hold ``{"of_product": ...}`` where the vendor's own id of the product has to go; see
        :func:`.briefs.with_vendor_ids`.

        :param brief: what is asked for: a ``Brief`` with at most one locale and one format, or one that is filled in
            for a creative.
        :param product: what it is about.
        :raises InvalidRequest: a ``Brief`` is for several locales or formats, names a column that the product lacks, or
            a text of it is empty for this product.
        """
        filled = brief if isinstance(brief, FilledBrief) else brief.fill(product, self.name)
        return make_request(self.title, self.recipes, filled, product)

    # --- shared by all --------------------------------------------------------------------------------------------

    def status(self, word: Any) -> GenerationStatus | str:
        """Translate a status word; an unknown word is kept as it came, and warned about once."""
        known = self.statuses.get(self.spelled(str(word)))
        if known is not None:
            return known
        text = scrub(str(word), longest=_LONGEST_WORD)
        if (self.name, text) not in _warned:
            _warned.add((self.name, text))
            log.warning(
                "%s says a job is %r, a word that is not documented: it counts as not finished.", self.title, text
            )
        return text

    def spelled(self, word: str) -> str:
        """Return a status word as it is spelled in :attr:`statuses`."""
        return word.strip().lower()

    def request_class(self, kind: str) -> type[GenerationRequest]:
        """
        Return the request class for a word.

        :raises InvalidRequest: this vendor has no such request.
        """
        for model in self.requests:
            if model.kind == kind:
                return model
        known = ", ".join(model.kind for model in self.requests)
        raise InvalidRequest(f"{self.title} has no request of kind {kind!r}; it has: {known}.", advice=NOTHING_SENT)

    def parse_request(self, value: Mapping[str, Any]) -> GenerationRequest:
        """
        Validate a JSON request ``{"kind": ..., ...}``.

        :raises InvalidRequest: the kind is missing or unknown, or a field is wrong.
        """
        fields = dict(value)
        kind = fields.pop("kind", None)
        if not isinstance(kind, str):
            known = ", ".join(model.kind for model in self.requests)
            raise InvalidRequest(f'A request needs a "kind"; {self.title} has: {known}.', advice=NOTHING_SENT)
        return build_request(self.request_class(kind), fields)

    def endpoint_of(self, request: GenerationRequest) -> Endpoint:
        """
        Return the endpoint that *request* is posted to.

        :raises InvalidRequest: it is another vendor's.
        """
        if not isinstance(request, PostedRequest) or not isinstance(request, self.requests):
            raise InvalidRequest(f"{self.title} has no request {type(request).__name__}.", advice=NOTHING_SENT)
        return Endpoint(self.name, f"POST {request.path}")

    def error(self, answer: Answer, endpoint: str, *secrets: str, retry_after: float | None = None) -> ApiError:
        """Return the error for an answer with an error status."""
        problem = self.problem(answer)
        said = scrub(problem.message, *secrets).strip()
        cls = error_class(answer.status)
        fields: dict[str, Any] = {
            "vendor": self.name,
            "endpoint": endpoint,
            "status": answer.status,
            "code": scrub(problem.code, *secrets, longest=80) if problem.code else None,
            "request_id": scrub(problem.request_id, *secrets, longest=120) if problem.request_id else None,
            "retry_after": retry_after,
            "own_words": problem.own_words,
            "advice": _HINTS.get(answer.status, ""),
        }
        text = f"{self.title} answered {answer.status} to {endpoint}"
        if fields["code"]:
            text += f" ({fields['code']})"
        text += f": {said}" if said else "."
        if text[-1] not in ".!?…":
            text += "."
        if fields["request_id"]:
            text += f" {REQUEST_ID} {fields['request_id']}."
        if answer.status == 402 and answer.status in self.promises.nothing_started - self.promises.inferred:
            text += " Nothing was started."
        if cls is InsufficientCredits:
            fields["required"] = _amount(_REQUIRED, said)
            fields["available"] = _amount(_AVAILABLE, said)
        return cls(text, **fields)


REQUEST_ID = "Request id:"
"""What stands before a vendor's id of a request in the message of an error."""

_HINTS = {
    401: "Check the connection's password: the key is missing, wrong, revoked or expired.",
    402: "Top up the account, or ask for less.",
    403: "The key is valid but may not do this: check the account's plan and state.",
}
_REQUIRED = re.compile(r"required[^0-9]{0,20}(\d+)", re.IGNORECASE)
_AVAILABLE = re.compile(r"available[^0-9]{0,20}(\d+)", re.IGNORECASE)


def _amount(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None
