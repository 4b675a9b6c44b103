"""The journal: immutable events, one stream per (action, target), appended in order.

The present state of a containment is a fold over its stream; nothing is ever updated or deleted. Each entry carries the
digest of the one before it in its stream (:func:`link`), so that what was changed afterwards is found (``response/chain.py``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Protocol

from shared_model.verdicts import known_fields

#: Version of the digests: how an entry is written down before it is hashed.
_VERSION = 1
#: What any version calls a step.
_STEP = re.compile(r"[A-Z_]+")


class Step(StrEnum):
    """What happened. The order in a stream: PLANNED … then one of the ends."""

    OBSERVED = "OBSERVED"  # observe mode: would have been done
    REFUSED = "REFUSED"  # guard or plan said no; detail.reason says why
    NOOP = "NOOP"  # already so
    PROPOSED = "PROPOSED"  # a person is asked; again, with another plan, where the state changed since it was shown
    APPROVED = "APPROVED"  # a person said yes; detail.missing says how many more are needed
    DENIED = "DENIED"  # a person said no
    LAPSED = "LAPSED"  # nobody answered a proposal in time
    APPLYING = "APPLYING"  # written BEFORE the change, with plan.before
    APPLIED = "APPLIED"
    VERIFIED = "VERIFIED"
    DRIFTED = "DRIFTED"
    UNREACHABLE = "UNREACHABLE"
    EXTENDED = "EXTENDED"  # a further verdict about what is contained: it ends later
    FAILED = "FAILED"  # apply raised for good; nothing more will be tried
    EXPIRY_DUE = "EXPIRY_DUE"  # time to live is over, a person is asked
    COMPARED = "COMPARED"  # what an undo would find, for a person who asked
    UNDOING = "UNDOING"
    UNDONE = "UNDONE"
    ORDERED = "ORDERED"  # an undo was decided on (response/orders.py), in a stream that only who undoes writes
    SETTLED = "SETTLED"  # it was carried out, or is not going to be; detail.order says which
    DISARMED = "DISARMED"  # the master switch (response/switch.py), in its own stream
    ARMED = "ARMED"
    ANCHORED = "ANCHORED"  # heads of streams (response/anchors.py), in a stream of its own

    @classmethod
    def _missing_(cls, value: object) -> Step | None:
        """A step of a later version, whose journal a deployment that was rolled back reads: it is none of those above."""
        if not isinstance(value, str) or not _STEP.fullmatch(value):
            return None
        later = str.__new__(cls, value)
        later._name_, later._value_ = value, value
        return later

    def __reduce_ex__(self, protocol: object) -> tuple[type[Step], tuple[str]]:
        """By its text: Debian 12's Python 3.11.2 copies members by their names, which one of a later version has not."""
        return Step, (self.value,)


