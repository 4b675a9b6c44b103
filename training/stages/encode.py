"""encode: scenarios told and recordings read through the parsers and encoders that serve, as arrays."""

from __future__ import annotations

from training.sequences import Story
from training.stages import clean, material
from training.stages.stage import Cell, Figures, Stage


def run(cell: Cell) -> Figures:
    """Gather the material of the first seed's stories and store it."""
    build = cell.build
    root = clean.recordings(build)
    build.progress(f"{build.task.name}: {'scenarios and recorded data' if root else 'no recorded data: scenarios only'}")
    gathered = build.task.gather(root, build.seeds[0], build.repeats, build.progress)
    build.progress(f"{len(gathered.train):,} training stories, {len(gathered.validation):,} for validation")
    material.save(gathered, cell.place)
    sets = {"train": gathered.train, "stopping": gathered.stopping, "validation": gathered.validation, **gathered.tests}
    return {name: _counted(stories) for name, stories in sets.items()}


def _counted(stories: list[Story]) -> Figures:
    return {
        "stories": len(stories),
        "attacks": sum(story.attack for story in stories),
        "events": sum(len(story.labels) for story in stories),
    }


STAGE = Stage(
    "encode", "scenarios and recordings through the parsers and encoders that serve", run, needs=("load", "clean"),
    settings=("name", "seed", "repeats"), calls=("gather",),
)  # fmt: skip
