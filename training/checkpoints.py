"""Where a fit stands after each epoch, so that an interrupted one goes on and ends with the same weights.

Everything that decides the next step is kept: weights, the optimizer's moments and step count, the state of the random generators
inside dropout, and what early stopping remembers. The order of batches needs no keeping: with TensorFlow's determinism on, each
epoch takes them in the order that follows from the seed.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Arrays = tuple[NDArray[Any], ...]
_GROUPS = ("model", "optimizer", "best_weights")


class ForeignCheckpoint(Exception):
    """The folder holds checkpoints of another run. Says what to do about it."""


@dataclass(frozen=True, slots=True)
class FitState:
    """A fit after an epoch.

    Attributes
    ----------
    epoch : int
        Epochs done.
    stopped : bool
        Early stopping has ended the fit: no epoch follows.
    model, optimizer, best_weights : tuple of arrays
        Variables in Keras' order; the best epoch's weights, none before there is one.
    best, best_epoch, wait
        What early stopping remembers.
    lines : tuple of str
        What was said of each epoch.
    """

    epoch: int
    stopped: bool
    model: Arrays
    optimizer: Arrays
    best_weights: Arrays
    best: float
    best_epoch: int
    wait: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """A folder of checkpoints that belong to one run.

    Each fit has two files that are written in turn. So while one is being written, copied or lost in the middle (a mounted
    object store renames by copying), the other one stands; damage is found by the checksums inside the file.

    Attributes
    ----------
    folder : Path
    run : str
        What decides the outcome, as a digest. A checkpoint of another run is refused, never continued.
    """

    folder: Path
    run: str

    def load(self, name: str) -> FitState | None:
        """Return the newest readable state of the fit of that name, or None. Raises ForeignCheckpoint."""
        states = [state for turn in (0, 1) if (state := self._read(self._path(name, turn))) is not None]
        return max(states, key=lambda state: state.epoch, default=None)

    def save(self, name: str, state: FitState) -> None:
        """Write the state over the older one of the two files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self._path(name, state.epoch % 2)
        header = {key: value for key, value in asdict(state).items() if key not in _GROUPS} | {"run": self.run}
        arrays = {f"{group}-{index:03}": array for group in _GROUPS for index, array in enumerate(getattr(state, group))}
        partial = target.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
        partial.replace(target)

    def _path(self, name: str, turn: int) -> Path:
        return self.folder / f"{name}.{turn}.npz"

    def _read(self, path: Path) -> FitState | None:
        try:
            with np.load(path, allow_pickle=False) as file:
                header = json.loads(file["header"].tobytes())
                groups = {
                    group: tuple(file[key] for key in sorted(file.files) if key.startswith(f"{group}-")) for group in _GROUPS
                }
        except (FileNotFoundError, zipfile.BadZipFile, ValueError, KeyError, EOFError):
            return None
        if header.pop("run") != self.run:
            raise ForeignCheckpoint(
                f"{path} belongs to another run (other sources, data, settings or versions): name an empty folder for "
                "checkpoints, or remove these to begin anew"
            )
        arrays: dict[str, Any] = dict(groups)
        return FitState(**arrays, **header | {"lines": tuple(header["lines"])})


@dataclass(slots=True)
class Keeping:
    """Takes up one fit where it was left, and keeps it after each epoch.

    Attributes
    ----------
    checkpoints : Checkpoints
    name : str
    """

    checkpoints: Checkpoints
    name: str

    def state(self) -> FitState | None:
        """Where the fit was left."""
        return self.checkpoints.load(self.name)

    def callback(self, stopping: keras.callbacks.EarlyStopping, lines: list[str]) -> keras.callbacks.Callback:
        """Return a callback that restores and keeps. It must stand behind ``stopping`` and behind what adds to ``lines``."""
        import keras

        state, save = self.state(), self._save

        def begin(logs: dict[str, Any] | None = None) -> None:
            if state is not None:
                _restore(stopping, state)

        def end(epoch: int, logs: dict[str, Any] | None = None) -> None:
            save(stopping, epoch + 1, tuple(lines))

        return keras.callbacks.LambdaCallback(on_train_begin=begin, on_epoch_end=end)

    def _save(self, stopping: keras.callbacks.EarlyStopping, epoch: int, lines: tuple[str, ...]) -> None:
        model = stopping.model
        best = stopping.best_weights
        self.checkpoints.save(
            self.name,
            FitState(
                epoch, bool(model.stop_training), _arrays(model.variables), _arrays(model.optimizer.variables),
                tuple(np.asarray(array) for array in best) if best is not None else (), float(stopping.best),
                int(stopping.best_epoch), int(stopping.wait), lines,
            ),
        )  # fmt: skip


def _restore(stopping: keras.callbacks.EarlyStopping, state: FitState) -> None:
    model = stopping.model
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    for variables, arrays in ((model.variables, state.model), (model.optimizer.variables, state.optimizer)):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
    stopping.best, stopping.best_epoch, stopping.wait = state.best, state.best_epoch, state.wait
    stopping.best_weights = list(state.best_weights) or None


def _arrays(variables: Any) -> Arrays:
    return tuple(np.asarray(variable.numpy()) for variable in variables)
