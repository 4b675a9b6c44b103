"""The entry point as a service runs it: a process, variables, SIGTERM, and again. Needs TensorFlow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="TensorFlow lives in the training environment (make train makes it)")

from training import promote
from training.jobs.sources import Bundle, bundle, unpack
from training.promotion.returned import check, fetch

pytestmark = pytest.mark.training
HYPERPARAMETERS = {"detector": "network", "seed": "3", "seeds": "1", "repeats": "1", "epochs": "3"}


class Job:
    """A SageMaker job on this machine: its folders outlive its processes, and its sources come from the bundle."""

    def __init__(self, folder: Path, sources: Bundle) -> None:
        self.folder = folder
        unpack(sources.content, folder / "code")
        (folder / "config").mkdir()
        (folder / "config" / "hyperparameters.json").write_text(json.dumps(HYPERPARAMETERS))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "SM_MODEL_DIR": str(folder / "model"),
            "SM_OUTPUT_DATA_DIR": str(folder / "output" / "data"),
            "SM_INPUT_CONFIG_DIR": str(folder / "config"),
            "SM_CHECKPOINT_DIR": str(folder / "checkpoints"),
            "TRAINING_JOB_NAME": "breakwater-network-test",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "training.jobs.entry"],
            cwd=self.folder / "code", env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def finish(self) -> str:
        said, _ = (process := self.start()).communicate(timeout=500)
        assert process.returncode == 0, said
        return said

    def detector(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "model" / "network").iterdir()}


@pytest.fixture(scope="module")
def sources() -> Bundle:
    return bundle()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, sources) -> Job:
    """A job that nothing interrupted."""
    job = Job(tmp_path_factory.mktemp("whole"), sources)
    job.finish()
    return job


def test_what_a_job_leaves_is_complete_and_checked(whole, sources, tmp_path, capsys):
    returned = check(fetch(str(whole.folder / "model"), tmp_path))
    assert returned.detectors == ("network",)
    assert returned.record["service"] == "sagemaker"
    assert returned.record["job"] == "breakwater-network-test"
    assert returned.record["source"] == sources.digest
    assert returned.record["hyperparameters"]["epochs"] == 3
    assert returned.record["versions"]["tensorflow-cpu"]
    assert set(whole.detector()) == {"model.tflite", "detector.json", "evaluation.json", "MODEL_CARD.md"}
    assert "complete" in (whole.folder / "output" / "data" / "log.txt").read_text()
    # Three epochs on scenarios alone are no match for what is shipped.
    assert promote.main([str(whole.folder / "model")]) == 1
    assert "REFUSED, nothing was written" in capsys.readouterr().err


def test_a_job_whose_machine_is_taken_away_ends_with_the_same_bytes(whole, sources, tmp_path):
    job = Job(tmp_path, sources)
    process = job.start()
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 2/3" in line:
            process.send_signal(signal.SIGTERM)
            break
    process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "model" / "SHA256SUMS").exists()
    said = job.finish()
    assert "(kept)" in said
    assert job.detector() == whole.detector()


def test_a_job_that_cannot_run_says_why_where_the_service_looks(sources, tmp_path):
    job = Job(tmp_path, sources)
    job.environment["SM_HPS"] = json.dumps({"detector": "all", "epochs": "0"})
    process = job.start()
    process.communicate(timeout=120)
    assert process.returncode == 1
    assert (tmp_path / "output" / "failure").read_text() == "epochs is 0: give a whole number from 1 to 500"
