"""Alerts as an operator counts them: one an entity and hour, by entity-days and by events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Scored
from training.sequences import serving_ends

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Hourly:
    """The highest probability of each benign entity in each hour in which it did anything.

    Attributes
    ----------
    peaks : float64 (n,)
        One for each entity and hour.
    entity_days, events : float, int
        How long the entities were watched, and how much they did.
    """

    peaks: NDArray[np.float64]
    entity_days: float
    events: int

    def alerts(self, threshold: float) -> int:
        return int(np.sum(self.peaks >= threshold))

    def threshold(self, alerts_per_entity_day: float) -> float:
        """Smallest threshold at which there are at most that many alerts per entity-day."""
        if not len(self.peaks):
            raise ValueError("no benign entity to take a threshold from: the validation split has no benign scenario")
        allowed = int(alerts_per_entity_day * self.entity_days)
        ordered = np.sort(self.peaks)[::-1]
        return float(ordered[-1]) if allowed >= len(ordered) else float(np.nextafter(ordered[allowed], 1.0))


def hourly(scored: Scored) -> Hourly:
    """Peaks of the benign stories. A story without times counts as one hour, however long it is."""
    peaks: dict[tuple[int, int], float] = {}
    days, events = 0.0, 0
    for story in scored.stories:
        if story.attack:
            continue
        days, events = days + story.days, events + len(story.labels)
    ends = _ends(scored)
    for number, end, probability in zip(scored.windows.story.tolist(), ends, scored.probability.tolist(), strict=True):
        story = scored.stories[number]
        if story.attack:
            continue
        hour = int(story.times_ms[end]) // _HOUR_MS if story.times_ms is not None else 0
        peaks[number, hour] = max(peaks.get((number, hour), 0.0), probability)
    return Hourly(np.array(list(peaks.values()), np.float64), days, events)


def _ends(scored: Scored) -> Sequence[int]:
    """The event that each window ends with, in the order of the windows."""
    return [end for story in scored.stories for end in serving_ends(len(story.labels)).tolist()]
