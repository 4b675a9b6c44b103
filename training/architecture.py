"""The CNN-LSTM, as a Keras 3 model.

Dense features of T neighbouring events → a layer that sees single events → two convolutions over neighbours → pooling →
LSTM → dense head → one logit per class. The same family serves both detectors; their sizes differ.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of one detector's network.

    Attributes
    ----------
    window : int
        Events in a window (T), even.
    features : int
        Features of an event (F), the mask column not included.
    classes : int
        Outputs (K); class 0 is benign.
    event : int
        Units of the layer that sees single events; it can be pre-trained on rows that have no order.
    filters : int
        Filters of both convolutions, kernel width 3.
    units : int
        Units of the LSTM, which runs over window / 2 steps.
    head : int
        Units of the dense layer before the logits.
    """

    window: int
    features: int
    classes: int
    event: int
    filters: int
    units: int
    head: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def network_sizes(features: int, classes: int) -> Architecture:
    """Return sizes for flows: about 12,000 parameters, because every flow of a network passes through it."""
    return Architecture(window=16, features=features, classes=classes, event=24, filters=32, units=32, head=24)


def audit_sizes(features: int, classes: int) -> Architecture:
    """Return sizes for API calls and log lines: wider, since its features are one-hot blocks and its events are rarer."""
    return Architecture(window=16, features=features, classes=classes, event=48, filters=48, units=48, head=32)


def build_model(sizes: Architecture, *, dropout: float = 0.15) -> keras.Model:
    """Return the untrained model: (batch, window, features) float32 → (batch, classes) logits.

    Padding is rows of zeros on the left; there is no masking layer, because the exported graph has none: the network
    learns what padding is from the encoder's own features.
    """
    import keras
    from keras import layers, regularizers

    decay = regularizers.L2(1e-5)
    events = keras.Input((sizes.window, sizes.features), name="events")
    hidden = layers.Dense(sizes.event, activation="relu", kernel_regularizer=decay, name="event")(events)
    hidden = layers.SpatialDropout1D(dropout)(hidden)
    hidden = layers.Conv1D(sizes.filters, 3, padding="same", activation="relu", kernel_regularizer=decay, name="near")(hidden)
    hidden = layers.Conv1D(sizes.filters, 3, padding="same", activation="relu", kernel_regularizer=decay, name="wider")(hidden)
    hidden = layers.MaxPooling1D(2, name="pool")(hidden)
    hidden = layers.LSTM(sizes.units, name="order")(hidden)
    hidden = layers.Dropout(dropout)(hidden)
    hidden = layers.Dense(sizes.head, activation="relu", name="head")(hidden)
    return keras.Model(events, layers.Dense(sizes.classes, name="logits")(hidden), name="cnn_lstm")


def build_event_classifier(sizes: Architecture, classes: int) -> keras.Model:
    """Return a model of single events around the same ``event`` layer: (batch, features) → (batch, classes) logits.

    Trained on rows that carry no order (CICIDS2017, NetFlow); its first layer's weights then start the sequence model.
    """
    import keras
    from keras import layers

    row = keras.Input((sizes.features,), name="row")
    hidden = layers.Dense(sizes.event, activation="relu", name="event")(row)
    hidden = layers.Dense(sizes.head, activation="relu")(hidden)
    return keras.Model(row, layers.Dense(classes)(hidden), name="single_event")
