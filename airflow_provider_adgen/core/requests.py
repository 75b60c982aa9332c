# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What every generation request has: a word for JSON, a kind of result, a price, a body."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from airflow_provider_adgen.core.errors import NOTHING_SENT, InvalidRequest
from airflow_provider_adgen.core.vocabulary import Generation, Kind


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    return value


def _integral(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an http(s) URL is needed")
    return value


def _https_address(value: str) -> str:
    if urlsplit(_web_address(value)).scheme != "https":
        raise ValueError("an https URL is needed")
    return value


Text = Annotated[str, Field(min_length=1)]
"""A string that says something."""

Count = Annotated[int, BeforeValidator(_no_bool)]
"""A whole number; a templated string of digits is one."""

Number = Annotated[int | float, BeforeValidator(_no_bool), AfterValidator(_integral), Field(allow_inf_nan=False)]
"""A number; whole ones are sent without a decimal point."""

WebUrl = Annotated[str, AfterValidator(_web_address)]
"""An http(s) URL."""

HttpsUrl = Annotated[str, AfterValidator(_https_address)]
"""An https URL."""

Ratio = Annotated[str, Field(pattern=r"^[1-9]\d{0,3}:[1-9]\d{0,3}$")]
"""An aspect ratio such as ``9:16``."""


def without_protected(fields: dict[str, Any], protected: Mapping[str, str]) -> dict[str, Any]:
    """
    Return *fields*.

    :param protected: names that they must not hold, and why.
    :raises ValueError: they hold one.
    """
    named = sorted(set(protected) & set(fields))
    if named:
        raise ValueError(f"must not hold {', '.join(named)}: {protected[named[0]]}")
    return fields


class GenerationRequest(BaseModel):
    """
    One paid generation, checked against the vendor's documented rules before anything is sent.

    Subclasses declare the vendor's own fields. Templated numbers arrive as strings, so validation is lax; unknown
    names are refused, because a misspelt field would be paid for. ``extra_fields`` is sent along as it is. What stands
    in it under the name of a field, ours or the vendor's, replaces that field: it is not validated, and the price of
    the request is then not known. So a value that is newer than this package can be used.

    :param extra_fields: fields that the vendor has and its readable documentation does not show, and fields to replace.
    """

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, populate_by_name=True, str_strip_whitespace=True
    )

    kind: ClassVar[str]
    """The word for JSON: ``{"kind": ...}``."""

    result_kind: ClassVar[Kind]
    """What the generation results in."""

    synchronous: ClassVar[bool] = False
    """The result arrives in the answer to the submission, and no endpoint is documented that gives it again."""

    askable: ClassVar[bool] = False
    """Although the result is not given again, the vendor can be asked what became of a synchronous job."""

    protected: ClassVar[Mapping[str, str]] = {}
    """Names that ``extra_fields`` must not hold, and why."""

    extra_fields: dict[str, Any] = Field(default_factory=dict, repr=False)

    @field_validator("extra_fields")
    @classmethod
    def _holds_nothing_protected(cls, value: dict[str, Any]) -> dict[str, Any]:
        return without_protected(value, cls.protected)

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        if not self.overrides:
            self.check_rules()
        return self

    def check_rules(self) -> None:
        """
        Check what the vendor documents about several fields together; not called where one of them is replaced.

        :raises ValueError: a rule is broken.
        """

    @property
    def overrides(self) -> tuple[str, ...]:
        """The fields that ``extra_fields`` replaces."""
        return _replaced(type(self), self.extra_fields)

    def price(self) -> int | None:
        """Return the documented price in whole credits; None where none is documented, or a field is replaced."""
        return None if self.overrides else self.documented_price()

    def documented_price(self) -> int | None:
        """Return the documented price of what the fields say; None where none is documented."""
        return None

    def expected_files(self) -> int | None:
        """Return how many files this request asks for; None where it does not say a number."""
        return None

    def body(self) -> dict[str, Any]:
        """Return the JSON body in the vendor's own names: what was not set is not sent."""
        unsent = {"extra_fields", *self.overrides}
        # As Python has it: what JSON lacks is refused by name when the call is made, not turned into something else.
        sent = self.model_dump(by_alias=True, exclude_none=True, exclude=unsent)
        renamed = {_wire_name(type(self), name): value for name, value in self.extra_fields.items()}
        # The vendor's own name counts more than ours.
        further = {name: self.extra_fields.get(name, value) for name, value in renamed.items()}
        return {**sent, **further}


class PostedRequest(GenerationRequest):
    """
    A request with an endpoint of its own. The first line of a class says its class variables.

    ::

        class Banner(PostedRequest, kind="banner", result_kind="image", path="/banners", credits=2):

    :cvar path: the endpoint it is posted to.
    :cvar credits: the documented price, where all requests of the class have the same.
    """

    path: ClassVar[str]
    credits: ClassVar[int | None] = None

    def __init_subclass__(cls, **said: str | int) -> None:
        super().__init_subclass__()
        for name, value in said.items():
            if name not in cls.__class_vars__:
                raise TypeError(f"{cls.__name__}: a request has no class variable {name}")
            setattr(cls, name, value)

    def documented_price(self) -> int | None:
        """Return ``credits``."""
        return self.credits


