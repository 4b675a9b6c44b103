"""How far a build is."""

from __future__ import annotations

from rich.progress import Progress


class CellsDone:
    """Two bars: stages of all detectors (a stage that is done for each seed counts once a seed), and steps within one of them."""

    def __init__(self, bar: Progress, cells: int) -> None:
        self._bar = bar
        self._all = bar.add_task("build", total=cells)
        self._one = bar.add_task("", total=1)

    def begin(self, title: str) -> None:
        """A stage begins; how many steps it has is said by the first of them."""
        self._bar.update(self._all, description=title)
        self._bar.reset(self._one, total=1)

    def stepped(self, done: int, of: int) -> None:
        """So many of so many steps of the stage are done."""
        self._bar.update(self._one, completed=done, total=of)

    def end(self) -> None:
        """The stage is done, or need not be run again."""
        self._bar.advance(self._all)
