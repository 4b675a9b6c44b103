"""Fits one network, deterministically for a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.architecture import Architecture, build_event_classifier, build_model
from training.checkpoints import Keeping

if TYPE_CHECKING:
    import keras

CLIP = 8.0
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scaling:
    """``clip((x - center) / scale, -8, 8)``, per feature. Centers are 0, so that padding (all zero) stays zero."""

    center: NDArray[np.float32]
    scale: NDArray[np.float32]

    def apply(self, dense: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled = (dense - self.center) / self.scale
        return np.clip(scaled, -CLIP, CLIP, out=scaled).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Scaled windows (n, T, F), their classes (n,), and what each counts (n,) where that is not the share of its class."""

    windows: NDArray[np.float32]
    classes: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None


def fit_scaling(dense: NDArray[np.float32]) -> Scaling:
    """Scale of each feature: 1 where it is a flag, else half the 99th percentile of its size over events that are not padding."""
    rows = dense.reshape(-1, dense.shape[-1])
    rows = rows[np.any(rows != 0, axis=1)]
    scale = np.ones(rows.shape[1], np.float32)
    for column in range(rows.shape[1]):
        values = np.abs(rows[:, column])
        if values.max(initial=0) > 1.0:
            scale[column] = max(float(np.percentile(values, 99)) / 2, 0.5)
    return Scaling(np.zeros_like(scale), scale)


def seed_everything(seed: int) -> None:
    """Make Python, numpy and TensorFlow repeat themselves: the same seed gives the same weights on the same machine."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def class_weights(classes: NDArray[np.int64], count: int, *, benign: float = 1.0) -> dict[int, float]:
    """Weights under which every attack class counts by the square root of its size, and all together ``1 / benign`` of benign."""
    sizes = np.bincount(classes, minlength=count).astype(float)
    wanted = np.sqrt(sizes)
    wanted[0] = benign * wanted[1:].sum()
    share = wanted / wanted.sum()
    return {index: float(share[index] * sizes.sum() / sizes[index]) if sizes[index] else 0.0 for index in range(count)}


def with_honest(windows: Labelled, honest: NDArray[np.float32], count: int, *, benign: float, share: float) -> Labelled:
    """The windows and, after them, honest ones that look most like an attack's.

    ``windows`` count as under :func:`class_weights`; the honest ones ``share`` times as much, all together, as all attacks.
    """
    weights = _by_class(windows.classes, class_weights(windows.classes, count, benign=benign))
    each = share * float(weights[windows.classes > 0].sum()) / len(honest)
    return Labelled(
        np.concatenate([windows.windows, honest]),
        np.concatenate([windows.classes, np.zeros(len(honest), np.int64)]),
        np.concatenate([weights, np.full(len(honest), each, np.float32)]),
    )


def _by_class(classes: NDArray[np.int64], weights: dict[int, float]) -> NDArray[np.float32]:
    return np.array([weights[int(index)] for index in classes], np.float32)


def fit(
    sizes: Architecture, train: Labelled, validation: Labelled, *, seed: int, epochs: int, progress: Progress,
    event_weights: list[NDArray[np.float32]] | None = None, batch: int = 256, benign: float = 1.0,
    keeping: Keeping | None = None,
) -> keras.Model:  # fmt: skip
    """Train until the validation loss has not improved for eight epochs, and return the best epoch's model.

    Validation scenarios are families that training never saw. ``event_weights`` start the layer that sees single events.
    With ``keeping``, an interrupted fit goes on after its last whole epoch and ends with the weights of one that was not.
    """
    import keras

    seed_everything(seed)
    model = build_model(sizes)
    if event_weights is not None:
        model.get_layer("event").set_weights(event_weights)
    steps = max(1, len(train.classes) // batch) * epochs
    model.compile(
        optimizer=keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(2e-3, steps, alpha=0.05), weight_decay=1e-4),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.04),
        metrics=["accuracy"],
    )
    weights = train.weights
    if weights is None:
        weights = _by_class(train.classes, class_weights(train.classes, sizes.classes, benign=benign))
    state = keeping.state() if keeping is not None else None
    lines = list(state.lines) if state is not None else []
    for line in lines:
        progress(f"{line}  (kept)")

    def told(epoch: int, logs: dict[str, Any] | None) -> None:
        lines.append(_line(epoch, epochs, logs or {}))
        progress(lines[-1])

    stopping = keras.callbacks.EarlyStopping(monitor="val_loss", patience=8, restore_best_weights=True)
    callbacks = [stopping, keras.callbacks.LambdaCallback(on_epoch_end=told)]
    model.fit(
        train.windows,
        keras.utils.to_categorical(train.classes, sizes.classes),
        sample_weight=weights,
        validation_data=(
            validation.windows,
            keras.utils.to_categorical(validation.classes, sizes.classes),
            _by_class(validation.classes, _validation_weights(validation, benign)),
        ),
        initial_epoch=0 if state is None else epochs if state.stopped else state.epoch,
        epochs=epochs,
        batch_size=batch,
        verbose=0,
        callbacks=callbacks if keeping is None else [*callbacks, keeping.callback(stopping, lines)],
    )
    return model


def pretrain_events(
    sizes: Architecture, rows: NDArray[np.float32], classes: NDArray[np.int64], *, seed: int, epochs: int, progress: Progress
) -> list[NDArray[np.float32]]:
    """Train the single-event layer on scaled rows (n, F) that carry no order, and return its weights."""
    import keras

    seed_everything(seed)
    count = int(classes.max()) + 1
    model = build_event_classifier(sizes, count)
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        rows, classes, epochs=epochs, batch_size=1024, verbose=0, class_weight=class_weights(classes, count),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: progress(_line(epoch, epochs, logs or {})))],
    )  # fmt: skip
    return [np.asarray(array, np.float32) for array in model.get_layer("event").get_weights()]


def _validation_weights(validation: Labelled, benign: float) -> dict[int, float]:
    sizes = np.bincount(validation.classes)
    attack = max(1, int(sizes[1:].sum()))
    return {index: benign * attack / max(1, int(sizes[0])) if index == 0 else 1.0 for index in range(len(sizes))}


def _line(epoch: int, epochs: int, logs: dict[str, Any]) -> str:
    shown = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
    return f"epoch {epoch + 1}/{epochs}  {shown}"