def _wire_name(model: type[GenerationRequest], name: str) -> str:
    field = model.model_fields.get(name)
    return (field.serialization_alias or name) if field is not None else name


def _replaced(model: type[GenerationRequest], extra_fields: Any) -> tuple[str, ...]:
    """Return the fields of *model* that stand in *extra_fields*, under our name or the vendor's."""
    if not extra_fields or not isinstance(extra_fields, dict):
        return ()
    names = {name for name in model.model_fields if name != "extra_fields"}
    return tuple(sorted(name for name in names if name in extra_fields or _wire_name(model, name) in extra_fields))


@lru_cache(maxsize=256)
def _relaxed(model: type[GenerationRequest], names: tuple[str, ...]) -> type[GenerationRequest]:
    """Return *model* with fields that take anything, or nothing."""
    fields: dict[str, Any] = {}
    for name in names:
        field = model.model_fields[name]
        aliases: dict[str, Any] = {
            "validation_alias": field.validation_alias,
            "serialization_alias": field.serialization_alias,
        }
        fields[name] = (Any, Field(default=None, repr=False, **aliases))
    return create_model(model.__name__, __base__=model, __module__=model.__module__, **fields)


def note_missing_files(request: GenerationRequest, generation: Generation) -> str | None:
    """
    Compare the files that a completed generation has with those that its request asked for.

    Where files are missing, both numbers are put into ``details`` as ``{"files_missing": {"asked": 8, "told": 1}}``. An
    archive counts as all files, because it may hold several.

    :return: a warning that names both numbers; None where no file is missing.
    """
    # A replaced field was not validated: what it asks for is not known.
    asked, files = None if request.overrides else request.expected_files(), generation.creatives
    enough = asked is None or len(files) >= asked or any(one.kind == "archive" for one in files)
    if enough or not generation.succeeded:
        return None
    generation.details = {**generation.details, "files_missing": {"asked": asked, "told": len(files)}}
    return (
        f"{generation.vendor} job {generation.id} asked for {asked} files, and its result has {len(files)}. The vendor "
        "may have charged for all of them; look at the job in your account there."
    )


def validation_sentence(error: ValidationError) -> str:
    """Turn pydantic's findings into one sentence that names each field and never shows a value."""
    found = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in item["loc"])
        text = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            text = "is not a field of this request (extra_fields sends undocumented ones)"
        found.append(f"{name}: {text}" if name else text)
    return "; ".join(found)


def build_request(model: type[GenerationRequest], fields: dict[str, Any]) -> GenerationRequest:
    """
    Validate *fields* into *model*.

    :param model: the request class.
    :param fields: the vendor's fields in snake_case; None means not set. What ``extra_fields`` replaces may be missing.
    :raises InvalidRequest: a sentence naming every field that is wrong.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    extra: Any = given.get("extra_fields")
    replaced = _replaced(model, extra)
    for name in replaced:
        wire = _wire_name(model, name)
        given.pop(wire, None)
        given[name] = extra[wire] if wire in extra else extra[name]
    try:
        return (_relaxed(model, replaced) if replaced else model).model_validate(given)
    except ValidationError as error:
        newer = any(item["type"] == "literal_error" for item in error.errors(include_url=False, include_input=False))
        raise InvalidRequest(
            f"Invalid {model.kind} request: {validation_sentence(error)}.",
            advice="Nothing was sent and nothing was charged."
            + (" A value that is newer than this package goes into extra_fields." if newer else ""),
        ) from None


class Arguments(BaseModel):
    """Arguments of a call that spends nothing, checked against the vendor's documented rules."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, populate_by_name=True, str_strip_whitespace=True
    )

    @classmethod
    def check(cls, method: str, /, **fields: Any) -> Self:
        """
        Validate *fields*; None means not set.

        :param method: the hook method, for the message.
        :raises InvalidRequest: a sentence naming every field that is wrong.
        """
        try:
            return cls.model_validate({name: value for name, value in fields.items() if value is not None})
        except ValidationError as error:
            raise InvalidRequest(f"{method}: {validation_sentence(error)}.", advice=NOTHING_SENT) from None

    def body(self) -> dict[str, Any]:
        """Return what was set, in the vendor's own names."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def checked(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Check arguments by the annotations of *function*, and return what was set in the vendor's own names.

    :param function: an endpoint; its signature says what each argument takes.
    :param given: ``locals()`` of the function, first thing in it.
    :raises InvalidRequest: a sentence naming every argument that is wrong.
    """
    model = _arguments(function)
    return model.check(function.__name__, **{name: given[name] for name in model.model_fields}).body()


@lru_cache(maxsize=128)
def _arguments(function: Callable[..., Any]) -> type[Arguments]:
    fields: dict[str, Any] = {}
    for one in inspect.signature(function, eval_str=True).parameters.values():
        if one.annotation is not one.empty:
            fields[one.name] = (one.annotation, ... if one.default is one.empty else one.default)
    return create_model(function.__name__, __base__=Arguments, **fields)


def identifier(value: Any) -> str:
    """
    Return an id as it goes into a path.

    :raises InvalidRequest: it is empty or not a string, or would leave its place in the path.
    """
    if not isinstance(value, str) or not value.strip() or value.strip() in {".", ".."}:
        raise InvalidRequest("An id must be a string that is not empty.", advice=NOTHING_SENT)
    return value.strip()
