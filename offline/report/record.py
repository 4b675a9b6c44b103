"""What a demo run did, as plain data: the terminal and the HTML report show the same record."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Cloud(StrEnum):
    """Where a scene was played."""

    AWS = "AWS"
    AZURE = "Azure"


class Kind(StrEnum):
    """What a timeline entry is."""

    EVENT = "event"
    SCORE = "score"
    DECISION = "decision"
    CHANGE = "change"
    REFUSAL = "refusal"
    NOOP = "no-op"
    UNDO = "undo"


class Provenance(StrEnum):
    """Where a scene's input comes from; the report says it beside every scene."""

    RECORDED = "recorded"
    RECORDED_MOVED = "recorded, moved to the seeded account and to now"
    RECORDED_REHOSTED = "recorded rows, generated hosts and times"
    GENERATED = "generated"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One step that a person would want to see.

    Attributes
    ----------
    at_s : float
        Seconds since the scene began.
    kind : Kind
    text, detail : str
    correlation_id : str
    number : int
        Short name of the correlation id within the run, 0 where it has none.
    introduces : bool
        Whether the scene names this correlation id for the first time.
    """

    at_s: float
    kind: Kind
    text: str
    detail: str = ""
    correlation_id: str = ""
    number: int = 0
    introduces: bool = True


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """The highest score of one entity in one delivery. ``at_s`` is the time of that window's last event, in seconds."""

    at_s: float
    entity: str
    probability: float
    threshold: float
    detector: str


@dataclass(frozen=True, slots=True)
class Diff:
    """The state an action owns, before and after, as JSON values."""

    title: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def lines(self) -> list[tuple[str, str]]:
        """Unified diff as (sign, text) with sign one of ``+``, ``-`` and blank."""
        before, after = (json.dumps(value, indent=2, sort_keys=True).splitlines() for value in (self.before, self.after))
        return [(line[0], line[2:]) for line in difflib.ndiff(before, after) if line[0] in "+- "]


@dataclass(frozen=True, slots=True)
class Latency:
    """Where the time of one containment went, in milliseconds.

    Attributes
    ----------
    telemetry : float
        Event handed to the cloud → function invoked (emulated services and queues).
    decision : float
        Our own time in the detecting function, for the whole delivery that led to the verdict; the services' share is not in it.
    action : float
        From the verdict's arrival at ``respond`` to the verified change, the emulated services' share included.
    """

    telemetry: float
    decision: float
    action: float


@dataclass(frozen=True, slots=True)
class Judged:
    """What the models said of one entity of a scene, and what its label says."""

    entity: str
    attack: bool
    alarmed: bool

    @property
    def right(self) -> bool:
        """Whether the two agree."""
        return self.attack == self.alarmed


@dataclass(slots=True)
class Scene:
    """One story of the demo and everything that happened in it.

    Attributes
    ----------
    attackers : set of str
        Ids of the entities that are labelled as attacking, or as attacked where a host's own log tells of it.
    decisions_ms : list of float
        Our own time in each delivery to a detecting function.
    pair : str
        The same for a scene's counterpart on the other cloud.
    """

    title: str
    story: str
    provenance: Provenance
    source: str
    cloud: Cloud = Cloud.AWS
    attackers: set[str] = field(default_factory=set)
    pair: str = ""
    decisions_ms: list[float] = field(default_factory=list)
    timeline: list[TimelineEntry] = field(default_factory=list)
    scores: list[ScorePoint] = field(default_factory=list)
    diffs: list[Diff] = field(default_factory=list)
    latency: Latency | None = None
    events: int = 0
    outcome: str = ""
    failed: bool = False

    def conclude(self, success: str, **expected: bool) -> None:
        """Say how it came out: ``success`` when every expectation holds, else which did not."""
        missed = [name.replace("_", " ") for name, holds in expected.items() if not holds]
        self.failed = bool(missed)
        self.outcome = f"NOT as it must: {', '.join(missed)} did not hold" if missed else success

    @property
    def judged(self) -> list[Judged]:
        """One for each entity that a model scored; none where all that was played is generated, which is no evidence."""
        if self.provenance is Provenance.GENERATED:
            return []
        alarmed: dict[str, bool] = {}
        for point in self.scores:
            alarmed[point.entity] = alarmed.get(point.entity, False) or point.probability >= point.threshold
        return [Judged(entity, entity.partition(" ")[2] in self.attackers, said) for entity, said in alarmed.items()]

    @property
    def highest(self) -> ScorePoint | None:
        """The highest score, if anything was scored."""
        return max(self.scores, key=lambda point: point.probability, default=None)


@dataclass(frozen=True, slots=True)
class SkippedResource:
    """A resource type of the templates that the embedded AWS does not make, with the reason."""

    type: str
    count: int
    reason: str


@dataclass(slots=True)
class DemoRecord:
    """A whole run."""

    started: str
    machine: str
    versions: dict[str, str]
    scenes: list[Scene] = field(default_factory=list)
    stacks: dict[str, int] = field(default_factory=dict)
    skipped: list[SkippedResource] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)

    def of(self, cloud: Cloud) -> list[Scene]:
        """The scenes on one cloud."""
        return [scene for scene in self.scenes if scene.cloud is cloud]

    @property
    def pairs(self) -> list[tuple[Scene | None, Scene | None]]:
        """Scenes that tell the same story on AWS and on Azure, side by side, in the order in which they were played."""
        by_story: dict[str, dict[Cloud, Scene]] = {}
        for scene in self.scenes:
            by_story.setdefault(scene.pair or scene.title, {})[scene.cloud] = scene
        return [(told.get(Cloud.AWS), told.get(Cloud.AZURE)) for told in by_story.values()]
