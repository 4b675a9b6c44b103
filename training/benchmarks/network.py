"""The deployed family of networks, applied to single records: groups of fields take the place of neighbouring events.

Each group of fields → a dense layer (over one-hot blocks: the learned embedding) → one step of a sequence → two convolutions with
batch normalization → pooling → LSTM → dense head → logits. Without the convolutions it is the standalone LSTM of the comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.export import quantize
from training.fitting import seed_everything

if TYPE_CHECKING:
    import keras

Kind = Literal["cnn_lstm", "lstm"]
Folded = dict[str, tuple[NDArray[np.float32], ...]]
Targets = NDArray[np.int64] | NDArray[np.float32]
_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of one network: widths of the groups of input columns, units of each layer, outputs (class 0 is benign)."""

    kind: Kind
    groups: tuple[int, ...]
    classes: int
    field: int = 20
    filters: int = 40
    units: int = 40
    head: int = 40


@dataclass(frozen=True, slots=True)
class Training:
    """How a network is fitted. ``patience`` is of early stopping, in epochs of the validation loss."""

    epochs: int = 12
    batch: int = 512
    rate: float = 4e-3
    dropout: float = 0.1
    decay: float = 1e-4
    patience: int = 4


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights with batch normalization folded away, and training and validation accuracy per epoch."""

    sizes: Sizes
    weights: Folded
    parameters: int
    history: dict[str, list[float]]


def build(sizes: Sizes, *, dropout: float = 0.1) -> keras.Model:
    """Return the untrained model: (batch, sum of groups) float32 → (batch, classes) logits."""
    import keras
    from keras import layers

    row = keras.Input((sum(sizes.groups),), name="record")
    ends = np.cumsum(sizes.groups)
    steps = [
        layers.Dense(sizes.field, activation="relu", name=f"group_{index}")(row[:, int(end - width) : int(end)])
        for index, (end, width) in enumerate(zip(ends, sizes.groups, strict=True))
    ]
    hidden = layers.Reshape((len(steps), sizes.field))(layers.Concatenate()(steps))
    if sizes.kind == "cnn_lstm":
        for name in ("near", "wider"):
            hidden = layers.Conv1D(sizes.filters, 3, padding="same", use_bias=False, name=name)(hidden)
            hidden = layers.BatchNormalization(epsilon=_EPSILON, momentum=0.9, name=f"{name}_norm")(hidden)
            hidden = layers.SpatialDropout1D(dropout)(layers.ReLU()(hidden))
        hidden = layers.MaxPooling1D(2)(hidden)
    hidden = layers.LSTM(sizes.units, unroll=True, name="order")(hidden)
    hidden = layers.Dropout(dropout)(hidden)
    hidden = layers.Dense(sizes.head, activation="relu", name="head")(hidden)
    return keras.Model(row, layers.Dense(sizes.classes, name="logits")(hidden), name=sizes.kind)


def fit(
    sizes: Sizes, how: Training, rows: NDArray[np.float32], targets: Targets, validation: NDArray[np.float32],
    validation_targets: Targets, *, seed: int, progress: Callable[[int], None],
) -> Fitted:  # fmt: skip
    """Train with early stopping on the validation loss and return the best epoch's weights, ready for export.

    Parameters
    ----------
    rows, validation : float32 (n, width)
    targets, validation_targets : int64 (n,) or float32 (n, classes)
        Classes, or the probabilities of each that are to be learnt.
    progress : callable
        Told the number of epochs that are done.
    """
    import keras

    seed_everything(seed)
    model = build(sizes, dropout=how.dropout)
    steps = max(1, len(rows) // how.batch) * how.epochs
    schedule = keras.optimizers.schedules.CosineDecay(how.rate, steps, alpha=0.01)
    loss = keras.losses.SparseCategoricalCrossentropy if targets.ndim == 1 else keras.losses.CategoricalCrossentropy
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=how.decay),
        loss=loss(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    history = model.fit(
        rows, targets, validation_data=(validation, validation_targets), epochs=how.epochs,
        batch_size=how.batch, verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=how.patience, restore_best_weights=True),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: progress(epoch + 1)),
        ],
    )  # fmt: skip
    curves = {name: [round(float(value), 6) for value in history.history[name]] for name in ("accuracy", "val_accuracy")}
    return Fitted(sizes, fold(model, sizes), int(model.count_params()), curves)


def fold(model: keras.Model, sizes: Sizes) -> Folded:
    """Weights by layer, each batch normalization multiplied into the convolution before it."""

    def raw(name: str) -> tuple[NDArray[np.float32], ...]:
        return tuple(np.asarray(array, np.float32) for array in model.get_layer(name).get_weights())

    folded: Folded = {name: raw(name) for name in (*_group_names(sizes), "order", "head", "logits")}
    for name in ("near", "wider") if sizes.kind == "cnn_lstm" else ():
        (kernel,) = raw(name)
        gamma, beta, mean, variance = raw(f"{name}_norm")
        factor = gamma / np.sqrt(variance + np.float32(_EPSILON))
        folded[name] = (kernel * factor, beta - mean * factor)
    return folded


def float_logits(fitted: Fitted, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of the folded graph in float32: (n, classes)."""
    _, function = _graph(fitted)
    return np.concatenate([np.asarray(function(rows[at : at + 8192])) for at in range(0, len(rows), 8192)])


