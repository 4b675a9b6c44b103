"""How often garbage is looked for: the same in every function of both clouds."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import vnet_flow_path
from benchmarks.flow_tuples import make_blob
from lambdas.registry import FUNCTIONS
from shared_model.detector import Detector

_MODULES = (
    *(f"lambdas.{spec.name}" for spec in FUNCTIONS),
    "function_app",
)


@pytest.mark.parametrize("module", _MODULES)
def test_a_function_looks_for_garbage_seldom(module: str) -> None:
    code = f"import gc, json, {module}; print(json.dumps(gc.get_threshold()))"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    first, *_ = json.loads(said.splitlines()[-1])
    assert first == 50_000


def test_what_a_batch_makes_is_freed_without_a_look(tmp_path: Path) -> None:
    """Damaged tuples and verdicts are among it. What is left does not grow with the batch: else memory would, between looks."""
    detector = Detector.load(Path(__file__).parents[2] / "model_artifacts" / "network")
    left = []
    for tuples in (2_000, 20_000):
        blob = tmp_path / f"{tuples}.json"
        blob.write_bytes(make_blob(tuples, per_group=10))
        gc.collect()
        gc.disable()
        try:
            done = vnet_flow_path.run(vnet_flow_path._Storage(blob), detector)
            left.append(gc.collect())
        finally:
            gc.enable()
        assert done.rejected
        assert done.verdicts
    assert left[0] == left[1] < 100
