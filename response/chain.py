"""Whether a stream of the journal is as it was written: nothing altered, missing or put in between.

Each entry carries the digest of the one before it, and beside each lies its own. What the chain alone cannot say (a stream
that was written anew from somewhere to its end) the anchors say, which hold the heads of all streams (``response/anchors.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from response.journal import JournalEntry, link


class Fault(StrEnum):
    """What is wrong with an entry."""

    ALTERED = "ALTERED"  # it is not what was written
    MISSING = "MISSING"  # it was written, and is not there
    INSERTED = "INSERTED"  # it was not written when, or by what, it says
    UNANCHORED = "UNANCHORED"  # no anchor holds it, though one should
    UNORDERED = "UNORDERED"  # it says that something was undone, and who undoes has not written that anybody decided on it


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    stream : str
    sequence : int
        Of the entry in question.
    fault : Fault
    what : str
        What was found, and what it tells.
    """

    stream: str
    sequence: int
    fault: Fault
    what: str

    def __str__(self) -> str:
        return f"{self.fault}  {self.stream}/{self.sequence}: {self.what}"


def check(name: str, entries: Sequence[JournalEntry], known: Mapping[int, str]) -> Iterator[Problem]:
    """Yield what is wrong with a stream.

    Parameters
    ----------
    name : str
    entries : sequence of JournalEntry
        All that there are, by sequence number.
    known : mapping of int to str
        Digests of entries of this stream by sequence number, as anchors hold them.
    """
    by_number = {entry.sequence: entry for entry in entries}
    last = max([*by_number, *known], default=0)
    accused: set[int] = set()

    def found(sequence: int, fault: Fault, what: str) -> Iterator[Problem]:
        if sequence not in accused:
            accused.add(sequence)
            yield Problem(name, sequence, fault, what)

    chained_at = 0
    for number in range(1, last + 1):
        entry, before = by_number.get(number), by_number.get(number - 1)
        if entry is None:
            told = "an anchor holds it" if number in known else "entries after it are there"
            yield from found(number, Fault.MISSING, f"there is no such entry, but {told}")
            continue
        if entry.sealed and entry.sealed != entry.digest:
            yield from found(number, Fault.ALTERED, "its content does not give the digest that lies beside it")
        if not entry.previous:
            if chained_at:
                what = (
                    f"it carries no digest of the entry before it, though entry {chained_at} does: what wrote it knows no chain"
                )
                yield from found(number, Fault.INSERTED, what)
            continue
        chained_at = chained_at or number
        if number == 1:
            if entry.previous != link(name, ()):
                yield from found(1, Fault.INSERTED, "it was not written as the first entry of this stream")
        elif before is not None and entry.previous != before.digest:
            yield from found(*_broken(entry, before, known, accused))
    for number, digest in sorted(known.items()):
        if number in by_number and by_number[number].digest != digest and number not in accused:
            sound = max((n for n in known if n < number and n not in accused and _as_known(by_number, known, n)), default=0)
            what = "the chain fits, but an anchor holds another digest: "
            what += f"what follows entry {sound} was written anew" if sound else "the stream was written anew from its beginning"
            yield from found(number, Fault.ALTERED, what)


def _as_known(by_number: Mapping[int, JournalEntry], known: Mapping[int, str], number: int) -> bool:
    return number in by_number and by_number[number].digest == known[number]


def _broken(entry: JournalEntry, before: JournalEntry, known: Mapping[int, str], accused: set[int]) -> tuple[int, Fault, str]:
    """Say which of two neighbours is to blame for the link between them."""
    if before.sequence in accused and entry.previous == before.sealed:
        return before.sequence, Fault.ALTERED, ""
    if known.get(before.sequence) == before.digest:
        return (
            entry.sequence,
            Fault.INSERTED,
            f"it was written after another entry {before.sequence} than the one that an anchor holds",
        )
    what = f"entry {entry.sequence} was written after another one"
    if known.get(entry.sequence) != entry.digest:
        what += f" (or {entry.sequence} itself was put in the place of another)"
    return before.sequence, Fault.ALTERED, what
