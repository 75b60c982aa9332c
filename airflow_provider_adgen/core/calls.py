# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
How an endpoint is written down, once, for both wires.

Three kinds suffice: a :class:`Call` is one request and how to read its answer; a *sequence* is a generator that yields
calls and receives what they parsed to, for what takes several requests (pages, upload then finalise); a
:class:`Stream` is one request whose answer is a stream of server-sent events. Nothing here does any I/O.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any, Generic, TypeVar

from airflow_provider_adgen.core import safe_json
from airflow_provider_adgen.core.errors import UnexpectedResponse, WireError

T = TypeVar("T")
E = TypeVar("E")


class RateClass(StrEnum):
    """Endpoint classes with a rate budget of their own."""

    SUBMIT = "submit"
    STREAM = "stream"
    READ = "read"


@dataclass(frozen=True)
class Answer:
    """
    A whole answer. Header names are lower case; the body never shows in a repr.

    :param status: HTTP status.
    :param headers: headers, names in lower case.
    :param content: the body.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    def json(self) -> Any:
        """
        Return the body as JSON that can be stored and passed on; see :func:`.safe_json.loads`.

        :raises ValueError: it is not JSON.
        """
        return safe_json.loads(self.content, self.headers.get("content-type", ""))

    @property
    def text(self) -> str:
        """The body as text."""
        return safe_json.decoded(self.content, self.headers.get("content-type", ""))

    @property
    def normalized(self) -> str:
        """The body's JSON, written again so that no escape hides a link from being scrubbed; else its text."""
        try:
            return json.dumps(self.json(), ensure_ascii=False)
        except ValueError:
            return self.text


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return an answer's headers by name in lower case; those that are repeated are joined by commas."""
    found: dict[str, str] = {}
    for raw, value in headers:
        name = raw.decode("ascii", "replace").lower()
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


@dataclass(frozen=True)
class FileBody:
    """
    A body read from a file; opened anew for each attempt, and read in a thread by the asynchronous wire.

    :param open: returns a binary file at its start.
    :param size: bytes, sent as Content-Length.
    """

    open: Callable[[], IO[bytes]] = field(repr=False)
    size: int


@dataclass(frozen=True)
class Multipart:
    """
    A multipart/form-data body with one file.

    :param name: the form field.
    :param file_name: the name told to the vendor.
    :param content_type: MIME type of the file.
    :param file: the content.
    """

    name: str
    file_name: str
    content_type: str
    file: FileBody


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """
    One request and how to read its answer.

    :raises InvalidRequest: the body cannot be encoded.
    :param method: HTTP method.
    :param path: path below the connection's base URL.
    :param endpoint: method and path template for messages, without ids.
    :param parse: turns a successful answer into a value, or raises ``UnexpectedResponse``.
    :param query: query parameters; None values are left out.
    :param body: a JSON value, a :class:`FileBody`, a :class:`Multipart`, or None. A JSON value is encoded at once, so
        that what cannot be sent is refused before anybody relies on it being sent.
    :param headers: further headers.
    :param rate_class: the rate budget it counts against.
    :param paid: it spends credits: a fresh connection, no redirect, never repeated by the wire.
    :param collects: a paid call that is sent again only to collect its answer: the vendor documents that it does not
        pay again.
    :param repeatable: the wire may send it again after a failure. Defaults to true for GET.
    :param foreign_url: a full URL on another host (a storage upload): sent without the vendor's auth and headers.
    """

    method: str
    path: str
    endpoint: str
    parse: Callable[[Answer], T] = field(repr=False)
    query: Mapping[str, Any] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_class: RateClass = RateClass.READ
    paid: bool = False
    collects: bool = False
    repeatable: bool | None = None
    foreign_url: str | None = field(default=None, repr=False)
    payload: bytes | FileBody | Multipart | None = field(init=False, repr=False)
    """What is sent as the body."""

    def __post_init__(self) -> None:
        if self.paid and self.method == "GET":
            raise ValueError("A paid call is no GET: a GET may be sent twice.")
        ready = self.body is None or isinstance(self.body, FileBody | Multipart)
        object.__setattr__(self, "payload", self.body if ready else safe_json.dumps(self.body, self.endpoint))

    @property
    def may_repeat(self) -> bool:
        """Whether the wire may send it again after a failure."""
        if self.paid:
            return False
        return self.method == "GET" if self.repeatable is None else self.repeatable


