"""What one pass of detection over one batch yields, whatever the telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared_model.events import Entity
from shared_model.memory import Remembered
from shared_model.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class EntityScore:
    """The highest score of an entity's windows in one batch, for logs, score curves and calibration.

    ``time_ms`` is the last event of that window; ``events`` is how many new events were scored.
    """

    entity: Entity
    time_ms: int
    probability: float
    events: int


@dataclass(frozen=True, slots=True)
class Detection:
    """Result of scoring one batch.

    The caller sends ``verdicts`` first and stores ``states`` second: killed in between, it scores the same events again, and
    sends verdicts of the same ids whatever came behind them; the other way round it would lose them.

    Attributes
    ----------
    verdicts : tuple of Verdict
        At most one per entity: its highest-scoring window, where that reaches the threshold.
    states : mapping of memory key to Remembered
        What to keep for the entities that were seen.
    scores : tuple of EntityScore
        One per entity that was scored.
    duplicates, late : int
        Events dropped because they were seen before; events older than what their entity's window holds
        (scored, but not kept in order).
    """

    verdicts: tuple[Verdict, ...]
    states: Mapping[str, Remembered]
    scores: tuple[EntityScore, ...]
    duplicates: int = 0
    late: int = 0
