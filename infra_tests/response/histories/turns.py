"""Functions that run at the same time, one call at a time, in an order that is written down.

Each runs in a thread of its own; a baton goes from one to the next at every call that leaves the function (journal, signals,
budget, cloud, notice). So an interleaving is data: it can be drawn, repeated and shrunk. Calls may fail: before or after they
were done the function is killed, or told that the cloud is not available.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from infra_tests.response.histories.history import Fails, Job, Moment
from response.actions import CloudUnavailable

_T = TypeVar("_T")


class Killed(BaseException):
    """The function was killed here. No code under test may catch it."""


@dataclass(slots=True)
class Running:
    """One job while it runs: how many calls it has made, and what of its faults is still to come."""

    job: Job
    now_ms: int
    call: int = 0
    faults: dict[int, Fails] = field(default_factory=dict)
    baton: threading.Lock = field(default_factory=threading.Lock)
    ended: bool = False
    error: BaseException | None = None
    killed: bool = False
    #: Facts about this run that invariants ask for.
    armed_at_last_look: bool | None = None
    protected_at_start: frozenset[str] = frozenset()


class Turns:
    """Who runs now. One instance for a whole history."""

    def __init__(self) -> None:
        self.running: Running | None = None
        self.met: Counter[tuple[str, Fails | None]] = Counter()
        self._together: list[Running] = []
        self._turns: Iterator[int] = iter(())
        self._order: list[tuple[int, int]] = []
        self._over = threading.Lock()

    def call(self, what: str, do: Callable[[], _T], *, stale: Callable[[], _T] | None = None, silent: bool = False) -> _T:
        """Make one call that leaves the function: others may have their turn before it, and it may fail.

        A silent one has no way to say that the cloud is not available (a notice).
        """
        me = self.running
        if me is None:  # the history itself looks
            return do()
        me.call += 1
        self._pass_on(me)
        fault = me.faults.get(me.call)
        if fault is Fails.STALE and stale is None:
            fault = None
        self.met[what, fault] += 1
        if fault is None:
            return do()
        if fault is Fails.STALE and stale is not None:
            return stale()
        if fault is Fails.KILLED_BEFORE:
            raise Killed
        if fault is Fails.REFUSED and not silent:
            raise CloudUnavailable(f"{what}: throttled")
        done = do()
        if fault is Fails.KILLED_AFTER:
            raise Killed
        if not silent:
            raise CloudUnavailable(f"{what}: the answer was lost")
        return done

    def together(self, these: Sequence[tuple[Running, Callable[[], None]]], moment: Moment) -> None:
        """Run these at the same time, to the end of each, in the moment's order."""
        self._turns, self._order = iter(moment.turns), list(moment.order)
        if len(these) == 1:
            ((one, work),) = these
            self.running = one
            _run(one, work)
            self.running = None
            return
        self._together = [one for one, _ in these]
        threads = []
        for one, work in these:
            one.baton.acquire()
            threads.append(threading.Thread(target=self._in_turn, args=(one, work), daemon=True))
        self._over.acquire()
        for thread in threads:
            thread.start()
        self._give(self._together[self._order[0][0] if self._order else 0])
        self._over.acquire()  # whoever ends last gives it back
        self._over.release()
        for thread in threads:
            thread.join()
        self._together, self.running = [], None

    def _in_turn(self, me: Running, work: Callable[[], None]) -> None:
        me.baton.acquire()
        _run(me, work)
        waiting = [other for other in self._together if not other.ended]
        if waiting:
            self._give(self._next(me) or waiting[0])
        else:
            self._over.release()

    def _pass_on(self, me: Running) -> None:
        if len(self._together) < 2:
            return
        chosen = self._after(me) if self._order else self._in_turns(me)
        if chosen is not me:
            self._give(chosen)
            me.baton.acquire()
            self.running = me

    def _in_turns(self, me: Running) -> Running:
        turn = next(self._turns, 0)
        alive = [other for other in self._together if not other.ended]
        return alive[(alive.index(me) + turn) % len(alive)]

    def _after(self, me: Running) -> Running:
        place, calls = self._order[0]
        if self._together[place] is not me or calls == 0 or me.call <= calls:
            return me
        return self._next(me) or me

    def _next(self, me: Running) -> Running | None:
        """Return whose turn the order says it is after this one's."""
        if self._order and self._together[self._order[0][0]] is me:
            self._order.pop(0)
        while self._order and self._together[self._order[0][0]].ended:
            self._order.pop(0)
        return self._together[self._order[0][0]] if self._order else None

    def _give(self, chosen: Running) -> None:
        self.running = chosen
        chosen.baton.release()


def _run(one: Running, work: Callable[[], None]) -> None:
    try:
        work()
    except Killed:
        one.killed = True
    except BaseException as error:  # noqa: BLE001 - judged by whoever began it
        one.error = error
    one.ended = True
