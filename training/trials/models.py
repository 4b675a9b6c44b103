"""Models of windows: the deployed CNN-LSTM and what it has to justify itself against, all on the same windows.

Every model is fitted on windows (n, 16, F) and whether each is hostile (n,), and gives a probability.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.architecture import Architecture, audit_sizes, build_model, network_sizes
from training.export import attack_probability, run_tflite, to_int8, weights_of
from training.fitting import Scaling, fit_scaling, seed_everything

if TYPE_CHECKING:
    import keras

Windows = NDArray[np.float32]
Truth = NDArray[np.bool_]
Score = Callable[[Windows], NDArray[np.float64]]
#: The network as it is, without its convolutions, without its LSTM, and its head on the window's mean; then trees.
NETWORKS = ("cnn_lstm", "without_cnn", "without_lstm", "mean")
TREES = ("forest_flow", "lightgbm_window")
TITLES = {
    "cnn_lstm": "CNN-LSTM, int8", "without_cnn": "without the CNN", "without_lstm": "without the LSTM",
    "mean": "head on the window's mean", "forest_flow": "random forest on the newest event alone",
    "lightgbm_window": "LightGBM on window statistics",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Examples:
    """Windows and whether each is hostile."""

    windows: Windows
    hostile: Truth

    def __len__(self) -> int:
        return len(self.hostile)


def joined(parts: Sequence[Examples]) -> Examples:
    """One after another."""
    return Examples(np.concatenate([one.windows for one in parts]), np.concatenate([one.hostile for one in parts]))


@dataclass(frozen=True, slots=True)
class Network:
    """A fitted Keras network with its scaling.

    ``score`` is what would serve, int8 for the deployed kind, else float32; ``exact`` is float32; ``size`` is of the int8 file.
    """

    model: keras.Model
    scaling: Scaling
    score: Score
    exact: Score
    size: int = 0


def fit_network(
    kind: str, train: Examples, stopping: Examples, *, seed: int, epochs: int = 6, start: Network | None = None,
    quantized: bool = True, rate: float = 2e-3, batch: int = 256, detector: str = "network",
) -> Network:  # fmt: skip
    """Fit one of :data:`NETWORKS`, with early stopping; hostile and benign windows weigh the same together.

    ``start`` gives the weights and the scaling to go on from (transfer); ``detector`` names the one whose sizes it has.
    """
    import keras

    seed_everything(seed)
    sizes = (audit_sizes if detector == "audit" else network_sizes)(train.windows.shape[2], 2)
    model = _build(kind, sizes)
    if start is not None:
        model.set_weights(start.model.get_weights())
    scaling = fit_scaling(train.windows) if start is None else start.scaling
    rows, watched = scaling.apply(train.windows.copy()), scaling.apply(stopping.windows.copy())
    steps = max(1, -(-len(train) // batch)) * epochs
    model.compile(
        optimizer=keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.05), weight_decay=1e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
    model.fit(
        rows, train.hostile.astype(np.int64), sample_weight=_balance(train.hostile), epochs=epochs, batch_size=batch, verbose=0,
        shuffle=True, callbacks=[stop],
        validation_data=(watched, stopping.hostile.astype(np.int64), _balance(stopping.hostile)),
    )  # fmt: skip

    def exact(windows: Windows) -> NDArray[np.float64]:
        logits = model.predict(scaling.apply(windows.copy()), batch_size=2048, verbose=0)
        return attack_probability(np.asarray(logits, np.float32))

    if kind != "cnn_lstm" or not quantized:
        return Network(model, scaling, exact, exact)
    shuffled = rows[np.random.default_rng(seed).permutation(len(rows))[:400]]
    content = to_int8(weights_of(model), sizes, shuffled)

    def served(windows: Windows) -> NDArray[np.float64]:
        return attack_probability(run_tflite(content, scaling.apply(windows.copy())))

    return Network(model, scaling, served, exact, len(content))


def fit_trees(kind: str, train: Examples, *, seed: int) -> Score:
    """Fit one of :data:`TREES`."""
    if kind == "forest_flow":
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(100, class_weight="balanced_subsample", n_jobs=1, random_state=seed)
        forest.fit(train.windows[:, -1], train.hostile)
        return lambda windows: np.asarray(forest.predict_proba(windows[:, -1])[:, 1], np.float64)
    from lightgbm import LGBMClassifier

    boosted: Any = LGBMClassifier(
        n_estimators=100, num_leaves=31, class_weight="balanced", n_jobs=1, random_state=seed, deterministic=True,
        force_row_wise=True, verbose=-1,
    )  # fmt: skip
    boosted.fit(statistics(train.windows), train.hostile)
    return lambda windows: np.asarray(boosted.predict_proba(statistics(windows))[:, 1], np.float64)


def statistics(windows: Windows) -> Windows:
    """What trees read of a window: the newest event, and mean, deviation, least and largest over its events: (n, 5 F)."""
    present = windows[..., -1:] != 0
    count = np.maximum(present.sum(axis=1), 1)
    mean = windows.sum(axis=1) / count
    spread = np.sqrt((np.square(windows - mean[:, None]) * present).sum(axis=1) / count)
    low = np.where(present, windows, np.inf).min(axis=1)
    high = np.where(present, windows, -np.inf).max(axis=1)
    return np.nan_to_num(np.concatenate([windows[:, -1], mean, spread, low, high], axis=1), posinf=0, neginf=0)


def thinned(hostile: Truth, groups: Sequence[int] | NDArray[np.int64], most: int, *, seed: int) -> NDArray[np.int64]:
    """At most ``most`` of the flows of each group and label, in order: no recording outweighs the others."""
    rng = np.random.default_rng([seed, 31])
    key = np.asarray(groups) * 2 + hostile
    chosen = [rng.permutation(np.flatnonzero(key == value))[:most] for value in np.unique(key)]
    return np.asarray(np.sort(np.concatenate(chosen)), np.int64)


def _balance(hostile: Truth) -> NDArray[np.float32]:
    share = min(max(float(hostile.mean()), 1e-3), 1 - 1e-3)
    return np.where(hostile, 0.5 / share, 0.5 / (1 - share)).astype(np.float32)


def _build(kind: str, sizes: Architecture) -> keras.Model:
    import keras
    from keras import layers

    if kind == "cnn_lstm":
        return build_model(sizes)
    events = keras.Input((sizes.window, sizes.features), name="events")
    hidden = layers.SpatialDropout1D(0.15)(layers.Dense(sizes.event, activation="relu", name="event")(events))
    if kind == "without_lstm":
        for name in ("near", "wider"):
            hidden = layers.Conv1D(sizes.filters, 3, padding="same", activation="relu", name=name)(hidden)
        hidden = layers.GlobalMaxPooling1D()(hidden)
    elif kind == "without_cnn":
        hidden = layers.LSTM(sizes.units, name="order")(hidden)
    elif kind == "mean":
        hidden = layers.GlobalAveragePooling1D()(hidden)
    else:
        raise KeyError(f"no network {kind!r}; there are {', '.join(NETWORKS)}")
    hidden = layers.Dense(sizes.head, activation="relu", name="head")(layers.Dropout(0.15)(hidden))
    return keras.Model(events, layers.Dense(sizes.classes, name="logits")(hidden), name=kind)
