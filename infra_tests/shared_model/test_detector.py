"""An artifact folder is a detector, or an error that says what does not fit."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from shared_model.detector import CLIP, Detector
from shared_model.errors import ArtifactError
from shared_model.windows import gather

ARTIFACTS = Path(__file__).parents[2] / "model_artifacts"


@pytest.fixture(scope="module")
def detector():
    return Detector.load(ARTIFACTS / "network")


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(ARTIFACTS / "network", tmp_path / "network"))


def rewrite(folder: Path, change) -> None:
    document = json.loads((folder / "detector.json").read_text())
    change(document)
    (folder / "detector.json").write_text(json.dumps(document))


@pytest.mark.parametrize("name", ["network", "audit"])
def test_what_is_shipped_loads(name):
    detector = Detector.load(ARTIFACTS / name)
    assert detector.name == name
    assert detector.features[-1] == "present"
    assert 0 < detector.threshold <= 1
    assert all(threat.technique.startswith("T1") for threat in detector.classes[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("threshold"), "'threshold' is missing"),
        (lambda d: d.update(threshold=1.5), "threshold"),
        (lambda d: d.update(stride=9), "stride"),
        (lambda d: d.update(name="novel"), "no encoder"),
        (lambda d: d["features"].reverse(), "their order"),
        (lambda d: d["features"].__setitem__(0, "time_to_live"), "time_to_live"),
        (lambda d: d["scaling"]["scale"].pop(), "scaling"),
        (lambda d: d["scaling"]["scale"].__setitem__(0, 0), "above 0"),
        (lambda d: d["scaling"]["center"].__setitem__(-1, 1), "present"),
        (lambda d: d["classes"].reverse(), "benign"),
        (lambda d: d["classes"].pop(), "the model has"),
        (lambda d: d.update(window=8), "the model has"),
        (lambda d: d["model"].update(sha256="0" * 64), "SHA-256"),
        (lambda d: d["model"].update(file="other.tflite"), "other.tflite"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(ArtifactError, match=message) as caught:
        Detector.load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("content", [None, "{"])
def test_a_missing_or_broken_description_is_an_artifact_error(folder, content):
    (folder / "detector.json").unlink()
    if content is not None:
        (folder / "detector.json").write_text(content)
    with pytest.raises(ArtifactError, match="make train"):
        Detector.load(folder)


def rows(detector, count):
    features = np.random.default_rng(3).exponential(3, (count, len(detector.features))).astype(np.float32)
    features[:, -1] = 1
    return features


def test_probability_is_one_minus_benign_and_the_class_an_attack(detector):
    windows = rows(detector, 160).reshape(10, 16, -1)
    probability, kind = detector.score(windows)
    logits = detector.engine.logits(detector.scaled(windows)).astype(np.float64)
    exponentials = np.exp(logits)
    np.testing.assert_allclose(probability, 1 - exponentials[:, 0] / exponentials.sum(axis=1), atol=1e-9)
    assert (kind == 1 + logits[:, 1:].argmax(axis=1)).all()


def test_sequences_score_as_their_gathered_windows_do(detector):
    features = rows(detector, 40)
    index = np.arange(40)[:, None] + np.arange(-15, 1)
    index[index < 0] = -1
    for one, other in zip(detector.score_sequences(features, index), detector.score(gather(features, index)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scaling_is_cut_off_and_leaves_padding_zero(detector):
    features = rows(detector, 2) * 1e6
    features[:, -1] = 1
    features[1] = 0
    scaled = detector.scaled(features)
    assert np.abs(scaled).max() == CLIP
    assert not scaled[1].any()


def test_weights_are_how_far_the_probability_falls_without_each_event(detector):
    window = rows(detector, 16)
    window[:4] = 0
    weights = detector.explain(window)
    (whole,), _ = detector.score(window[None])
    for place in range(16):
        without = window.copy()
        without[place] = 0
        (less,), _ = detector.score(without[None])
        assert weights[place] == pytest.approx(max(0, whole - less) if place >= 4 else 0, abs=1e-9)
