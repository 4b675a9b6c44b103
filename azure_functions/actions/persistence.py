"""Coming back after 409, 412 and 429: how often, how long, and when to leave it to the next delivery."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import random
from typing import TypeVar

from azure_functions.cloud_errors import CloudBusy, CloudRefusal
from azure_functions.waiting import waiting
from response.actions import CloudUnavailable

T = TypeVar("T")

#: Conflicts that waiting does not end: a lock on the resource, something that still uses it, what is there already.
_LASTING = frozenset({"ScopeLocked", "OperationNotAllowed", "RoleAssignmentExists"})
#: A pause is longer by up to this share of it.
_SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class Persistence:
    """Bounded patience with a service that other writers keep busy.

    Attributes
    ----------
    turns : int
        Attempts at most.
    patience_s : float
        Seconds of waiting at most, over all attempts: the function's own time is short, and the queue delivers again.
    pause : callable
        Waits that many seconds.
    chance : callable
        How much of the spread a pause is longer, 0 to 1.
    poll_s : float
        Seconds between two looks at an operation that Azure carries out after it has answered, unless Azure says otherwise.
    """

    turns: int = 8
    patience_s: float = 30.0
    pause: Callable[[float], None] = field(default=time.sleep)
    poll_s: float = 1.0
    chance: Callable[[], float] = field(default=random)

    def with_turns(self, attempt: Callable[[], T], *, also: frozenset[str] = frozenset()) -> T:
        """Return what ``attempt`` returns; call it again while another writer, or the service's throttling, stands in its way.

        Each attempt must read the present state anew. ``also`` are codes of further refusals that a new look may end.

        Raises
        ------
        CloudUnavailable
            The service stayed busy.
        """
        waited = 0.0
        for turn in range(self.turns):
            try:
                return attempt()
            except CloudRefusal as refusal:
                if refusal.code not in also and (not refusal.is_conflict or refusal.code in _LASTING):
                    raise
                asked_s, last = refusal.retry_after_s, str(refusal)
            except CloudBusy as busy:
                asked_s, last = busy.retry_after_s, str(busy)
            # Never sooner than asked; those that were turned away together must not come back together.
            wait_s = (asked_s or 0.2 * 2**turn) * (1 + _SPREAD * self.chance())
            if turn + 1 == self.turns or waited + wait_s > self.patience_s:
                break
            with waiting():
                self.pause(wait_s)
            waited += wait_s
        raise CloudUnavailable(f"gave way {turn + 1} times and waited {waited:.0f} s: {last}")
