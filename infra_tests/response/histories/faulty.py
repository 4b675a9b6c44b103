"""Everything that a response keeps or changes, each call of which may fail, or let another have its turn."""

from __future__ import annotations

from collections.abc import Iterable

from infra_tests.response.histories.cloud import Cloud, Reached
from infra_tests.response.histories.turns import Running, Turns
from response.actions import Plan
from response.budget import InProcessLedgers, Line
from response.journal import InProcessJournal, JournalEntry
from response.signals import InProcessSignals, Signal
from response.switch import STREAM, read_switch


class Watching:
    """What an invariant may watch. Whatever it raises ends the history."""

    def appends(self, entry: JournalEntry, by: Running | None) -> None: ...
    def applies(self, plan: Plan, by: Running | None) -> None: ...


class FaultyJournal(InProcessJournal):
    def __init__(self, turns: Turns, watching: Watching) -> None:
        super().__init__()
        self._turns, self._watching = turns, watching
        self.written: list[JournalEntry] = []

    def append(self, entry: JournalEntry) -> None:
        def do() -> None:
            known = len(self.entries(entry.stream))
            super(FaultyJournal, self).append(entry)
            if len(self.entries(entry.stream)) > known:
                self.written.append(entry)
                self._watching.appends(entry, self._turns.running)

        self._turns.call(f"append {entry.step}", do)

    def stream(self, name: str) -> list[JournalEntry]:
        def do() -> list[JournalEntry]:
            found = self.entries(name)
            if name == STREAM and self._turns.running is not None:
                self._turns.running.armed_at_last_look = self.armed
            return found

        return self._turns.call("read the switch" if name == STREAM else "read a stream", do)

    def expiring(self, before_ms: int) -> Iterable[str]:
        return self._turns.call("look for what expires", lambda: InProcessJournal.expiring(self, before_ms))

    def find(self, containment_id: str) -> str | None:
        return self._turns.call("find a containment", lambda: InProcessJournal.find(self, containment_id))

    def entries(self, name: str) -> list[JournalEntry]:
        """Return the entries of a stream, without a call."""
        return InProcessJournal.stream(self, name)

    @property
    def armed(self) -> bool:
        plain = InProcessJournal()
        plain._streams = self._streams
        return read_switch(plain).armed


class FaultySignals(InProcessSignals):
    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns

    def record(self, signal: Signal, *, window_ms: int, now_ms: int) -> bool:
        return self._turns.call(
            "record a signal", lambda: InProcessSignals.record(self, signal, window_ms=window_ms, now_ms=now_ms)
        )

    def recent(self, name: str, since_ms: int, until_ms: int) -> Iterable[Signal]:
        return self._turns.call("look for signals", lambda: InProcessSignals.recent(self, name, since_ms, until_ms))


class FaultyLedgers(InProcessLedgers):
    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns

    def read(self, purse: str) -> tuple[tuple[Line, ...], str]:
        return self._turns.call("read a ledger", lambda: InProcessLedgers.read(self, purse))

    def replace(self, purse: str, lines: tuple[Line, ...], version: str) -> bool:
        return self._turns.call("write a ledger", lambda: InProcessLedgers.replace(self, purse, lines, version))


class FaultyCloud(Reached):
    def __init__(self, turns: Turns, cloud: Cloud, watching: Watching) -> None:
        self._turns, self._cloud, self._watching = turns, cloud, watching

    def read(self, resource: str) -> dict[str, str]:
        cloud = self._at_its_time()
        return self._turns.call("read a resource", lambda: cloud.read(resource), stale=lambda: cloud.read(resource, stale=True))

    def tags(self, resource: str) -> dict[str, str]:
        return self._turns.call("read tags", lambda: dict(self._cloud.tags[resource]))

    def write(self, resource: str, lock: str, *, expects: str, new: str, by: str, undoes: bool = False) -> str:
        def do() -> str:
            return self._at_its_time().write(resource, lock, expects=expects, new=new, by=by, undoes=undoes)

        return self._turns.call("undo a change" if undoes else "change a resource", do)

    def applies(self, plan: Plan) -> None:
        self._watching.applies(plan, self._turns.running)

    def _at_its_time(self) -> Cloud:
        """Return the cloud, which shows a write late by the clock of who made it."""
        self._cloud.now_ms = self._turns.running.now_ms if self._turns.running else self._cloud.now_ms
        return self._cloud
