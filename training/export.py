"""Writes a trained network as a quantized TFLite graph that a slim runtime can run fast and without memory between calls.

Keras' own LSTM converts to a WHILE loop (or to a fused operator that keeps its state between invocations). So the weights are put
into a plain ``tf.function`` in which the recurrence is unrolled by hand: built-in operators only, any batch size, stateless.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.architecture import Architecture

if TYPE_CHECKING:
    import keras

Weights = Mapping[str, tuple[NDArray[np.float32], ...]]
#: Layers whose weights the graph needs, by name in :func:`training.architecture.build_model`.
LAYERS = ("event", "near", "wider", "order", "head", "logits")
#: Sequences that set the ranges of the quantized activations.
CALIBRATION_SEQUENCES = 400


@dataclass(frozen=True, slots=True)
class Parity:
    """How the int8 graph compares with float32 on the same sequences.

    ``flips`` is the share of sequences on which the decision at the threshold differs; ``largest`` and ``mean`` are of the
    difference in probability of an attack.
    """

    sequences: int
    flips: float
    largest: float
    mean: float


def weights_of(model: keras.Model) -> Weights:
    """Weights by layer name, as numpy arrays in Keras' order."""
    return {name: tuple(np.asarray(array, np.float32) for array in model.get_layer(name).get_weights()) for name in LAYERS}


def to_int8(weights: Weights, sizes: Architecture, representative: NDArray[np.float32]) -> bytes:
    """Quantize to int8 and return the TFLite file.

    Parameters
    ----------
    weights : mapping
        As :func:`weights_of` gives them.
    representative : float32 (n, window, features)
        Scaled sequences of the training data, attack and benign, shuffled: the first :data:`CALIBRATION_SEQUENCES` are used.
    """
    module, function = _graph(weights, sizes)
    return quantize(module, function, representative)


def quantize(module: Any, function: Any, representative: NDArray[np.float32]) -> bytes:
    """Convert a concrete function of one input to int8 TFLite; ``module`` owns what the function reads.

    The first :data:`CALIBRATION_SEQUENCES` rows of ``representative`` (n, ...) set the ranges of the activations.
    """
    import tensorflow as tf

    def inputs() -> Iterator[list[NDArray[np.float32]]]:
        for row in representative[:CALIBRATION_SEQUENCES]:
            yield [row[None]]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = inputs
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return bytes(converter.convert())


def float_logits(weights: Weights, sizes: Architecture, sequences: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of the same unrolled graph in float32: (n, classes)."""
    _, function = _graph(weights, sizes)
    parts = [np.asarray(function(sequences[at : at + 4096])) for at in range(0, len(sequences), 4096)]
    return np.concatenate(parts) if parts else np.zeros((0, sizes.classes), np.float32)


def run_tflite(model: bytes, sequences: NDArray[np.float32], *, batch: int = 512) -> NDArray[np.float32]:
    """Logits of a TFLite file, through the runtime that serves it: (n, classes)."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    source, sink = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    parts, shaped = [], -1
    for at in range(0, len(sequences), batch):
        part = np.ascontiguousarray(sequences[at : at + batch], np.float32)
        if len(part) != shaped:
            interpreter.resize_tensor_input(source, part.shape)
            interpreter.allocate_tensors()
            shaped = len(part)
        interpreter.set_tensor(source, part)
        interpreter.invoke()
        parts.append(interpreter.get_tensor(sink).copy())
    return np.concatenate(parts)


def attack_probability(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """1 - softmax(logits)[benign], computed without overflow: (n,)."""
    wide = logits.astype(np.float64)
    shifted = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(1.0 - shifted[:, 0] / shifted.sum(axis=1))


def parity(exact: NDArray[np.float32], quantized: NDArray[np.float32], threshold: float) -> Parity:
    """Compare the logits of both graphs on the same sequences."""
    one, other = attack_probability(exact), attack_probability(quantized)
    difference = np.abs(one - other)
    return Parity(
        len(one), float(np.mean((one >= threshold) != (other >= threshold))), float(difference.max()), float(difference.mean())
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _graph(weights: Weights, sizes: Architecture) -> tuple[Any, Any]:
    """Plain TensorFlow module and its concrete function (batch, window, features) → logits.

    Dropout is absent: it does nothing at serving time. Gates are reordered from Keras' input, forget, cell, output to
    input, forget, output, cell, so that one sigmoid and one tanh serve each step. Gates are taken apart by slices: with a split,
    the converter's quantizer chose between two graphs from run to run, and the same weights gave different bytes.
    """
    import tensorflow as tf

    units, window, half = sizes.units, sizes.window, sizes.window // 2
    order = np.r_[0 : 2 * units, 3 * units : 4 * units, 2 * units : 3 * units]

    def constant(array: NDArray[np.float32]) -> Any:
        return tf.constant(np.ascontiguousarray(array, np.float32))

    (event_k, event_b), (near_k, near_b), (wider_k, wider_b) = weights["event"], weights["near"], weights["wider"]
    lstm_x, lstm_h, lstm_b = (array[..., order] for array in weights["order"])
    (head_k, head_b), (logit_k, logit_b) = weights["head"], weights["logits"]

    class Unrolled(tf.Module):  # type: ignore[misc, unused-ignore]
        def __call__(self, events: Any) -> Any:
            rows = tf.reshape(events, [-1, sizes.features])
            hidden = tf.nn.relu(tf.matmul(rows, constant(event_k)) + constant(event_b))
            hidden = tf.reshape(hidden, [-1, window, 1, sizes.event])
            hidden = tf.nn.relu(tf.nn.conv2d(hidden, constant(near_k[:, None]), 1, "SAME") + constant(near_b))
            hidden = tf.nn.relu(tf.nn.conv2d(hidden, constant(wider_k[:, None]), 1, "SAME") + constant(wider_b))
            hidden = tf.nn.max_pool2d(hidden, [2, 1], [2, 1], "VALID")
            gates = tf.matmul(tf.reshape(hidden, [-1, sizes.filters]), constant(lstm_x)) + constant(lstm_b)
            state = memory = None
            for step in tf.unstack(tf.reshape(gates, [-1, half, 4 * units]), axis=1):
                gate = step if state is None else step + tf.matmul(state, constant(lstm_h))
                opened = tf.sigmoid(gate[:, : 3 * units])
                let_in, keep, let_out = opened[:, :units], opened[:, units : 2 * units], opened[:, 2 * units :]
                new = let_in * tf.tanh(gate[:, 3 * units :])
                memory = new if memory is None else keep * memory + new
                state = let_out * tf.tanh(memory)
            top = tf.nn.relu(tf.matmul(state, constant(head_k)) + constant(head_b))
            return tf.matmul(top, constant(logit_k)) + constant(logit_b)

    module = Unrolled()
    signature = tf.TensorSpec([None, window, sizes.features], tf.float32, name="events")
    return module, tf.function(module.__call__).get_concrete_function(signature)
