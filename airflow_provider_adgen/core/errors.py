# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Every error this package raises of its own.

::

    AdGenError
     ├─ InvalidRequest          refused before anything was sent
     │   └─ SpendingForbidden   [adgen] spending does not allow it
     ├─ BudgetExceeded          [adgen] budgets leave no room for it
     ├─ BudgetBusy              others are reserving the rest of the same budget just now
     ├─ ApiError                the vendor answered with an error status
     │   ├─ AuthenticationError 401
     │   ├─ InsufficientCredits 402
     │   ├─ PermissionDenied    403
     │   ├─ NotFound            404
     │   ├─ Conflict            409
     │   ├─ PayloadTooLarge     413
     │   ├─ RateLimited         429
     │   ├─ ServerError         5xx
     │   └─ SubmissionRefused   a paid submission that the same vendor would refuse again, whatever the status
     ├─ WireError               no answer arrived
     ├─ SubmissionUnknown       a paid submission may or may not have been accepted
     ├─ UnexpectedResponse      an answer arrived that cannot be read
     ├─ GenerationFailed        the vendor says the job ended without a result
     ├─ GenerationTimeout       we stopped waiting; the job may still finish
     └─ DownloadError           a paid result exists and could not be stored

Messages are sentences to a person. They hold no key and no signed URL: texts that come from a vendor go through
:func:`airflow_provider_adgen.core.scrub.scrub` before they get here.
"""

from __future__ import annotations

from typing import Any

TEMPORARY = frozenset({408, 421, 423, 425, 429})
"""Statuses of the 4xx family that say "not now" rather than "not this"."""

NOTHING_SENT = "Nothing was sent."
"""The advice where the whole message is that something was wrong before anything was sent."""


def _rebuild(cls: type[AdGenError], message: str, state: dict[str, Any]) -> AdGenError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class AdGenError(Exception):
    """
    Anything that went wrong in this package. Whether a retry helps or costs is said by each subclass.

    ``str(error)`` is the whole message: what happened, and the advice after it.

    :cvar retry_helps: whether the same task, tried again by Airflow, may go better.
    :param message: what happened, as a sentence for a person.
    :param advice: what that means for whoever meets this error: that nothing was sent, what to do.
    """

    retry_helps: bool = True
    advice: str = ""

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    @property
    def happened(self) -> str:
        """What happened, without the advice: for whoever does something else about it than the advice says."""
        return str(self.args[0]) if self.args else ""

    @property
    def message(self) -> str:
        """What happened and the advice, without the class name."""
        return f"{self.happened} {self.advice}" if self.advice else self.happened

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only constructors do not survive the default pickling that executors use.
        return _rebuild, (type(self), self.happened, dict(self.__dict__))


class InvalidRequest(AdGenError, ValueError):
    """The request breaks a documented rule. Nothing was sent, nothing was charged; a retry does not help."""

    retry_helps = False


class SpendingForbidden(InvalidRequest):
    """``[adgen] spending`` does not allow a paid request. It was not sent and costs nothing; a retry does not help."""


class BudgetExceeded(AdGenError):
    """
    A paid request does not fit into ``[adgen] budgets``. It was not sent and costs nothing; a retry does not help soon.

    :param message: the sentence for a person.
    :param until: Unix time at which the budget begins anew; None if the request fits into no day or month.
    :param advice: what a person can do about it.
    """

    retry_helps = False

    def __init__(self, message: str, *, until: float | None = None, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.until = until


class BudgetBusy(AdGenError):
    """
    Others reserve the rest of the same budget just now, and may not need it.

    Nothing was sent or charged. A retry helps and costs nothing by itself.
    """


class ApiError(AdGenError):
    """
    The vendor answered with an error status.

    Whether a retry helps depends on the subclass. On a paid endpoint the status alone does not say that nothing was
    charged: the operators decide that from what the vendor documents.

    :param message: the sentence for a person.
    :param vendor: the vendor's name.
    :param endpoint: method and path template, without ids or query.
    :param status: the HTTP status.
    :param code: the vendor's machine-readable word, if it sent one.
    :param request_id: the vendor's id of this request, if it sent one.
    :param retry_after: seconds the vendor asks to wait, if it said so.
    :param own_words: the answer had the shape of this vendor's errors: it was not some proxy that answered.
    :param advice: what a person can do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        vendor: str = "",
        endpoint: str = "",
        status: int = 0,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        own_words: bool = False,
        advice: str = "",
    ) -> None:
        super().__init__(message, advice=advice)
        self.vendor = vendor
        self.endpoint = endpoint
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.own_words = own_words
        if 400 <= status < 500 and status not in TEMPORARY:
            self.retry_helps = False


