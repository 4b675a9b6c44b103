"""How many machines, storage accounts, principals with roles or users there are: what a share is a share of."""

from __future__ import annotations

import time
from collections.abc import Callable

from azure_functions.cloud_errors import CloudForbidden, CloudRefusal
from shared_model.errors import CloudUnavailable

#: A count serves this long. What was made since makes the share smaller than it is, never larger.
_KEEP_S = 3600


class Population:
    """Counts of one kind, each asked at most once an hour in an app that stays warm.

    Parameters
    ----------
    count : callable
        Counts in a subscription.
    """

    def __init__(self, count: Callable[[str], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._counted: dict[str, tuple[int, float]] = {}

    def of(self, subscription: str) -> int:
        """Return how many there are; 0 where nobody could count them: no containment waits for a statistic."""
        counted, until = self._counted.get(subscription, (0, 0.0))
        if subscription not in self._counted or self._clock() >= until:
            try:
                counted = self._count(subscription)
            except (CloudForbidden, CloudRefusal):  # a share of it is then for a person to allow
                counted = 0
            except CloudUnavailable:  # likewise, but the next plan asks again
                return 0
            self._counted[subscription] = counted, self._clock() + _KEEP_S
        return counted
