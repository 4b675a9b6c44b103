"""A fit that was interrupted ends with the weights of one that was not. Needs TensorFlow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow lives in the training environment (make train makes it)")

from training.architecture import Architecture
from training.checkpoints import Checkpoints, ForeignCheckpoint, Keeping
from training.export import weights_of
from training.fitting import Labelled, fit

pytestmark = pytest.mark.training
TINY = Architecture(window=16, features=6, classes=3, event=5, filters=7, units=4, head=5)
EPOCHS = 5


class Reclaimed(Exception):
    """The machine was taken away."""


def labelled(seed: int, *, shifted: int = 0) -> Labelled:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, 700)
    windows = rng.normal(size=(700, 16, 6)).astype(np.float32)
    windows[:, :, 0] += classes[:, None]
    return Labelled(windows, (classes + shifted) % 3)


def fitted(keeping: Keeping | None, *, until: int = 99, validation: Labelled | None = None, epochs: int = EPOCHS):
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "(kept)" not in line and line.startswith(f"epoch {until + 1}/"):
            raise Reclaimed

    model = fit(TINY, labelled(1), validation or labelled(2), seed=4, epochs=epochs, progress=say, keeping=keeping)
    return weights_of(model), said


def equal(one, other) -> bool:
    return all(np.array_equal(a, b) for name in one for a, b in zip(one[name], other[name], strict=True))


def keeping_in(folder: Path, run: str = "run") -> Keeping:
    return Keeping(Checkpoints(folder, run), "network-seed4")


@pytest.fixture(scope="module")
def whole():
    """Weights of a fit that nothing interrupted and that kept nothing, and what it said."""
    return fitted(None)


def test_interrupted_twice_it_goes_on_and_ends_the_same(tmp_path, whole):
    for until in (2, 4):
        with pytest.raises(Reclaimed):
            fitted(keeping_in(tmp_path), until=until)
    resumed, again = fitted(keeping_in(tmp_path))
    assert equal(whole[0], resumed)
    assert [line.removesuffix("  (kept)") for line in again] == whole[1]
    assert sum(line.endswith("(kept)") for line in again) == 4


def test_a_fit_that_early_stopping_ended_is_not_trained_further(tmp_path):
    misleading = labelled(3, shifted=1)  # the better the fit, the worse it looks
    ended, said = fitted(keeping_in(tmp_path), validation=misleading, epochs=30)
    assert len(said) < 30
    resumed, again = fitted(keeping_in(tmp_path), validation=misleading, epochs=30)
    assert equal(ended, resumed)
    assert all(line.endswith("(kept)") for line in again)


def test_a_torn_file_costs_one_epoch(tmp_path, whole):
    with pytest.raises(Reclaimed):
        fitted(keeping_in(tmp_path), until=4)
    newest = max(tmp_path.glob("*.npz"), key=keeping_state)
    newest.write_bytes(newest.read_bytes()[:-400])
    resumed, again = fitted(keeping_in(tmp_path))
    assert sum(line.endswith("(kept)") for line in again) == 3
    assert equal(whole[0], resumed)


def keeping_state(path: Path) -> int:
    with np.load(path) as file:
        return json.loads(file["header"].tobytes())["epoch"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    with pytest.raises(Reclaimed):
        fitted(keeping_in(tmp_path), until=1)
    with pytest.raises(ForeignCheckpoint, match="empty folder"):
        fitted(keeping_in(tmp_path, run="another"))


def test_the_older_of_two_files_is_written(tmp_path):
    checkpoints = Checkpoints(tmp_path, "run")
    with pytest.raises(Reclaimed):
        fitted(Keeping(checkpoints, "a"), until=1)
    state = checkpoints.load("a")
    for epoch in (2, 3):
        checkpoints.save("a", replace(state, epoch=epoch))
    assert sorted(keeping_state(path) for path in tmp_path.glob("a.*.npz")) == [2, 3]
    assert not list(tmp_path.glob("*.partial"))
