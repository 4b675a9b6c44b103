"""What detection needs of a detector, in its own words: :class:`shared_model.detector.Detector` fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from shared_model.events import Entity, Telemetry
from shared_model.verdicts import Evidence, Verdict, verdict_id

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ThreatClass(Protocol):
    """One output of a model: its name and MITRE ATT&CK technique."""

    @property
    def name(self) -> str: ...
    @property
    def technique(self) -> str: ...


class Scorer(Protocol):
    """A model with its threshold."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def window(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def threshold(self) -> float: ...
    @property
    def classes(self) -> Sequence[ThreatClass]: ...

    def score(self, windows: NDArray[np.float32], /) -> tuple[NDArray[Any], NDArray[Any]]:
        """Probability (B,) and class index (B,) of windows (B, T, F)."""
        ...

    def explain(self, window: NDArray[np.float32], /) -> NDArray[Any]:
        """Weight (T,) of each event of one window (T, F)."""
        ...


def memory_key(detector: Scorer, entity: Entity) -> str:
    """Key of an entity in the memory of a detector."""
    return f"{detector.name}#{entity.key}"


def verdict_of(
    detector: Scorer,
    telemetry: Telemetry,
    entity: Entity,
    related: tuple[Entity, ...],
    when: int,
    probability: float,
    kind: int,
    cause: str,
    evidence: tuple[Evidence, ...],
    *,
    correlation_id: str = "",
    session_issued_ms: int | None = None,
    completed_flow: bool = False,
    reached: tuple[Entity, ...] = (),
    opened: tuple[Entity, ...] = (),
    seen: tuple[str, ...] = (),
) -> Verdict:
    """Word a verdict. ``cause`` is the id of the event that it is known by, ``kind`` the class that the model chose."""
    threat = detector.classes[kind]
    heaviest = f": {evidence[0].summary}" if evidence else ""
    return Verdict(
        id=verdict_id(detector.name, detector.version, entity, cause),
        correlation_id=correlation_id,
        detector=detector.name,
        detector_version=detector.version,
        telemetry=telemetry,
        entity=entity,
        related=related,
        time_ms=when,
        probability=probability,
        threshold=detector.threshold,
        technique=threat.technique,
        title=f"{threat.name.replace('_', ' ')} by {entity.kind} {entity.id}{heaviest}",
        evidence=evidence,
        completed_flow=completed_flow,
        session_issued_ms=session_issued_ms,
        reached=reached,
        opened=opened,
        seen=seen,
    )
