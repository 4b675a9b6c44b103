"""Controls: what must come out near chance, or the protocol is broken; and how far generated records are from real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Scored
from training.metrics import area_under_curve
from training.scenarios.library import scenarios_by_family
from training.sequences import Story, Windows, cut_stories

#: Stories in which the owner's own calls stand where an attack would.
CONTROL = "control of "
Dense = Callable[[NDArray[np.generic]], NDArray[np.float32]]


def replaced(scored: Scored, threshold: float) -> dict[str, float] | None:
    """Attacks replaced by benign events in the same places, held against the windows of other benign entities.

    Families that look like an attack are left out of the others: they are there to alarm more than most.

    Returns
    -------
    dict or None
        ``auc`` (0.5 is chance), how many ``controls``, and the shares of both's windows that alarm; None without controls.
    """
    alike = {family.name for family in scenarios_by_family() if family.looks_like}
    names = [story.family for story in scored.stories]
    control = np.array([name.startswith(CONTROL) for name in names])
    others = np.array([not story.attack and story.family not in alike for story in scored.stories]) & ~control
    if not control.any() or not others.any():
        return None
    of_control, of_others = control[scored.windows.story], others[scored.windows.story]
    chosen = of_control | of_others
    return {
        "auc": round(area_under_curve(of_control[chosen], scored.probability[chosen]), 6),
        "controls": int(control.sum()),
        "alarm": round(float(np.mean(scored.probability[of_control] >= threshold)), 6),
        "others_alarm": round(float(np.mean(scored.probability[of_others] >= threshold)), 6),
    }


def only_lengths(train: Windows, test: list[Story], *, seed: int) -> dict[str, float]:
    """What a forest reaches that sees of a window how many events are padding, and nothing else (``auc``, 0.5 is chance).

    Trained on the windows that the detector is trained on.
    """
    from sklearn.ensemble import RandomForestClassifier

    windows = cut_stories(test)
    forest = RandomForestClassifier(100, max_depth=4, class_weight="balanced", random_state=seed)
    forest.fit(_padding(train), train.evidence > 0)
    truth = windows.evidence > 0
    return {"auc": area_under_curve(truth, forest.predict_proba(_padding(windows))[:, 1])}


def separability(generated: list[Story], real: list[Story], dense: Dense, *, seed: int, most: int = 3000) -> dict[str, float]:
    """How well a forest tells generated benign windows from real ones, on entities that it was not trained on.

    Where one kind has a single entity, on windows that it was not trained on. 1 is perfectly apart: then figures on generated
    benign records say little about real ones.
    """
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(seed)
    parts: list[tuple[NDArray[np.float32], NDArray[np.int64], int]] = []
    for truth, stories in ((0, generated), (1, real)):
        windows = cut_stories([story for story in stories if not story.attack])
        chosen = np.sort(rng.permutation(len(windows))[:most])
        parts.append((_summary(dense(windows.rows[chosen])), windows.story[chosen], truth))
    rows = np.concatenate([part[0] for part in parts])
    truth_of = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    held = np.concatenate([part[1] % 2 == 1 for part in parts])
    if not (truth_of[held] == 1).any() or not (truth_of[~held] == 1).any():
        held = rng.random(len(held)) < 0.5
    forest = RandomForestClassifier(150, max_depth=12, class_weight="balanced", random_state=seed)
    forest.fit(rows[~held], truth_of[~held])
    return {
        "auc": area_under_curve(truth_of[held] == 1, forest.predict_proba(rows[held])[:, 1]),
        "generated": len(parts[0][0]),
        "real": len(parts[1][0]),
    }


def _padding(windows: Windows) -> NDArray[np.float32]:
    """How many events each window has: (n, 1)."""
    count = np.any(windows.rows.reshape(*windows.rows.shape[:2], -1) != 0, axis=2).sum(axis=1)
    return count[:, None].astype(np.float32)


def _summary(dense: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean and spread of each feature over a window's events."""
    return np.concatenate([dense.mean(axis=1), dense.std(axis=1)], axis=1)


def finite(figures: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same with numbers that JSON can hold."""
    if figures is None:
        return None
    return {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in figures.items()}
