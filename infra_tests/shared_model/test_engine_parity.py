"""tflite-runtime, the engine's old name, decides as ai-edge-litert does. It needs an environment of its own.

The two releases round some int8 operators differently, so logits may lie a quantization step apart, and a window whose score
lies that near to the threshold may be decided otherwise. How many may, and how far apart on average, is bounded here.
"""

import io
import subprocess
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_model.audit_detection import detect_api_calls
from shared_model.detector import Detector
from shared_model.engine import Engine
from shared_model.events import ApiCall, Telemetry
from shared_model.flow_detection import detect
from shared_model.memory import InProcessMemory
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.vpc_flow_logs import read_flows
from training.scenarios import Scenario, generate

ROOT = Path(__file__).parents[2]
OLD = ROOT / ".venv-tflite" / "bin" / "python"
SCORE = """
import sys
import numpy as np
from pathlib import Path
from shared_model.engine import Engine
model, windows, logits = map(Path, sys.argv[1:])
engine = Engine(model, runtime="tflite_runtime")
assert engine.runtime == "tflite_runtime" and np.__version__.startswith("1.")
np.save(logits, engine.logits(np.load(windows)))
"""


def _through_network(detector: Detector, scenario: Scenario) -> None:
    assert scenario.flow_log is not None
    for read in read_flows(io.BytesIO(scenario.flow_log.encode()), source="test"):
        detect(read.batch, detector, InProcessMemory(), now_ms=0, correlation_id="test")


def _through_audit(detector: Detector, scenario: Scenario) -> None:
    records = parse_cloudtrail({"Records": list(scenario.records)}, source="test")
    calls = [record for record in records if isinstance(record, ApiCall)]
    detect_api_calls(calls, detector, InProcessMemory(), now_ms=0, correlation_id="test")


PATHS = {"network": (Telemetry.FLOW_LOGS, _through_network), "audit": (Telemetry.API_CALLS, _through_audit)}


@pytest.fixture(params=sorted(PATHS))
def seen(request: pytest.FixtureRequest) -> tuple[Path, Detector, NDArray[np.float32]]:
    """A shipped model, its detector, and the windows that its engine is given when scenarios pass through."""
    folder = ROOT / "model_artifacts" / request.param
    detector, (telemetry, through) = Detector.load(folder), PATHS[request.param]
    windows: list[NDArray[np.float32]] = []
    logits = Engine.logits

    def recording(engine: Engine, given: NDArray[np.float32]) -> NDArray[np.float32]:
        windows.append(np.array(given))
        return logits(engine, given)

    with patch.object(Engine, "logits", recording):
        for scenario in generate(11, telemetry=telemetry):
            through(detector, scenario)
    return folder / "model.tflite", detector, np.concatenate(windows)[:4000]


@pytest.mark.skipif(not OLD.exists(), reason="no tflite-runtime environment (`make tflite-runtime`; needs python3.11 on x86-64)")
def test_both_engines_decide_alike(seen: tuple[Path, Detector, NDArray[np.float32]], tmp_path: Path) -> None:
    model, detector, windows = seen
    np.save(tmp_path / "windows.npy", windows)
    command = [OLD, "-c", SCORE, model, tmp_path / "windows.npy", tmp_path / "logits.npy"]
    subprocess.run(command, check=True, cwd=ROOT, timeout=300)
    ours, theirs = (_probability(logits) for logits in (Engine(model).logits(windows), np.load(tmp_path / "logits.npy")))
    assert 0.05 < float(np.mean(ours >= detector.threshold)) < 0.95, "windows that all score alike prove nothing"
    # The threshold lies where benign scores begin (decision 082): more windows are near it than near 0.5 by chance.
    assert float(np.mean((ours >= detector.threshold) != (theirs >= detector.threshold))) <= 0.01
    assert float(np.mean(np.abs(ours - theirs))) <= 0.005


def _probability(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(1.0 - shifted[:, 0] / shifted.sum(axis=1))
