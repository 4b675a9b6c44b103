"""The engine: any number of windows, the same logits however they are batched, errors that say what to do."""

import sys
from pathlib import Path

import numpy as np
import pytest

from shared_model.engine import Engine
from shared_model.errors import ArtifactError

MODEL = Path(__file__).parents[2] / "model_artifacts" / "network" / "model.tflite"


@pytest.fixture(scope="module")
def engine():
    return Engine(MODEL)


def windows(engine, count):
    return np.random.default_rng(7).normal(size=(count, engine.window, engine.features)).astype(np.float32)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 77, 600])
def test_logits_do_not_depend_on_the_batch(engine, count):
    batch = windows(engine, count)
    logits = engine.logits(batch)
    assert logits.shape == (count, engine.classes)
    for place in {0, count // 2, count - 1} & set(range(count)):
        np.testing.assert_array_equal(engine.logits(batch[place : place + 1])[0], logits[place])


def test_nothing_is_kept_between_calls(engine):
    batch = windows(engine, 9)
    before = engine.logits(batch)
    engine.logits(-batch)
    np.testing.assert_array_equal(engine.logits(batch), before)


def test_windows_of_another_shape_are_refused(engine):
    with pytest.raises(ValueError, match="the model takes"):
        engine.logits(np.zeros((1, engine.window, engine.features + 1), np.float32))


def test_a_damaged_model_is_an_artifact_error():
    with pytest.raises(ArtifactError, match="make train"):
        Engine(b"not a model")


def test_a_missing_model_is_an_artifact_error(tmp_path):
    with pytest.raises(ArtifactError, match="make train"):
        Engine(tmp_path / "model.tflite")


def test_an_unknown_runtime_names_the_known_ones():
    with pytest.raises(ArtifactError, match="ai_edge_litert"):
        Engine(MODEL, runtime="onnx")


def test_without_a_runtime_the_error_says_what_to_install(monkeypatch):
    for name in ("ai_edge_litert", "tflite_runtime"):
        monkeypatch.delitem(sys.modules, f"{name}.interpreter", raising=False)
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ArtifactError, match="pip install ai-edge-litert"):
        Engine(MODEL)
