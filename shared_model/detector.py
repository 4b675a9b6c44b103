"""A detector: a folder of ``model_artifacts/`` → probabilities, and which events they rest on.

``detector.json`` names the features that the model was trained on, in order; they must be those of this code's encoder.
So a model can never be fed columns that mean something else than they did in training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared_model.engine import Engine
from shared_model.errors import ArtifactError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Encoder of each detector: a module with ``FEATURES``, the last of which is ``present``.
ENCODERS = {"network": "shared_model.encoders.network", "audit": "shared_model.encoders.audit"}
#: Scaled features are cut off here, so that no single value outweighs a window.
CLIP = 8.0
_CHUNK = 512  # windows in memory at once


@dataclass(frozen=True, slots=True)
class ThreatClass:
    """One output of the model: its name and MITRE ATT&CK technique, ``""`` for ``benign``."""

    name: str
    technique: str


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A model with what it needs to score windows of one kind of events.

    Attributes
    ----------
    name, version : str
    window, stride : int
        T, and how many events apart windows end.
    features : tuple of str
        F columns, as the encoder gives them; the last, ``present``, is 0 in padding.
    center, scale : float32 (F,)
        A feature enters the model as ``(x - center) / scale``, cut off at ±8; padding enters as zeros.
    classes : tuple of ThreatClass
        K outputs, ``benign`` first.
    threshold : float
        Probability from which a window is a verdict.
    engine : Engine
    trained : mapping
        What is recorded of its training.
    """

    name: str
    version: str
    window: int
    stride: int
    features: tuple[str, ...]
    center: NDArray[np.float32]
    scale: NDArray[np.float32]
    classes: tuple[ThreatClass, ...]
    threshold: float
    engine: Engine
    trained: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path, *, runtime: str = "auto") -> Detector:
        """Read an artifact folder. Raises ArtifactError where it is incomplete, damaged or does not fit this code."""
        return _load(Path(folder), runtime)

    def score(self, windows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Score windows.

        Parameters
        ----------
        windows : float32 (B, T, F)
            Features as the encoder gives them, unscaled; zeros in padding.

        Returns
        -------
        probability : float64 (B,)
            That the window holds an attack: 1 - softmax[benign].
        kind : intp (B,)
            Index of the likeliest attack class.
        """
        probability = np.empty(len(windows), np.float64)
        kind = np.empty(len(windows), np.intp)
        for begin in range(0, len(windows), _CHUNK):
            part = slice(begin, begin + _CHUNK)
            probability[part], kind[part] = _verdicts(self.engine.logits(self.scaled(windows[part])))
        return probability, kind

    def score_sequences(
        self, features: NDArray[np.float32], index: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Score windows over rows: as :meth:`score` of ``gather(features, index)``, each row scaled once.

        Parameters
        ----------
        features : float32 (m, F)
        index : intp (B, T)
            See :class:`shared_model.windows.Windows`.
        """
        probability = np.empty(len(index), np.float64)
        kind = np.empty(len(index), np.intp)
        padded = np.zeros((len(features) + 1, features.shape[1]), np.float32)  # padding, -1, is the row behind the last
        # So many rows stay in the processor's cache, and constants of the same shape let one instruction take several features.
        center, scale = (np.tile(values, (min(_CHUNK, len(features)), 1)) for values in (self.center, self.scale))
        for begin in range(0, len(features), _CHUNK):
            part = slice(begin, min(begin + _CHUNK, len(features)))
            size = part.stop - begin
            _scaled(features[part], center[:size], scale[:size], padded[part])
        for begin in range(0, len(index), _CHUNK):
            part = slice(begin, begin + _CHUNK)
            probability[part], kind[part] = _verdicts(self.engine.logits(padded[index[part]]))
        return probability, kind

    def explain(self, window: NDArray[np.float32]) -> NDArray[np.float64]:
        """How much the probability falls when each event is taken out of its window.

        Parameters
        ----------
        window : float32 (T, F)

        Returns
        -------
        float64 (T,)
            0 … 1; 0 for padding, and for events without which the window looks worse.
        """
        weights: NDArray[np.float64] = self.explain_each(window[None])[0]
        return weights

    def explain_each(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """:meth:`explain` of many windows together, which costs the model far fewer calls: (B, T, F) → float64 (B, T)."""
        batch, length = windows.shape[:2]
        weights = np.empty((batch, length), np.float64)
        places = np.arange(length)
        step = max(1, _CHUNK // (length + 1))  # bounds memory, however many windows raised an alarm
        for begin in range(0, batch, step):
            some = windows[begin : begin + step]
            without = np.repeat(some[:, None], length + 1, axis=1)
            without[:, places, places] = 0
            probability, _ = self.score(without.reshape(-1, *windows.shape[1:]))
            fallen = probability.reshape(len(some), length + 1)
            weights[begin : begin + step] = np.clip(fallen[:, -1:] - fallen[:, :-1], 0, 1)
        weights[windows[..., -1] == 0] = 0
        return weights

    def scaled(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features as the model takes them (…, F)."""
        return _scaled(features, self.center, self.scale, np.empty_like(features))


def _scaled(
    features: NDArray[np.float32], center: NDArray[np.float32], scale: NDArray[np.float32], out: NDArray[np.float32]
) -> NDArray[np.float32]:
    np.subtract(features, center, out=out)
    out /= scale
    np.clip(out, -CLIP, CLIP, out=out)
    padding = features[..., -1] == 0
    if padding.any():
        out[padding] = 0  # whatever the center
    return out


def _verdicts(logits: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return 1.0 - shifted[:, 0] / shifted.sum(axis=1), 1 + logits[:, 1:].argmax(axis=1)


def _load(folder: Path, runtime: str) -> Detector:
    path = folder / "detector.json"
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}: build the detector with `make train`") from error
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON ({error}): build the detector again with `make train`") from error
    try:
        return _fitted(folder, document, runtime)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ArtifactError(f"{path}: {what}: build the detector again with `make train`") from error
    except ArtifactError as error:
        raise ArtifactError(f"{folder}: {error}") from error


def _fitted(folder: Path, document: dict[str, Any], runtime: str) -> Detector:
    """Build the detector out of its description, checking every part against the model and this code."""
    features = tuple(document["features"])
    _check_features(document["name"], features)
    center = np.array(document["scaling"]["center"], np.float32)
    scale = np.array(document["scaling"]["scale"], np.float32)
    _require(center.shape == scale.shape == (len(features),), f"scaling needs {len(features)} centers and scales")
    _require(bool(np.isfinite(center).all() and np.isfinite(scale).all() and (scale > 0).all()), "scales must be above 0")
    _require(center[-1] == 0 and scale[-1] == 1, "`present` must not be scaled (center 0, scale 1)")
    classes = tuple(ThreatClass(str(item["name"]), str(item["technique"])) for item in document["classes"])
    _require(len(classes) >= 2 and classes[0].name == "benign", "classes must begin with `benign` and name an attack")
    threshold, window, stride = float(document["threshold"]), int(document["window"]), int(document["stride"])
    _require(0 < threshold <= 1, f"threshold {threshold} is no probability above 0")
    _require(1 <= stride <= min(8, window), f"stride {stride} must be 1 … 8 and at most the window {window}")
    engine = Engine(_model(folder, document["model"]), runtime=runtime)
    wanted = (window, len(features), len(classes))
    given = (engine.window, engine.features, engine.classes)
    _require(wanted == given, f"the model has (events, features, classes) {given}, detector.json says {wanted}")
    return Detector(
        name=document["name"],
        version=str(document["version"]),
        window=window,
        stride=stride,
        features=features,
        center=center,
        scale=scale,
        classes=classes,
        threshold=threshold,
        engine=engine,
        trained=document.get("trained", {}),
    )


def _model(folder: Path, description: dict[str, Any]) -> bytes:
    path = folder / Path(description["file"]).name
    try:
        model = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path.name}: {error.strerror}: build the detector with `make train`") from error
    found = hashlib.sha256(model).hexdigest()
    if found != description["sha256"]:
        raise ArtifactError(
            f"{path.name} has SHA-256 {found}, detector.json says {description['sha256']}: "
            "one of the two was changed; restore both, or build the detector again with `make train`"
        )
    return model


def _check_features(name: str, features: tuple[str, ...]) -> None:
    if name not in ENCODERS:
        raise ArtifactError(f"no encoder for a detector named {name!r}: there are {', '.join(ENCODERS)}")
    expected: tuple[str, ...] = import_module(ENCODERS[name]).FEATURES
    if features != expected:
        differing = sorted(set(features) ^ set(expected)) or ["their order"]
        raise ArtifactError(
            f"the model was trained on other features than this code computes (differing: {', '.join(differing[:8])}): "
            "build the detector again with `make train`, or take the artifact that belongs to this version"
        )


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