class AuthenticationError(ApiError):
    """401: the key is missing, wrong, revoked or expired. A retry helps only with another key; costs nothing."""


class PermissionDenied(ApiError):
    """403: the key is valid and may not do this (plan, workspace). A retry does not help; costs nothing."""


class InsufficientCredits(ApiError):
    """
    402: the account cannot pay for this. Nothing was started or charged; a retry helps only after a top-up.

    :param required: credits the vendor says are needed, if it said so.
    :param available: credits the vendor says are left, if it said so.
    """

    def __init__(
        self, message: str, *, required: int | None = None, available: int | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.required = required
        self.available = available


class NotFound(ApiError):
    """404: no such thing in this account. A retry does not help; costs nothing."""


class Conflict(ApiError):
    """409: the thing is in use, a duplicate, or in the wrong state. A retry rarely helps; costs nothing."""


class PayloadTooLarge(ApiError):
    """413: the media is too large for the vendor. A retry does not help; costs nothing."""


class RateLimited(ApiError):
    """
    429: too many requests, or too many jobs at once. A retry after ``retry_after`` seconds helps; costs nothing.

    :param sent: False if our own rate budget held the request back, so that nothing reached the vendor.
    """

    def __init__(self, message: str, *, sent: bool = True, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.sent = sent


class ServerError(ApiError):
    """5xx: the vendor failed. A retry of a read helps; a paid submission may have been accepted all the same."""


class SubmissionRefused(ApiError):
    """
    A paid submission was refused for what it asks (400, 409, 413 ...), and the vendor documents that nothing started.

    The same request would be refused again: a retry does not help; costs nothing.
    """


class WireError(AdGenError):
    """
    No answer arrived: the connection failed, broke or ran out of time.

    A retry of a read helps and costs nothing. A paid submission may have been accepted unless ``sent`` is false.

    :param message: the sentence for a person.
    :param sent: False only if it is certain that no byte of the request reached the vendor.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class SubmissionUnknown(AdGenError):
    """
    A paid submission may or may not have been accepted, and nothing documented can tell.

    A retry could pay twice, so none is made unless ``on_unknown_submission="resubmit"`` accepts that risk.
    """

    retry_helps = False


class UnexpectedResponse(AdGenError):
    """
    An answer arrived that lacks a field we need, or is not what the vendor documents.

    A retry of a read may help. On a paid endpoint the operators raise :class:`SubmissionUnknown` instead.

    :param message: the sentence for a person.
    :param vendor: the vendor's name.
    :param endpoint: method and path template.
    :param field: the dotted name of the field that is missing or unreadable.

    ``excerpt`` is the beginning of the answer to a paid submission, scrubbed: a job's id may be in it.
    """

    def __init__(self, message: str, *, vendor: str = "", endpoint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.vendor = vendor
        self.endpoint = endpoint
        self.field = field
        self.excerpt: str | None = None


class GenerationFailed(AdGenError):
    """
    The vendor says that the job ended without a result.

    Submitting again pays again, except where a refund is documented (CutX ``failed``, CinematicAds); the operators do
    that on their own only there.

    :param message: the sentence for a person.
    :param generation_id: the job.
    :param status: the status word it ended with.
    """

    def __init__(self, message: str, *, generation_id: str = "", status: str = "failed") -> None:
        super().__init__(message)
        self.generation_id = generation_id
        self.status = status


class GenerationTimeout(AdGenError):
    """
    We stopped waiting. The job is paid for and may still finish: a retry goes on waiting for it and costs nothing.

    :param message: the sentence for a person.
    :param generation_id: the job.
    """

    def __init__(self, message: str, *, generation_id: str = "") -> None:
        super().__init__(message)
        self.generation_id = generation_id


class DownloadError(AdGenError):
    """
    A paid result exists and could not be fetched or stored. A retry fetches it again and costs nothing.

    :param message: the sentence for a person.
    :param status: the storage host's HTTP status, if there was one.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


_BY_STATUS: dict[int, type[ApiError]] = {
    401: AuthenticationError,
    402: InsufficientCredits,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    413: PayloadTooLarge,
    429: RateLimited,
}


def error_class(status: int) -> type[ApiError]:
    """Return the class for an HTTP error status."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
