"""The shipped detectors are what their folders say, and run on nothing but the slim runtime."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from shared_model.encoders import audit, network
from training import audit_data, card, network_data
from training.card import model_card
from training.export import attack_probability, run_tflite
from training.limits import limits
from training.recipe import EPOCHS, REPEATS, recipe
from training.scenarios import AUDIT_CLASSES, NETWORK_CLASSES, families, generate
from training.scenarios.library import FOLDER
from training.sequences import cut_stories
from training.tasks import TASKS

ARTIFACTS = Path(__file__).resolve().parents[2] / "model_artifacts"
NAMES = ("network", "audit")


def load(name: str) -> tuple[dict, dict, bytes]:
    folder = ARTIFACTS / name
    detector = json.loads((folder / "detector.json").read_text())
    return detector, json.loads((folder / "evaluation.json").read_text()), (folder / detector["model"]["file"]).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_model_is_the_one_that_was_recorded_and_small(name):
    detector, _, model = load(name)
    assert hashlib.sha256(model).hexdigest() == detector["model"]["sha256"]
    assert len(model) == detector["model"]["bytes"] < 300_000


@pytest.mark.parametrize(("name", "encoder", "classes"), [("network", network, NETWORK_CLASSES), ("audit", audit, AUDIT_CLASSES)])
def test_the_description_fits_encoder_and_classes(name, encoder, classes):
    detector, _, _ = load(name)
    assert tuple(detector["features"]) == encoder.FEATURES
    assert {item["name"]: item["technique"] for item in detector["classes"]} == classes
    assert len(detector["scaling"]["center"]) == len(detector["scaling"]["scale"]) == len(detector["features"])
    assert min(detector["scaling"]["scale"]) > 0
    assert (detector["window"], detector["stride"]) == (16, 8)
    assert 0.5 <= detector["threshold"] < 1


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_has_built_in_operators_and_any_batch(name):
    detector, _, model = load(name)
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    operators = {item["op_name"] for item in interpreter._get_ops_details()}
    assert not {
        name for name in operators if name.startswith(("Flex", "Custom")) or name in ("WHILE", "UNIDIRECTIONAL_SEQUENCE_LSTM")
    }
    assert {np.dtype(item["dtype"]) for item in interpreter.get_tensor_details()} >= {np.dtype(np.int8)}
    rows = np.random.default_rng(0).normal(size=(7, 16, len(detector["features"]))).astype(np.float32)
    together = run_tflite(model, rows)
    assert together.shape == (7, len(detector["classes"]))
    np.testing.assert_array_equal(together, np.concatenate([run_tflite(model, row[None]) for row in rows]))


@pytest.mark.parametrize("name", NAMES)
def test_a_call_leaves_nothing_behind(name):
    detector, _, model = load(name)
    rows = np.random.default_rng(1).normal(size=(4, 16, len(detector["features"]))).astype(np.float32)
    np.testing.assert_array_equal(run_tflite(model, np.concatenate([rows, rows]))[4:], run_tflite(model, rows))


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_what_the_evaluation_says(name):
    detector, evaluation, _ = load(name)
    assert (ARTIFACTS / name / "MODEL_CARD.md").read_text() == model_card(detector, evaluation)
    assert evaluation["limits"] == limits(name, evaluation)
    assert len(evaluation["seeds"]) >= 3
    assert evaluation["thresholds"][0] == detector["threshold"]


@pytest.mark.parametrize(
    ("mean", "trials", "shown"),
    [(0.0, 15, "≤ 20.0 %"), (0.25, 4, "–"), (0.5, 8, "50.0 ± 10.0 %"), (0.0, 12_018, "≤ 0.02 %"), (None, 5, "–")],
)
def test_few_events_give_a_bound_and_no_rate(mean, trials, shown):
    value = {"mean": mean, "spread": 0.1 if mean is not None else None}
    assert card._rate(value, trials) == shown


@pytest.mark.parametrize("name", NAMES)
def test_make_train_is_told_what_the_shipped_model_was_told(name):
    detector, _, _ = load(name)
    task = TASKS[name]()
    assert detector["trained"]["recipe"] == recipe(task, repeats=REPEATS[name], epochs=EPOCHS[name]), (
        "scenarios or settings changed since the shipped model was fitted: run make train, judge what it gives, raise the version"
    )
    assert detector["version"] == task.version


def test_a_recipe_is_of_what_is_told_not_of_how_it_is_worded(tmp_path, monkeypatch):
    shutil.copytree(FOLDER, tmp_path / "scenarios")
    monkeypatch.setattr("training.recipe.FOLDER", tmp_path / "scenarios")
    task, file = TASKS["network"](), tmp_path / "scenarios" / "benign" / "network-web-tier.yaml"
    before = recipe(task, repeats=16, epochs=20)
    assert before == recipe(task, repeats=16, epochs=20) != recipe(task, repeats=15, epochs=20)
    file.write_text("# said otherwise\n" + re.sub("about: .*", "about: the same", file.read_text()))
    assert recipe(task, repeats=16, epochs=20) == before
    file.write_text(file.read_text().replace("copies: 20-70", "copies: 20-71"))
    assert recipe(task, repeats=16, epochs=20) != before


def windows_of(name: str, family_name: str, seed: int):
    stories_of = network_data.stories_of if name == "network" else audit_data.stories_of
    family = next(family for family in families() if family.name == family_name)
    stories = [story for scenario in generate(seed, only=(family,), repeats=16) for story in stories_of(scenario)]
    windows = cut_stories(stories)
    return (windows.rows if name == "network" else audit.expand(windows.rows)), windows.evidence


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("network", "network/port-scan-one-host"),
        ("network", "network/ssh-guessing"),
        ("network", "network/udp-scan"),
        ("audit", "audit/trail-stopped"),
        ("audit", "system/many-guessers"),
        ("audit", "system/name-spraying"),
    ],
)
def test_the_shipped_model_detects_and_stays_quiet(name, family):
    detector, _, model = load(name)
    center, scale = (np.array(detector["scaling"][key], np.float32) for key in ("center", "scale"))
    told = [windows_of(name, family, seed) for seed in range(77, 89)]  # of fewer, a tenth of the benign windows is two or three
    dense, evidence = (np.concatenate(parts) for parts in zip(*told, strict=True))
    probability = attack_probability(run_tflite(model, np.clip((dense - center) / scale, -8, 8).astype(np.float32)))
    assert probability[evidence > 0].max() >= detector["threshold"]
    assert np.mean(probability[evidence == 0] >= detector["threshold"]) <= 0.1


@pytest.mark.parametrize("name", NAMES)
def test_data_for_evaluation_only_is_no_source_of_the_weights(name):
    detector, evaluation, _ = load(name)
    sources = " ".join(detector["trained"]["sources"])
    assert "generated scenarios" in sources
    assert "CTU" not in sources
    assert "unsw" not in sources.lower()
    assert evaluation["tests"]
