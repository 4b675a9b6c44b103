"""One case, for the auditor: whether what the journal says of it is what was written, and all of it there.

Chains are one a stream (an action on a target), and anchors hold all streams; a case lies over several. So what vouches for an
entry of a case is the chain of its stream up to an entry that an anchor holds, and the chain of the anchors from there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from response.anchors import PREFIX, heads, is_anchors
from response.audit import Copy, verify
from response.chain import Fault, Problem
from response.journal import Journal, JournalEntry, Step
from response.orders import is_orders


@dataclass(frozen=True, slots=True)
class Vouched:
    """One entry of a case, and what vouches for it.

    Attributes
    ----------
    entry : JournalEntry
    anchor : str
        Id of the first anchor that holds it, or an entry after it in its stream; ``""`` where none does yet.
    """

    entry: JournalEntry
    anchor: str


@dataclass(frozen=True, slots=True)
class Part:
    """One stream over which a case lies.

    Attributes
    ----------
    stream : str
    entries, of_case : int
        How many entries it has, and how many of them belong to the case.
    held : int
        Up to which one an anchor holds it, 0 for none.
    """

    stream: str
    entries: int
    of_case: int
    held: int


@dataclass(frozen=True, slots=True)
class CaseReport:
    """What verifying one case found.

    Attributes
    ----------
    entries : tuple of Vouched
        Of the case, and the orders by which what it contains was undone, in the order in which they were written.
    parts : tuple of Part
    problems : tuple of Problem
        In its streams, or in the anchors.
    elsewhere : tuple of Problem
        Entries of other streams that are missing or altered: nobody can say to which case they belonged.
    """

    entries: tuple[Vouched, ...]
    parts: tuple[Part, ...]
    problems: tuple[Problem, ...]
    elsewhere: tuple[Problem, ...]


class _ReadOnce:
    """A journal of which each stream is read once, so that all that is said of it is said of the same entries."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._streams: dict[str, list[JournalEntry]] = {}
        self.expiring, self.written, self.find = journal.expiring, journal.written, journal.find

    def stream(self, name: str) -> list[JournalEntry]:
        if name not in self._streams:
            self._streams[name] = self._journal.stream(name)
        return self._streams[name]

    def append(self, entry: JournalEntry) -> None:
        raise NotImplementedError("who verifies writes nothing")


def verify_case(journal: Journal, names: Iterable[str], case: str, *, now_ms: int, copies: Iterable[Copy] = ()) -> CaseReport:
    """Verify what the journal says of one case.

    Parameters
    ----------
    journal : Journal
    names : iterable of str
        Of all its streams: which of them the case lies over only their entries say, and what is missing only the anchors.
    case : str
    now_ms : int
    copies : iterable of Copy
        Anchors, as they were kept elsewhere.
    """
    once, names, copies = _ReadOnce(journal), sorted({*names}), [*copies]
    found = verify(once, names, now_ms=now_ms, copies=copies)
    of_case = {name: [entry for entry in once.stream(name) if entry.case == case] for name in names}
    contained = {entry.containment_id for entries in of_case.values() for entry in entries}
    of_case |= {name: _orders(once.stream(name), contained) for name in names if is_orders(name)}
    of_case = {name: entries for name, entries in of_case.items() if entries}
    anchored = _anchored(once, names, copies)
    entries = [entry for each in of_case.values() for entry in each]
    return CaseReport(
        entries=tuple(
            Vouched(entry, next((by for number, by in anchored.get(entry.stream, ()) if number >= entry.sequence), ""))
            for entry in sorted(entries, key=lambda each: (each.time_ms, each.stream, each.sequence))
        ),
        parts=tuple(
            Part(name, len(once.stream(name)), len(mine), max((number for number, _ in anchored.get(name, ())), default=0))
            for name, mine in sorted(of_case.items())
        ),
        problems=tuple(each for each in found.problems if each.stream in of_case or _is_of_anchors(each)),
        elsewhere=tuple(
            each
            for each in found.problems
            if each.stream not in of_case and not _is_of_anchors(each) and each.fault in (Fault.MISSING, Fault.ALTERED)
        ),
    )


def _is_of_anchors(problem: Problem) -> bool:
    return problem.stream.partition("#")[0] == PREFIX  # also where there is none at all, of no day


def _orders(entries: Sequence[JournalEntry], contained: set[str]) -> list[JournalEntry]:
    """The orders of one day by which any of these containments was to be undone, and what says that they are settled."""
    given = [each for each in entries if each.step is Step.ORDERED and each.detail.get("containment") in contained]
    numbers = {each.sequence for each in given}
    return given + [each for each in entries if each.step is Step.SETTLED and each.detail.get("order") in numbers]


def _anchored(journal: _ReadOnce, names: Iterable[str], copies: Iterable[Copy]) -> dict[str, list[tuple[int, str]]]:
    """Up to which entry of each stream which anchor was the first to hold it, oldest first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for anchor, head in _heads(journal, names, copies):
        found.setdefault(head[0], []).append((head[1], anchor))
    return found


def _heads(journal: _ReadOnce, names: Iterable[str], copies: Iterable[Copy]) -> Iterator[tuple[str, tuple[str, int]]]:
    anchors = {(entry.stream, entry.sequence): entry for name in names if is_anchors(name) for entry in journal.stream(name)}
    anchors |= {(each.stream, each.sequence): each.entry for each in copies if each.entry is not None}
    for place in sorted(anchors):
        for head in heads(anchors[place]):
            yield anchors[place].id, (head.stream, head.sequence)
