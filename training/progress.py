"""How far a build is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.progress import Progress


class EpochsDone:
    """A bar over the epochs of all fits of all detectors; a fit that stopped early counts as whole when the next one begins."""

    def __init__(self, bar: Progress, seeds: Sequence[int], epochs: Mapping[str, int]) -> None:
        self._bar, self._seeds, self._epochs = bar, seeds, epochs
        self._task = bar.add_task("training", total=len(seeds) * sum(epochs.values()))
        self._before = 0

    def show(self, detector: str, fit: int, epoch: int) -> None:
        """So many epochs of the detector's fit of that number (from 0) are done."""
        done = self._before + fit * self._epochs[detector] + epoch
        self._bar.update(self._task, description=f"{detector}, seed {self._seeds[fit]}", completed=done)

    def finish(self, detector: str) -> None:
        """All fits of the detector are done."""
        self._before += len(self._seeds) * self._epochs[detector]
        self._bar.update(self._task, completed=self._before)