@dataclass(frozen=True)
class Emit(Generic[T]):
    """Items that a sequence hands to whoever iterates over it."""

    items: Iterable[T]


@dataclass(frozen=True)
class AccountState:
    """A step of a sequence that is answered with the account's state: a dictionary that the process keeps for it."""


Sequence = Generator[Any, Any, T]
"""A generator that yields :class:`Call`, :class:`Listen`, :class:`AccountState` (and receives what came of each) or
:class:`Emit`."""


def gathered(steps: Sequence[None]) -> Sequence[list[Any]]:
    """
    Run a sequence inside another one, and return all that it emits.

    :param steps: a sequence that lists things.
    """
    found: list[Any] = []
    try:
        order = next(steps)
        while True:
            if isinstance(order, Emit):
                found += order.items
                order = next(steps)
                continue
            try:
                answer = yield order
            except Exception as error:  # the list decides what a refused page means
                order = steps.throw(error)
            else:
                order = steps.send(answer)
    except StopIteration:
        return found


@dataclass(frozen=True)
class Event:
    """One server-sent event: its name and its data, the data kept out of reprs; both are made safe."""

    name: str
    data: str = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", safe_json.clean_text(self.name))
        object.__setattr__(self, "data", safe_json.clean_text(self.data))

    def json(self) -> Any:
        """
        Return the data as JSON that can be stored and passed on; see :func:`.safe_json.loads`.

        :raises ValueError: it is not JSON.
        """
        return safe_json.loads(self.data)


@dataclass(frozen=True, kw_only=True)
class Stream(Generic[E]):
    """
    One request answered by server-sent events.

    :param path: path below the connection's base URL.
    :param endpoint: method and path template for messages.
    :param read: turns an event into what is yielded; None skips the event.
    :param query: query parameters.
    """

    path: str
    endpoint: str
    read: Callable[[Event], E | None] = field(repr=False)
    query: Mapping[str, Any] = field(default_factory=dict, repr=False)
    rate_class: RateClass = RateClass.STREAM


@dataclass(frozen=True)
class Listen(Generic[E]):
    """
    A step of a sequence that follows a stream for a while; what the stream yielded is sent back as a list.

    A stream that breaks after it yielded something counts as one that ended. A rate limit is waited for within half of
    the time; a longer one is :class:`RateLimited`, and nothing is sent.

    :param stream: what to open.
    :param seconds: how long to listen at most.
    :param enough: tells by the latest item that the end is near.
    :param linger: how long to go on listening after that, for what a vendor may say at the very end.
    """

    stream: Stream[E]
    seconds: float
    enough: Callable[[E], bool] = field(repr=False)
    linger: float = 0.0


@dataclass(frozen=True)
class Request:
    """One request, ready to send; only method and endpoint show in a repr."""

    method: str
    endpoint: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)


def broken(endpoint: str, what: str | None, *, sent: bool) -> WireError:
    """
    Return the error for a request without an answer.

    :param what: what happened, without a URL; None if it took too long.
    :param sent: whether any byte of the request may have gone out.
    """
    if what is None:
        return WireError(f"No answer to {endpoint}: it took too long.", sent=sent)
    if sent:
        return WireError(f"The connection broke during {endpoint} ({what}).", sent=True)
    return WireError(f"Could not connect for {endpoint} ({what}); nothing was sent.", sent=False)


def too_long(endpoint: str, longest: int) -> UnexpectedResponse:
    """
    Return the error for an answer that is longer than we are willing to hold.

    :param longest: bytes that it may have.
    """
    return UnexpectedResponse(
        f"The answer to {endpoint} is larger than {longest >> 20} MB and was not read.", endpoint=endpoint
    )


def nothing(_answer: Answer) -> None:
    """Parse an answer whose body says nothing (204)."""


def query_text(value: Any) -> str:
    """Return a query parameter as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
