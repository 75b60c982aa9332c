# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Reads operator arguments that templates may have turned into strings."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from airflow_provider_adgen.core.errors import AdGenError

T = TypeVar("T")


@contextlib.contextmanager
def refused_options() -> Iterator[None]:
    """
    Refuse a task whose arguments are wrong.

    :raises InvalidRequest: in place of the ValueError that says which.
    """
    from airflow_provider_adgen.core.errors import InvalidRequest

    try:
        yield
    except InvalidRequest:
        raise
    except ValueError as error:
        raise InvalidRequest(f"{error}. Nothing was sent.") from None


class Arguments:
    """
    Reads a task's arguments one after the other, where a wrong one does not stop the task at once.

    .. attribute:: problem

        The first error; None where all arguments are right.
    """

    def __init__(self) -> None:
        self.problem: AdGenError | None = None

    def read(self, instead: T, parse: Callable[..., T], *given: Any, **more: Any) -> T:
        """
        Return what an argument says.

        :param instead: what is returned where it is wrong.
        :param parse: returns what it says; raises ValueError or AdGenError.
        :param given: the arguments of *parse*, with *more*.
        """
        from airflow_provider_adgen.core.errors import AdGenError

        try:
            with refused_options():
                return parse(*given, **more)
        except AdGenError as error:
            self.problem = self.problem or error
            return instead


def seconds(name: str, value: Any) -> float:
    """
    Return a time in seconds from seconds or a timedelta.

    :raises ValueError: it is neither, or not positive.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else _number(name, value)
    if not 0 < number < 1e9:
        raise ValueError(f"{name} must be more than 0 seconds")
    return number


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be seconds or a timedelta") from None


def whole_credits(name: str, value: Any) -> int | None:
    """
    Return whole credits, or None where not set.

    :raises ValueError: it is not a whole number of at least 0. A template that renders to nothing sets no limit aside.
    """
    return None if value is None else _credits(name, value)


def _credits(name: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = int(str(value))
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a whole number of credits, not {value!r:.40}{of_nothing(value)}") from None
    if number < 0:
        raise ValueError(f"{name} must not be negative")
    return number


def of_nothing(value: Any) -> str:
    """Return what to do about a template that rendered to nothing; an empty text for anything else."""
    # What is no number must not take a limit away.
    if isinstance(value, str) and value.strip() in {"", "None"}:
        return ". A template rendered to nothing here: leave the option out where there is no limit"
    return ""


def one_of(name: str, value: Any, allowed: Collection[Any]) -> Any:
    """
    Return *value* if it is allowed.

    :raises ValueError: it is not.
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(repr(one) for one in allowed)}")
    return value


BATCH_WORDS: dict[str, tuple[str | None, ...]] = {
    "on_invalid": ("fail", "skip"),
    "on_item_failure": ("continue", "stop"),
    "on_failed": (None, "fail", "resubmit"),
    "on_clear": ("missing", "fresh", "reattach"),
    "on_suspended": ("wait", "fail"),
    "on_unknown_submission": ("fail", "resubmit"),
    "on_changed_input": ("fail", "reattach", "fresh"),
    "on_insufficient": ("fail", "wait"),
}
"""The arguments of a batch that are one of a few words."""


def batch_word(name: str, value: Any) -> Any:
    """
    Return the value of an argument of a batch that is one of a few words.

    :raises ValueError: it is none of them.
    """
    return one_of(name, value, BATCH_WORDS[name])


def whole_number(name: str, value: Any, least: int, most: int) -> int:
    """
    Return a whole number.

    :raises ValueError: it is none, or not within the limits.
    """
    try:
        number = int(str(value))
    except ValueError:
        raise ValueError(f"{name} must be a whole number") from None
    if not least <= number <= most:
        raise ValueError(f"{name} must be between {least} and {most}")
    return number


def share_or_word(name: str, value: Any, words: Collection[str]) -> str | float:
    """
    Return one of *words*, or a share between 0 and 1.

    :raises ValueError: it is neither.
    """
    if value in words:
        return str(value)
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = -1.0
    if isinstance(value, bool) or not 0 <= share <= 1:
        raise ValueError(f"{name} must be one of {', '.join(repr(one) for one in words)}, or a share between 0 and 1")
    return share


def credits_by_account(name: str, value: Any, *, by_kind: bool = False) -> Any:
    """
    Return whole credits, or a dictionary of them by connection.

    :param by_kind: each of its values may be a dictionary by kind of request.
    :raises ValueError: a value is not a whole number of at least 0.
    """
    if not isinstance(value, dict):
        return whole_credits(name, value)
    found: dict[Any, Any] = {}
    for key, one in value.items():
        inner = f"{name}[{key!r}]"
        found[key] = credits_by_account(inner, one) if by_kind and isinstance(one, dict) else _credits(inner, one)
    return found
