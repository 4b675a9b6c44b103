"""The exported graph computes what Keras computes; the same seed gives the same bytes. Needs TensorFlow."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow lives in the training environment (make train makes it)")

from training.architecture import Architecture, build_model
from training.artifact import Built, write_artifact
from training.build import evaluate, fit_task
from training.export import float_logits, parity, run_tflite, to_int8, weights_of
from training.fitting import seed_everything
from training.scenarios import Split, families, generate
from training.tasks import TASKS, Material

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


def small_material(task) -> Material:
    """Two families of each kind: enough to train something, quickly."""
    from training.network_data import stories_of

    def stories(split: Split, names: tuple[str, ...], seed: int):
        chosen = tuple(family for family in families(split=split) if family.name in names)
        return [story for scenario in generate(seed, only=chosen, repeats=2) for story in stories_of(scenario)]

    train = stories(Split.TRAIN, ("network/port-scan-one-host", "network/web-tier", "network/health-checks"), 1)
    validation = stories(Split.VALIDATION, ("network/slow-scan", "network/office-browsing"), 2)
    test = stories(Split.TEST, ("network/udp-scan", "network/mail-relay"), 3)
    return Material(train, validation, validation, {"unseen": test}, ("generated scenarios",))


def test_the_same_seed_gives_the_same_model_and_folder(tmp_path):
    task = TASKS["network"]()
    material = small_material(task)
    folders = []
    for turn in range(2):
        one = fit_task(task, material, None, 7, epochs=2, progress=lambda _: None, with_baselines=True)
        evaluation = evaluate(task, material, [one])
        trained = {
            "seed": 7, "windows": one.windows, "parameters": one.parameters, "epochs": one.epochs,
            "sources": list(material.sources), "alerts_per_entity_day": task.alerts_per_entity_day,
        }  # fmt: skip
        folder = tmp_path / str(turn)
        write_artifact(task, Built(one.model, one.scaling, one.threshold, trained, evaluation), folder)
        folders.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert set(folders[0]) == {"model.tflite", "detector.json", "evaluation.json", "MODEL_CARD.md"}
    assert folders[0] == folders[1]
    assert set(json.loads(folders[0]["evaluation.json"])["tests"]) == {"unseen"}
