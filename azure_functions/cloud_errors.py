"""azure-core's errors in the core's words: what may succeed later, and what the cloud says of the request itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared_model.errors import CloudUnavailable, RefusedByCloud

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

#: Timeouts, throttling, and rights that an operator may still grant. All other 4xx say something about the request or the
#: resource, for the caller to answer; 5xx may succeed later.
_LATER = frozenset({401, 403, 408, 429})
#: Refused whoever asks: an Azure Policy of the customer or a deny assignment (of a managed application, a deployment stack)
#: forbids it, and a right more would not help.
_REFUSED_TO_ALL = frozenset({"RequestDisallowedByPolicy", "RequestDisallowedByAzure", "DenyAssignmentAuthorizationFailed"})
_UNCHANGED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _PRECONDITION_FAILED, _THROTTLED = 304, 403, 404, 409, 412, 429


class CloudRefusal(RefusedByCloud):
    """The cloud understood the request and refuses it: a missing resource, a conflict, a state that does not fit.

    Attributes
    ----------
    status : int
        HTTP status.
    code, message : str
        As the service names it, e.g. ``EntityAlreadyExists``.
    retry_after_s : float
        What the service asks to wait before the next try, 0 where it does not say.
    """

    def __init__(self, operation: str, status: int, code: str, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{operation}: {status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s

    @property
    def is_missing(self) -> bool:
        """The resource is not there."""
        return self.status == _NOT_FOUND

    @property
    def is_unchanged(self) -> bool:
        """The answer to a question that was asked in case of a change only."""
        return self.status == _UNCHANGED

    @property
    def is_conflict(self) -> bool:
        """Another writer was there first, or is at work on it now: read again, then decide."""
        return self.status in (_CONFLICT, _PRECONDITION_FAILED)


class CloudBusy(CloudUnavailable):
    """Somebody else is at work on it now. ``retry_after_s`` is what the service asks to wait, 0 where it does not say."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class CloudThrottled(CloudBusy):
    """Too many requests, also after the client's own retries."""


class CloudForbidden(CloudUnavailable):
    """The identity lacks a right. It may succeed when an operator has granted it. ``code`` is the service's word for it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def in_core_words(operation: str) -> Iterator[None]:
    """Turn azure-core's errors into CloudRefusal and CloudUnavailable."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        raise _translated(operation, error) from error
    except AzureError as error:  # no connection, no token, an answer that broke off
        raise CloudUnavailable(f"{operation}: {_line(str(error))}") from error


def _translated(operation: str, error: HttpResponseError) -> CloudRefusal | CloudUnavailable:
    status, code, message = error.status_code or 0, _code(error), _line(error.message)
    if code in _REFUSED_TO_ALL or status == _UNCHANGED or (400 <= status < 500 and status not in _LATER):
        return CloudRefusal(operation, status, code, message, _retry_after_s(error))
    said = f"{operation}: {status or 'no answer'} {code}: {message}"
    if status == _THROTTLED:
        return CloudThrottled(said, _retry_after_s(error))
    return CloudForbidden(said, code) if status == _FORBIDDEN else CloudUnavailable(said)


def _code(error: HttpResponseError) -> str:
    # Storage calls it error_code, Resource Manager and Graph send an OData error; Tables leave some errors undecoded.
    code = getattr(error, "error_code", None) or getattr(error.error, "code", None) or _table_code(error) or _header_code(error)
    return str(getattr(code, "value", code) or error.reason or "")


def _header_code(error: HttpResponseError) -> str:
    """Storage's own word where no SDK of storage was asked."""
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    return headers.get("x-ms-error-code", "")


def _table_code(error: HttpResponseError) -> str:
    text = getattr(error.response, "text", None)
    try:
        return str(json.loads(text() if text else "")["odata.error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _retry_after_s(error: HttpResponseError) -> float:
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    try:
        return max(0.0, float(headers.get("Retry-After", 0)))
    except ValueError:  # the other form of the header, a date: the caller's own pause will do
        return 0.0
