# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One endpoint of a vendor's API, said once: it builds its calls, names itself in messages, and reads its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from airflow_provider_adgen.core.calls import Answer, Call, Event, RateClass, Stream
from airflow_provider_adgen.core.errors import NOTHING_SENT, InvalidRequest, UnexpectedResponse
from airflow_provider_adgen.core.reading import unwrapped
from airflow_provider_adgen.core.requests import identifier

T = TypeVar("T")
E = TypeVar("E")
M = TypeVar("M", bound=BaseModel)


class Endpoint:
    """
    One endpoint.

    :param vendor: the vendor's name, for messages.
    :param label: method and path; ids in the path are named in braces: ``GET /products/{id}``.
    """

    __slots__ = ("_path", "label", "method", "vendor")

    def __init__(self, vendor: str, label: str) -> None:
        self.vendor = vendor
        self.label = label
        self.method, _, self._path = label.partition(" ")

    # --- calls ----------------------------------------------------------------------------------------------------

    def call(self, parse: Callable[[Answer], T], *ids: Any, **options: Any) -> Call[T]:
        """
        Return a call.

        :param parse: reads a successful answer.
        :param ids: what stands for the braces of the path, in their order.
        :param options: further fields of :class:`Call`: ``query``, ``body``, ``headers``, ``repeatable``.
        :raises InvalidRequest: an id is empty, or cannot be a part of a path.
        """
        return Call(method=self.method, path=self._filled(ids), endpoint=self.label, parse=parse, **options)

    def get(self, model: type[M], *ids: Any, inside: tuple[str, ...] = (), **options: Any) -> Call[M]:
        """
        Return a call whose answer is one *model*, bare or wrapped.

        :param inside: names of the wrapping, beside ``data``.
        """
        return self.call(lambda answer: self.model(model, unwrapped(self.object(answer), *inside)), *ids, **options)

    def submit(
        self, parse: Callable[[Answer], T], body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Call[T]:
        """Return the paid call that starts a generation: it is sent once, and never repeated by the wire."""
        return self.call(parse, body=body, headers=headers or {}, rate_class=RateClass.SUBMIT, paid=True)

    def stream(self, read: Callable[[Event], E | None], query: Mapping[str, Any]) -> Stream[E]:
        """Return a stream of server-sent events."""
        return Stream(path=self._path, endpoint=self.label, read=read, query=query)

    def _filled(self, ids: tuple[Any, ...]) -> str:
        head, *rest = self._path.split("{")
        return head + "".join(_part(one) + after.partition("}")[2] for one, after in zip(ids, rest, strict=True))

    # --- answers --------------------------------------------------------------------------------------------------

    def json(self, answer: Answer) -> Any:
        """
        Return an answer's JSON.

        :raises UnexpectedResponse: it is not JSON.
        """
        try:
            return answer.json()
        except ValueError:
            raise self.unreadable("", "is not JSON") from None

    def object(self, answer: Answer) -> dict[str, Any]:
        """
        Return an answer's JSON object.

        :raises UnexpectedResponse: it is not a JSON object.
        """
        value = self.json(answer)
        if not isinstance(value, dict):
            raise self.unreadable("", "is not a JSON object")
        return value

    def model(self, model: type[M], value: Any) -> M:
        """
        Validate a JSON value into a response model.

        :raises UnexpectedResponse: it lacks a field that the model needs, naming the first.
        """
        try:
            return model.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            raise self.unreadable(name, f"is wrong ({first['msg']})") from None
        except RecursionError:
            raise self.unreadable("", "is too deeply nested") from None

    def rows(self, value: Any, name: str = "data") -> list[Any]:
        """
        Return the items of a list, bare or under *name*.

        :raises UnexpectedResponse: it is not a list.
        """
        rows = value.get(name) if isinstance(value, dict) else value
        if not isinstance(rows, list):
            raise self.unreadable(name, "is not a list")
        return rows

    def unreadable(self, name: str, why: str) -> UnexpectedResponse:
        """Return the error for an answer that lacks what we need."""
        return UnexpectedResponse(
            f"{self.vendor} answered {self.label} with something this package cannot read: {name or 'the body'} {why}.",
            vendor=self.vendor,
            endpoint=self.label,
            field=name,
        )


def row_of(model: type[M]) -> Callable[[Any, Endpoint], M]:
    """Return a reader of a list's row."""
    return lambda value, at: at.model(model, value)


def _part(value: Any) -> str:
    try:
        return quote(identifier(value), safe="")
    except UnicodeEncodeError:
        raise InvalidRequest("An id must be readable text.", advice=NOTHING_SENT) from None
