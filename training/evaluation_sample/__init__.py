"""A stored sample on which two models can be compared at any time: the same bytes, scored by the engine that serves.

Stories of families that training never sees, generated once and kept, since a generator that moves would compare two models on
two samples. Recorded data may not be copied into the project, so there is none in it: it says which of two models is better on
these stories, and nothing about the world. ``python -m training.evaluation_sample`` generates it anew: a change to review.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_model.detector import ENCODERS, Detector
from training.evaluation import Report, Scored, report, score_stories
from training.sequences import Story
from training.tasks import TASKS

FOLDER = Path(__file__).parent
_SEED = 20_261
#: Stories of each attack family, and of each benign family at most.
_ATTACK, _BENIGN = {"network": 8, "audit": 12}, {"network": 8, "audit": 24}
#: No story is longer: a few long ones must not outweigh the rest.
_EVENTS = 120


class SampleUnfit(Exception):
    """The stored sample does not fit this code. Says what to do about it."""


def write(name: str, folder: Path = FOLDER) -> Path:
    """Generate the sample of one detector and store it."""
    from training import audit_data, network_data
    from training.scenarios import Split

    told = (network_data if name == "network" else audit_data).scenario_stories(Split.TEST, seed=_SEED, repeats=_ATTACK[name])
    stories = _chosen(told, _BENIGN[name])
    path = folder / f"{name}.npz"
    np.savez_compressed(
        path,
        features=np.array(TASKS[name]().features),
        rows=np.concatenate([story.rows for story in stories]),
        labels=np.concatenate([story.labels for story in stories]).astype(np.uint8),
        lengths=np.array([len(story.labels) for story in stories], np.uint16),
        families=np.array([story.family for story in stories]),
        attack=np.array([story.attack for story in stories]),
        days=np.array([story.days for story in stories], np.float64),
    )
    return path


def read(name: str, folder: Path = FOLDER) -> list[Story]:
    """Read the sample of one detector. Raises SampleUnfit where its rows are not what this code's encoder gives."""
    path = folder / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {key: file[key] for key in file.files}
    except FileNotFoundError as error:
        raise SampleUnfit(f"{path} is missing: run `python -m training.evaluation_sample`") from error
    if tuple(held["features"]) != TASKS[name]().features:
        raise SampleUnfit(f"{path} holds other features than {ENCODERS[name]}: run `python -m training.evaluation_sample`")
    ends = np.cumsum(held["lengths"].astype(int))
    return [
        Story(
            held["rows"][end - length : end], held["labels"][end - length : end].astype(np.int64), str(family), bool(attack),
            float(days), f"{name}-{number}",
        )
        for number, (end, length, family, attack, days) in enumerate(
            zip(ends, held["lengths"].astype(int), held["families"], held["attack"], held["days"], strict=True)
        )
    ]  # fmt: skip


def judge(detector: Detector, stories: list[Story]) -> Report:
    """Figures of a shipped or returned detector on stories, at its own threshold, by the engine and scaling that serve."""
    return report(scored(detector, stories), threshold=detector.threshold, enough=TASKS[detector.name]().enough)


def scored(detector: Detector, stories: list[Story]) -> Scored:
    """Cut stories at the ends that serving takes and score them by the engine and scaling that serve."""
    task = TASKS[detector.name]()

    def logits(rows: NDArray[np.generic]) -> NDArray[np.float32]:
        return detector.engine.logits(detector.scaled(task.dense(rows)))

    return score_stories(stories, logits)


def _chosen(stories: Iterable[Story], benign: int) -> list[Story]:
    """Every attack story and the first benign ones of each family, none longer than allowed and no attack cut."""
    taken: Counter[str] = Counter()
    chosen = []
    for story in stories:
        hostile = np.flatnonzero(story.labels > 0)
        end = len(story.labels) if not len(hostile) else int(hostile[-1]) + 1
        if not story.attack:
            taken[story.family] += 1
            if taken[story.family] > benign:
                continue
            end = min(end, _EVENTS)
        begin = max(0, end - _EVENTS)
        share = (end - begin) / len(story.labels)
        part = slice(begin, end)
        chosen.append(
            Story(story.rows[part], story.labels[part], story.family, story.attack, max(story.days * share, 1 / 24), story.entity)
        )
    return chosen


def main() -> None:
    argparse.ArgumentParser(prog="python -m training.evaluation_sample", description=__doc__).parse_args()
    for name in TASKS:
        path = write(name)
        stories = read(name)
        attacks = sum(story.attack for story in stories)
        print(f"{path.name}: {attacks} attack and {len(stories) - attacks} benign entities, {path.stat().st_size:,} bytes")
