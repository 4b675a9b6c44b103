"""The job's definition for Azure ML, validated by Azure ML's own SDK (in its own environment)."""

from __future__ import annotations

import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from training.jobs import submit
from training.jobs.azureml import AzureJob
from training.jobs.settings import AzureSettings, read_settings
from training.jobs.sources import bundle
from training.jobs.surroundings import read

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "training" / "jobs" / "examples" / "azureml.yaml"
SDK = ROOT / ".venv-azureml" / "bin" / "python"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
needs_sdk = pytest.mark.skipif(not SDK.exists(), reason="Azure ML's SDK lives in its own environment (make azureml makes it)")


def job(**changes) -> AzureJob:
    return AzureJob(read_settings(EXAMPLE, AzureSettings).model_copy(update=changes), bundle(), NOW)


def in_sdk(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SDK, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def substituted(definition: dict, folders: Path) -> list[str]:
    """The arguments that Azure ML starts the command with: every placeholder replaced, outputs as folders."""
    command = definition["command"]
    for name, value in definition["inputs"].items():
        command = command.replace(f"${{{{inputs.{name}}}}}", value if isinstance(value, str) else str(folders))
    for name in definition["outputs"]:
        command = command.replace(f"${{{{outputs.{name}}}}}", str(folders / name))
    assert "${{" not in command  # the SDK does not look into the command
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "training.jobs.entry"]
    return words[3:]


@pytest.mark.parametrize("data", ["azureml:breakwater-recorded-data:1", ""])
def test_the_command_says_everything_to_the_entry_point(tmp_path, data):
    told = read(substituted(job(data=data).job(), tmp_path), {"AZUREML_RUN_ID": "x"})
    assert told.hyperparameters == job().settings.training.hyperparameters()
    assert (told.model, told.output, told.checkpoints) == (tmp_path / "model", tmp_path / "log", tmp_path / "checkpoints")
    assert told.data == (tmp_path if data else None)


def test_checkpoints_are_written_through_and_found_again_by_the_same_job():
    one, later = job(), AzureJob(job().settings, bundle(), datetime(2026, 11, 24, tzinfo=UTC))
    assert one.job()["outputs"]["checkpoints"]["mode"] == "rw_mount"
    assert one.job()["outputs"]["checkpoints"] == later.job()["outputs"]["checkpoints"]
    assert one.job()["outputs"]["model"] != later.job()["outputs"]["model"]


def test_the_cluster_has_no_public_address_and_leaves_nothing_running():
    cluster = job().cluster()
    assert (cluster["tier"], cluster["min_instances"]) == ("low_priority", 0)
    assert cluster["enable_node_public_ip"] is False
    assert cluster["ssh_public_access_enabled"] is False
    assert job(spot=False).cluster()["tier"] == "dedicated"


def test_without_the_sdk_a_dry_run_says_that_it_validated_nothing(monkeypatch, capsys):
    monkeypatch.setattr("training.jobs.azureml.sdk_is_here", lambda: False)
    assert submit.main(["azureml", str(EXAMPLE), "--dry-run"], now=lambda: NOW) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out) == job().job()
    assert "not validated by the SDK" in printed.err


def test_without_the_sdk_nothing_is_submitted(capsys):
    assert submit.main(["azureml", str(EXAMPLE)], now=lambda: NOW) == 1
    assert "make azureml" in capsys.readouterr().err


@needs_sdk
def test_the_sdk_takes_job_and_cluster():
    done = in_sdk("-m", "training.jobs.submit", "azureml", str(EXAMPLE), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "not validated" not in done.stderr
    assert yaml.safe_load(done.stdout)["type"] == "command"


@needs_sdk
def test_the_sdk_refuses_wrong_definitions():
    wrong = {
        "Not a valid integer": ("job", {"limits": {"timeout": "soon"}}),
        "Unknown field": ("job", {"spot": True}),
        "'rwx' passed is not in set": ("job", {"outputs": {"model": {"type": "uri_folder", "mode": "rwx"}}}),
        "tier": ("cluster", {"tier": "cheap"}),
    }
    program = f"""
import sys; sys.path.insert(0, ".")
from datetime import UTC, datetime
from pathlib import Path
from training.jobs.azureml import AzureJob
from training.jobs.hyperparameters import JobError
from training.jobs.settings import AzureSettings, read_settings
from training.jobs.sources import bundle
settings, sources = read_settings(Path({str(EXAMPLE)!r}), AzureSettings), bundle()
for said, (part, change) in {wrong!r}.items():
    right = getattr(AzureJob, part)
    kind = type("Wrong", (AzureJob,), {{part: lambda self, right=right, change=change: {{**right(self), **change}}}})
    try:
        kind(settings, sources, datetime.now(UTC)).check()
        print("TAKEN", said)
    except JobError as error:
        print("REFUSED" if said in str(error) else "OTHERWISE", said, error if said not in str(error) else "")
"""
    done = in_sdk("-c", program)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["REFUSED"] * len(wrong), done.stdout + done.stderr
