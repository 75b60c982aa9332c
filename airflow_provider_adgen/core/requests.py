# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What every generation request has: a word for JSON, a kind of result, a price, a body."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from airflow_provider_adgen.core.errors import InvalidRequest
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


class GenerationRequest(BaseModel):
    """
    One paid generation, checked against the vendor's documented rules before anything is sent.

    Subclasses declare the vendor's own fields. Templated numbers arrive as strings, so validation is lax; unknown
    names are refused, because a misspelt field would be paid for. ``extra_fields`` is sent along as it is.

    :param extra_fields: fields that the vendor has and its readable documentation does not show.
    """

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, populate_by_name=True, str_strip_whitespace=True
    )

    kind: ClassVar[str]
    """The word for JSON: ``{"kind": ...}``."""

    result_kind: ClassVar[Kind]
    """What the generation results in."""

    synchronous: ClassVar[bool] = False
    """The result arrives in the answer to the submission, and the vendor has no endpoint that gives it again."""

    askable: ClassVar[bool] = False
    """Although the result is not given again, the vendor can be asked what became of a synchronous job."""

    extra_fields: dict[str, Any] = Field(default_factory=dict, repr=False)

    def price(self) -> int | None:
        """Return the documented price in whole credits; None where none is documented."""
        return None

    def expected_files(self) -> int | None:
        """Return how many files this request asks for; None where it does not say a number."""
        return None

    def body(self) -> dict[str, Any]:
        """Return the JSON body in the vendor's own names: what was not set is not sent."""
        # As Python has it: what JSON lacks is refused by name when the call is made, not turned into something else.
        sent = self.model_dump(by_alias=True, exclude_none=True, exclude={"extra_fields"})
        return {**sent, **self.extra_fields}


def note_missing_files(request: GenerationRequest, generation: Generation) -> str | None:
    """
    Compare the files that a completed generation has with those that its request asked for.

    Where files are missing, both numbers are put into ``details`` as ``{"files_missing": {"asked": 8, "told": 1}}``. An
    archive counts as all files, because it may hold several.

    :return: a warning that names both numbers; None where no file is missing.
    """
    asked, files = request.expected_files(), generation.creatives
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
    :param fields: the vendor's fields in snake_case; None means not set.
    :raises InvalidRequest: a sentence naming every field that is wrong.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    clash = sorted(set(given.get("extra_fields") or ()) & _wire_names(model))
    if clash:
        raise InvalidRequest(
            f"Invalid {model.kind} request: extra_fields repeats {', '.join(clash)}, which this request has as its own "
            "arguments. Nothing was sent and nothing was charged."
        )
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest(
            f"Invalid {model.kind} request: {validation_sentence(error)}. Nothing was sent and nothing was charged."
        ) from None


def _wire_names(model: type[GenerationRequest]) -> set[str]:
    return {field.serialization_alias or field.alias or name for name, field in model.model_fields.items()} | set(
        model.model_fields
    )


class Arguments(BaseModel):
    """Arguments of a call that spends nothing, checked against the vendor's documented rules."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)

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
            raise InvalidRequest(f"{method}: {validation_sentence(error)}. Nothing was sent.") from None

    def body(self) -> dict[str, Any]:
        """Return what was set, in the vendor's own names."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def identifier(value: Any) -> str:
    """
    Return an id as it goes into a path.

    :raises InvalidRequest: it is empty or not a string, or would leave its place in the path.
    """
    if not isinstance(value, str) or not value.strip() or value.strip() in {".", ".."}:
        raise InvalidRequest("An id must be a string that is not empty. Nothing was sent.")
    return value.strip()
