"""Patience: how long, and that those who were turned away together do not come back together."""

from __future__ import annotations

import pytest

from azure_functions.actions.persistence import Persistence
from azure_functions.cloud_errors import CloudRefusal, CloudThrottled
from response.actions import CloudUnavailable


def waits(error: Exception, chance: float) -> list[float]:
    """How long is waited between the attempts of somebody who is always turned away."""

    def attempt() -> None:
        raise error

    pauses: list[float] = []
    with pytest.raises(CloudUnavailable, match="gave way 4 times"):
        Persistence(turns=4, pause=pauses.append, chance=lambda: chance).with_turns(attempt)
    return pauses


def test_conflicts_are_waited_out_longer_each_time_and_never_in_step() -> None:
    conflict = CloudRefusal("write", 412, "PreconditionFailed", "changed meanwhile")
    least, most = waits(conflict, 0), waits(conflict, 1)
    assert least == pytest.approx([0.2, 0.4, 0.8])
    assert most == pytest.approx([0.3, 0.6, 1.2])


def test_what_the_service_asks_is_never_cut_short() -> None:
    throttled = CloudThrottled("too many requests", 4.0)
    assert waits(throttled, 0) == [4.0] * 3
    assert waits(throttled, 1) == [6.0] * 3


def test_two_that_wait_draw_by_themselves() -> None:
    assert len({Persistence().chance() for _ in range(9)}) > 1