#: Entries by which the schedule finds what ends: a proposal, and a containment. One that is stuck at APPLYING has no APPLIED. And
#: by which it finds undos that were decided on.
EXPIRES = frozenset({Step.PROPOSED, Step.APPLYING, Step.APPLIED, Step.EXTENDED, Step.ORDERED})
#: ``detail["wants"]`` of a refusal that ends when an independent second signal comes.
CORROBORATION = "corroboration"
#: Key of ``detail`` of a further verdict's entry: the containment (or proposal) that it belongs to.
BELONGS_TO = "belongs_to"
#: Key of ``detail`` of one that could have begun the containment: what happened until then is settled with its end.
HEARD_MS = "heard_ms"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One immutable event.

    Attributes
    ----------
    stream : str
        ``<action>#<target entity key>``.
    sequence : int
        1, 2, 3 … within the stream; two writers of the same number: one wins.
    containment_id : str
        Hash of action, target and verdict id.
    step : Step
    time_ms : int
    correlation_id, verdict_id : str
    actor : str
        Who or what decided: ``policy:<rule>`` or the person's ARN.
    plan : mapping or None
        The whole plan as JSON values (on OBSERVED, REFUSED, PROPOSED, APPLYING).
    detail : mapping
        Reason, verification, restored and left of an undo, and what of the latter still ``holds``; ``wants`` of a refusal that
        is not the last word.
    expires_ms : int or None
        When the containment ends (on APPLYING, APPLIED and EXTENDED), or the proposal (on PROPOSED).
    verdict : str
        The verdict as :func:`response.signals.kept` writes it, at most 30,000 characters (on a REFUSED that
        :attr:`awaits_corroboration`, and on PROPOSED: whoever brings the second signal, or the answer, goes on from here; on
        APPLYING and EXTENDED: whom it is about may not undo what it led to).
    case : str
        The incident that it belongs to (``response/cases.py``), ``""`` where it belongs to none.
    previous : str
        Digest of the entry before it, see :func:`link`; ``""`` on entries from before there was a chain.
    more : mapping
        Fields of a later version, by name, which this one does not know: the digest is over them as well.
    sealed : str
        Digest that is stored beside the entry, ``""`` where none is. It says nothing new: it names what was changed since.
    """

    stream: str
    sequence: int
    containment_id: str
    step: Step
    time_ms: int
    correlation_id: str
    verdict_id: str
    actor: str
    plan: Mapping[str, Any] | None
    detail: Mapping[str, Any]
    expires_ms: int | None = None
    verdict: str = ""
    case: str = ""
    previous: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    sealed: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        """Names this entry among all: ``<stream>/<sequence>``."""
        return f"{self.stream}/{self.sequence}"

    @property
    def digest(self) -> str:
        """``1:`` and SHA-256 (hex) of the entry as canonical JSON: sorted keys, no spaces, ASCII, no fields at their defaults.

        A field that a later version adds, with a default, leaves the digests of what was written before as they are.
        """
        return _digest(self.as_written())

    def as_written(self) -> dict[str, Any]:
        """Return the fields that are kept, by name: all but ``sealed``, and none at its default.

        So a reader that does not know a field has it only where the digest is over it.
        """
        values = asdict(self)
        del values["sealed"]
        more = values.pop("more")
        known = {name: value for name, value in values.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}
        # Else the digest of another entry could be had by putting what that one says of a field into ``more``.
        return known | {name: value for name, value in more.items() if name not in _FIELDS}

    @classmethod
    def read(cls, written: Mapping[str, Any], *, sealed: str = "") -> JournalEntry:
        """Read :meth:`as_written`, also of a later version. Raises ValueError when a field is missing, or the step is none."""
        known = known_fields(cls, written)
        more = {name: value for name, value in written.items() if name not in known}
        try:
            return cls(**{**known, "step": Step(written["step"]), "more": more, "sealed": sealed})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not an entry of the journal: {error}") from error

    @property
    def awaits_corroboration(self) -> bool:
        """Refused for want of a second signal, and for nothing else."""
        return self.step is Step.REFUSED and self.detail.get("wants") == CORROBORATION

    @property
    def left_held(self) -> bool:
        """An undo that left its target, in part at least, as the action had made it."""
        return self.step is Step.UNDONE and self.detail.get("held") is True

    @property
    def holds(self) -> tuple[str, ...]:
        """Of an undo, each part that it left so, and why; none of an entry from before they were named."""
        return tuple(self.detail.get("holds", ())) if self.left_held else ()


_FIELDS = frozenset(each.name for each in fields(JournalEntry))
#: Defaults of the fields that have one.
_DEFAULTS = {each.name: each.default for each in fields(JournalEntry) if each.default is not MISSING}


def link(stream: str, before: Sequence[JournalEntry]) -> str:
    """Return what the next entry of a stream carries as ``previous``: the digest of the last of those before it.

    The first entry of a stream carries the digest of the stream's name, so that none can be moved to another stream.
    """
    return before[-1].digest if before else _digest({"stream": stream})


def following(
    stream: str,
    before: Sequence[JournalEntry],
    step: Step,
    *,
    about: str,
    actor: str,
    now_ms: int,
    detail: Mapping[str, Any],
    expires_ms: int | None = None,
) -> JournalEntry:
    """Return the next entry of a stream that is about no verdict: orders of a day, anchors of a day, the master switch.

    Parameters
    ----------
    stream : str
    before : sequence of JournalEntry
        All that the stream has.
    step, actor, now_ms, detail, expires_ms
        As of the entry.
    about : str
        What it is found by, where others have the id of a containment.
    """
    return JournalEntry(
        stream=stream,
        sequence=len(before) + 1,
        containment_id=about,
        step=step,
        time_ms=now_ms,
        correlation_id=stream,
        verdict_id="",
        actor=actor,
        plan=None,
        detail=detail,
        expires_ms=expires_ms,
        previous=link(stream, before),
    )


def _digest(written: Mapping[str, Any]) -> str:
    text = json.dumps(written, separators=(",", ":"), sort_keys=True)
    return f"{_VERSION}:{hashlib.sha256(text.encode()).hexdigest()}"


class SequenceTaken(Exception):
    """Another writer appended this sequence number first: read the stream again and decide anew."""


class Journal(Protocol):
    """Append-only. No implementation can update or delete."""

    def append(self, entry: JournalEntry) -> None:
        """Write the entry. Raises SequenceTaken when another has its number; the very same one there is no other."""
        ...

    def stream(self, name: str) -> list[JournalEntry]:
        """Every entry of that stream in order; empty where there is none. Strongly consistent."""
        ...

    def expiring(self, before_ms: int) -> Iterable[str]:
        """Names of streams with an entry at a step of :data:`EXPIRES` whose ``expires_ms`` lies before the given time."""
        ...

    def written(self, since_ms: int) -> Iterable[str]:
        """Names of streams with an entry of that time or later; streams of anchors are left out.

        An entry that was written a moment ago may be missing, and a name may lead to a stream without one.
        """
        ...

    def find(self, containment_id: str) -> str | None:
        """Name of the stream that holds that containment."""
        ...


class InProcessJournal:
    """The journal in a list per stream: for tests, replays and a console without a cloud."""

    def __init__(self) -> None:
        self._streams: dict[str, list[JournalEntry]] = {}

    def append(self, entry: JournalEntry) -> None:
        entries = self._streams.setdefault(entry.stream, [])
        if entry.sequence <= len(entries):
            if entries[entry.sequence - 1] == entry:
                return
            raise SequenceTaken(f"{entry.stream} already has an entry {entry.sequence}")
        if entry.sequence != len(entries) + 1:
            raise ValueError(f"{entry.stream} has {len(entries)} entries: the next is not {entry.sequence}")
        entries.append(replace(entry, sealed=entry.digest))

    def stream(self, name: str) -> list[JournalEntry]:
        return list(self._streams.get(name, ()))

    def expiring(self, before_ms: int) -> Iterable[str]:
        return tuple(
            name
            for name, entries in self._streams.items()
            if any(e.step in EXPIRES and e.expires_ms is not None and e.expires_ms < before_ms for e in entries)
        )

    def written(self, since_ms: int) -> Iterable[str]:
        return tuple(
            name
            for name, entries in self._streams.items()
            if any(e.step is not Step.ANCHORED and e.time_ms >= since_ms for e in entries)
        )

    def find(self, containment_id: str) -> str | None:
        return next((n for n, entries in self._streams.items() if any(e.containment_id == containment_id for e in entries)), None)
