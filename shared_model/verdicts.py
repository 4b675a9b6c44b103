"""A verdict: what a detector, or a cloud's own finding, says about one entity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from shared_model.events import Entity, EntityKind, Telemetry


@dataclass(frozen=True, slots=True)
class Evidence:
    """One event that weighed in a verdict.

    ``weight`` is how much the probability falls when the event is taken out of its window (0–1).
    """

    event_id: str
    time_ms: int
    weight: float
    summary: str


#: In whose name verdicts are: the detectors that ship, and what the clouds' own findings are of.
DETECTORS = ("network", "audit", "guardduty", "sentinel", "defender")

#: Names that a verdict keeps of what its events show, the characters of each, and what they take together as JSON: a message
#: holds no more than 48 KB.
SEEN, _SEEN_LENGTH, _SEEN_BYTES = 64, 1024, 16 * 1024


def seen_in(names: Iterable[str]) -> tuple[str, ...]:
    """Return what a verdict keeps of names that its events show: each once, the first of them before the others.

    One that is too long, or does not fit beside those before it, makes way for the next.
    """
    kept: list[str] = []
    room = _SEEN_BYTES
    for name in dict.fromkeys(names):
        takes = len(json.dumps(name)) + 1
        if len(kept) < SEEN and name and len(name) <= _SEEN_LENGTH and takes <= room:
            kept.append(name)
            room -= takes
    return tuple(kept)


#: The years 1970 to 9999: a time outside has no calendar day.
_MILLISECONDS = range(253_402_300_800_000)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One signal about one entity.

    Attributes
    ----------
    id : str
        :func:`verdict_id` of what it is about: the same cause gives the same id however often it is delivered, also with
        other events behind it (docs/decisions/114).
    correlation_id : str
        Follows one event from its delivery to the journal.
    detector, detector_version : str
        ``network`` or ``audit``, or the product of a finding (``guardduty``).
    telemetry : Telemetry
        What it was drawn from.
    entity : Entity
        What it is about.
    related : tuple of Entity
        Other names of the same thing, or what it acted through (instance of an address, session of a role).
    time_ms : int
        Time of the latest event that it rests on: the end of the last window that alarmed, which need not be the one that the
        probability and the evidence are of.
    probability, threshold : float
        Score and the detector's calibrated threshold, both 0–1. A finding's probability is its severity / 10.
    technique : str
        MITRE ATT&CK technique id, ``""`` where unknown.
    title : str
        One line for a person.
    evidence : tuple of Evidence
        The events that weighed most, heaviest first.
    completed_flow : bool
        Rests on at least one two-way flow. An address is blocked only then (a spoofed source proves nothing).
    session_issued_ms : int or None
        For a session: when its token was issued.
    reached : tuple of Entity
        Of an address from outside: the monitored interfaces that it has talked to in two-way flows, where it can be denied.
        They are no names of the entity, and lend it no signal.
    opened : tuple of Entity
        What the calls of the window may have opened to others, that of the heaviest call first: what can be closed again.
        Neither are these names of the entity.
    seen : tuple of str
        Addresses and ids that the events of this delivery show, at most :data:`SEEN`, those of the alarming window first: remote
        ends of two-way flows; sources, access keys, principals and targets of calls.
    """

    id: str
    correlation_id: str
    detector: str
    detector_version: str
    telemetry: Telemetry
    entity: Entity
    related: tuple[Entity, ...]
    time_ms: int
    probability: float
    threshold: float
    technique: str
    title: str
    evidence: tuple[Evidence, ...] = ()
    completed_flow: bool = False
    session_issued_ms: int | None = None
    reached: tuple[Entity, ...] = ()
    opened: tuple[Entity, ...] = ()
    seen: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` reads it back."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Verdict:
        """Read :meth:`to_json`, also of a later version. Raises ValueError naming the field that is missing or wrong."""
        try:
            data: dict[str, Any] = json.loads(text)
            _hold_to_types(data)
            return cls(
                **{
                    **known_fields(cls, data),
                    "telemetry": Telemetry(data["telemetry"]),
                    "entity": _entity(data["entity"]),
                    "related": tuple(_entity(entity) for entity in data["related"]),
                    "evidence": tuple(Evidence(**known_fields(Evidence, item)) for item in data["evidence"]),
                    "reached": tuple(_entity(entity) for entity in data.get("reached", ())),
                    "opened": tuple(_entity(entity) for entity in data.get("opened", ())),
                    "seen": tuple(data.get("seen", ())),
                }
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a verdict: {error}") from error


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _MILLISECONDS


#: What fields hold that are taken as they stand.
_HOLDS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("id", "correlation_id", "detector", "detector_version", "technique", "title"), _is_text),
    **dict.fromkeys(("probability", "threshold"), _is_share),
    "time_ms": _is_time,
    "session_issued_ms": lambda value: value is None or _is_time(value),
    "completed_flow": lambda value: isinstance(value, bool),
    "evidence": lambda value: isinstance(value, list) and all(_is_time(each["time_ms"]) for each in value),
    "seen": lambda value: isinstance(value, list) and all(map(_is_text, value)),
}


def _hold_to_types(data: Mapping[str, Any]) -> None:
    """Raise ValueError for what is of another type: a comparison far behind would fail on it, at every delivery."""
    for name, holds in _HOLDS.items():
        if name in data and not holds(data[name]):
            raise ValueError(f"not a verdict: {name} cannot be {json.dumps(data[name])[:80]}")


def known_fields(kind: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what this version knows of a dataclass that another version wrote.

    During an update a newer detector writes what an older responder reads, and nothing may be lost for a field too many.
    """
    return {each.name: data[each.name] for each in fields(kind) if each.name in data}


def verdict_id(detector: str, version: str, entity: Entity, cause: str) -> str:
    """Deterministic id (32 hex digits) of a verdict.

    ``cause`` names what it is known by: the first of the entity's events that were new when it was scored, or the finding's
    id. It is in no way the event that weighed most: that is the first evidence.
    """
    return hashlib.sha256("\n".join((detector, version, entity.key, cause)).encode()).hexdigest()[:32]


def _entity(data: dict[str, str]) -> Entity:
    if not (isinstance(data["id"], str) and isinstance(data["account"], str)):
        raise ValueError(f"not a verdict: an entity's id and account are texts, not {json.dumps(data)[:160]}")
    return Entity(EntityKind(data["kind"]), data["id"], data["account"])
