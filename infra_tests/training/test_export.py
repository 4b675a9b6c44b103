"""The exported graph computes what Keras computes; the same seed gives the same bytes. Needs TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow lives in the training environment (make train makes it)")

from training.architecture import Architecture, build_model
from training.export import float_logits, parity, run_tflite, to_int8, weights_of
from training.fitting import seed_everything

pytestmark = pytest.mark.training
TINY = Architecture(window=16, features=6, classes=3, event=5, filters=7, units=4, head=5)


def tiny_model():
    seed_everything(3)
    return build_model(TINY)


def sequences(count: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(count, 16, 6)).astype(np.float32)


def test_the_unrolled_graph_is_the_keras_model():
    model, rows = tiny_model(), sequences(50)
    np.testing.assert_allclose(
        float_logits(weights_of(model), TINY, rows), model(rows, training=False).numpy(), rtol=1e-4, atol=1e-5
    )


def test_int8_stays_close_to_float32():
    weights, rows = weights_of(tiny_model()), sequences(600)
    agreement = parity(float_logits(weights, TINY, rows), run_tflite(to_int8(weights, TINY, rows), rows), 0.66)
    assert agreement.sequences == 600
    assert agreement.flips < 0.03
    assert agreement.mean < 0.02


def test_the_export_of_the_same_weights_has_the_same_bytes():
    weights, rows = weights_of(tiny_model()), sequences(450)
    assert to_int8(weights, TINY, rows) == to_int8(weights, TINY, rows)
