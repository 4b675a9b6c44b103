"""botocore's errors in the core's words: what may succeed later, and what the cloud says of the request itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared_model.errors import CloudUnavailable, RefusedByCloud

#: Codes that say something about the request or the resource, for the caller to answer. All others (throttling, service
#: errors, missing permissions, expired credentials) may succeed later, at the latest when an operator has mended them.
_ABOUT_THE_REQUEST = (
    "NotFound",
    "NoSuch",
    "Nonexistent",
    "Malformed",
    "Invalid",
    "LimitExceeded",
    "LimitsExceeded",
    "Duplicate",
    "Validation",
    "AlreadyExists",
    "UnsupportedOperation",
)
_ABOUT_THE_REQUEST_EXACT = frozenset(
    {"ConditionalCheckFailedException", "ResourceContention", "UnmodifiableEntity", "WAFOptimisticLockException"}
)
#: Throttling that is named like a limit, what is a limit of a moment, and credentials that are named like a mistake: those of a
#: session that has just begun are known to IAM before they are to every service.
_LATER = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConcurrentSnapshotLimitExceeded",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "InvalidSignatureException",
        "InvalidToken",
        "RequestLimitExceeded",
    }
)
#: What stays so until somebody changes a permission, and what until the state of a machine or volume changes.
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
    }
)
#: What a setting of the account or of the resource forbids, whoever asks (block public access of images and snapshots).
_NOT_PERMITTED = "OperationNotPermitted"
_WRONG_STATE = frozenset({"IncorrectInstanceState", "IncorrectState"})


class CloudRefusal(RefusedByCloud):
    """The cloud understood the request and refuses it: a missing resource, a quota, a state that does not fit."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(f"{operation}: {code}: {message}")
        self.code = code
        self.message = message

    @property
    def is_missing(self) -> bool:
        """The resource is not there."""
        return self.code.endswith("NotFound") or self.code in ("NoSuchEntity", "NoSuchBucket")


class AccessDenied(CloudUnavailable):
    """A permission is missing, or the state of the resource forbids it: it may succeed when an operator has seen to it."""


class NotPermitted(AccessDenied):
    """A setting forbids it, and no permission would help."""


class WrongState(AccessDenied):
    """The state of the resource forbids it: of a machine that has ended, for good."""


@contextmanager
def in_core_words(operation: str) -> Iterator[None]:
    """Turn botocore's errors into CloudRefusal and CloudUnavailable."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        if code not in _LATER and (code in _ABOUT_THE_REQUEST_EXACT or any(part in code for part in _ABOUT_THE_REQUEST)):
            raise CloudRefusal(operation, code, message) from error
        raise _later(code)(f"{operation}: {code}: {message}") from error
    except BotoCoreError as error:
        raise CloudUnavailable(f"{operation}: {error}") from error


def _later(code: str) -> type[CloudUnavailable]:
    if code in _WRONG_STATE:
        return WrongState
    if code == _NOT_PERMITTED:
        return NotPermitted
    return AccessDenied if code in _DENIED else CloudUnavailable
