"""IAM, EC2 and S3 answer from many places, some of them late: a moment after a write, the state before it may still be read."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import TypeVar

from response.actions import Verification

#: Pauses between the looks. What is still not as it was written after these was changed by somebody.
PAUSES_S = (0.5, 1.0, 2.0)
_T = TypeVar("_T")


def verified_in_time(look: Callable[[], Verification]) -> Verification:
    """Look again, for some seconds, before it is called drift; return the last answer."""
    for pause_s in PAUSES_S:
        found = look()
        if found is not Verification.DRIFTED:
            return found
        sleep(pause_s)
    return look()


def seen_in_time(look: Callable[[], _T | None]) -> _T | None:
    """Look again, for some seconds, for what was made a moment ago; None where it does not show even then."""
    for pause_s in PAUSES_S:
        if (found := look()) is not None:
            return found
        sleep(pause_s)
    return look()