def to_int8(fitted: Fitted, representative: NDArray[np.float32]) -> bytes:
    """The quantized TFLite file; ``representative`` are encoded training rows, shuffled."""
    module, function = _graph(fitted)
    return quantize(module, function, representative)


def _group_names(sizes: Sizes) -> list[str]:
    return [f"group_{index}" for index in range(len(sizes.groups))]


def _graph(fitted: Fitted) -> tuple[Any, Any]:
    """The recurrence is unrolled by hand, as for the deployed detectors (:mod:`training.export` says why)."""
    import tensorflow as tf

    sizes, weights = fitted.sizes, fitted.weights
    units, width = sizes.units, sum(sizes.groups)
    order = np.r_[0 : 2 * units, 3 * units : 4 * units, 2 * units : 3 * units]
    input_k, state_k, gate_b = (np.ascontiguousarray(array[..., order]) for array in weights["order"])
    ends = np.cumsum(sizes.groups)

    def convolve(hidden: Any, name: str) -> Any:
        kernel, bias = weights[name]
        return tf.nn.relu(tf.nn.conv2d(hidden, tf.constant(kernel[:, None]), 1, "SAME") + tf.constant(bias))

    class Unrolled(tf.Module):  # type: ignore[misc, unused-ignore]
        def __call__(self, record: Any) -> Any:
            steps = []
            for name, end, wide in zip(_group_names(sizes), ends, sizes.groups, strict=True):
                kernel, bias = weights[name]
                steps.append(
                    tf.nn.relu(tf.matmul(record[:, int(end - wide) : int(end)], tf.constant(kernel)) + tf.constant(bias))
                )
            hidden = tf.reshape(tf.concat(steps, 1), [-1, len(steps), 1, sizes.field])
            if sizes.kind == "cnn_lstm":
                hidden = convolve(convolve(hidden, "near"), "wider")
                hidden = tf.nn.max_pool2d(hidden, [2, 1], [2, 1], "VALID")
            length, depth = hidden.shape[1], hidden.shape[3]
            gates = tf.matmul(tf.reshape(hidden, [-1, depth]), tf.constant(input_k)) + tf.constant(gate_b)
            state = memory = None
            for step in tf.unstack(tf.reshape(gates, [-1, length, 4 * units]), axis=1):
                gate = step if state is None else step + tf.matmul(state, tf.constant(state_k))
                opened = tf.sigmoid(gate[:, : 3 * units])
                let_in, keep, let_out = opened[:, :units], opened[:, units : 2 * units], opened[:, 2 * units :]
                new = let_in * tf.tanh(gate[:, 3 * units :])
                memory = new if memory is None else keep * memory + new
                state = let_out * tf.tanh(memory)
            for name in ("head", "logits"):
                kernel, bias = weights[name]
                state = tf.matmul(state, tf.constant(kernel)) + tf.constant(bias)
                state = tf.nn.relu(state) if name == "head" else state
            return state

    module = Unrolled()
    signature = tf.TensorSpec([None, width], tf.float32, name="record")
    return module, tf.function(module.__call__).get_concrete_function(signature)
