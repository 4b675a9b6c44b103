"""Which stages of a build stand: what they left is there, and all that decided it is as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from training.stages.stage import Build, Kept, Stage, read


@dataclass(slots=True)
class Standing:
    """What stands of one build, looked up once.

    Attributes
    ----------
    build : Build
    stages : mapping of str to Stage
        By name, in the order of the chain.
    """

    build: Build
    stages: Mapping[str, Stage]
    _known: dict[tuple[str, int | None], Kept] = field(default_factory=dict)

    def take(self, stage: Stage, seed: int | None, kept: Kept) -> None:
        """Note what a cell has just left."""
        self._known[stage.name, seed] = kept

    def of(self, stage: Stage, seed: int | None) -> tuple[Kept | None, str]:
        """What the cell left, where it stands; else None and why it does not."""
        if (stage.name, seed) in self._known:
            return self._known[stage.name, seed], ""
        place = self.build.place(stage.name, seed)
        kept = read(place)
        if kept is None:
            return None, "has not been run"
        inputs, why = self.inputs(stage, seed)
        if inputs is None:
            return None, why
        if changed := kept.changed(stage.parts(self.build, seed, inputs)):
            return None, f"is of before a change ({', '.join(changed[:3])}{', …' if len(changed) > 3 else ''})"
        if lost := kept.lost(place):
            return None, f"has lost {lost[0]}"
        self.take(stage, seed, kept)
        return kept, ""

    def inputs(self, stage: Stage, seed: int | None) -> tuple[dict[str, str] | None, str]:
        """Checksums of the files of the stages that a cell needs; None and why where one of these does not stand."""
        found: dict[str, str] = {}
        for need in (self.stages[name] for name in stage.needs):
            for each in (seed,) if need.each_seed and stage.each_seed else need.seeds(self.build):
                kept, why = self.of(need, each)
                if kept is None:
                    return None, f"rests on {need.name}, which {why}"
                within = self.build.place(need.name, each).relative_to(self.build.folder).as_posix()
                found |= {f"{within}/{name}": digest for name, digest in kept.files.items()}
        return found, ""

    def missing(self, wanted: tuple[str, ...]) -> dict[str, str]:
        """Stages that must run before the wanted ones can, by name with why they do not stand, in the order of the chain.

        What rests on a wanted stage is not judged: it may stand once that has been run.
        """
        before = {need for name in wanted for need in self._before(name)}
        found: dict[str, str] = {}
        for name in self.stages:
            if name in before and name not in wanted and not self._before(name) & set(wanted):
                for seed in self.stages[name].seeds(self.build):
                    kept, why = self.of(self.stages[name], seed)
                    if kept is None:
                        found.setdefault(name, why)
        return found

    def _before(self, name: str) -> frozenset[str]:
        """Every stage that must have run before this one."""
        needs = self.stages[name].needs
        return frozenset(needs).union(*(self._before(need) for need in needs))
