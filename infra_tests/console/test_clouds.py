"""Which cloud is meant, and that the other one is not loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.clouds import Cloud, meant
from console.deployment import NotPossible

ROOT = Path(__file__).parents[2]
_SHOW = """
import sys
from console.__main__ import main
status = main(sys.argv[1:])
print(status, *sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def _sign(home: Path, *names: str) -> None:
    for name in names:
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).touch()


@pytest.mark.parametrize(
    ("files", "environment", "cloud"),
    [
        ((".aws/config",), {}, Cloud.AWS),
        ((), {"AWS_PROFILE": "on-call"}, Cloud.AWS),
        ((".azure/azureProfile.json",), {}, Cloud.AZURE),
        ((), {"BREAKWATER_STATE_ACCOUNT_ID": "breakwaterst"}, Cloud.AZURE),
        ((".aws/config", ".azure/azureProfile.json"), {"BREAKWATER_CLOUD": "Azure"}, Cloud.AZURE),
    ],
)
def test_the_one_that_is_configured(home: Path, files: tuple[str, ...], environment: dict[str, str], cloud: Cloud) -> None:
    _sign(home, *files)
    assert meant("", environment, home) is cloud


@pytest.mark.parametrize("files", [(), (".aws/config", ".azure/azureProfile.json")])
def test_it_asks_rather_than_guesses(home: Path, files: tuple[str, ...]) -> None:
    _sign(home, *files)
    with pytest.raises(NotPossible, match="say --cloud aws or --cloud azure"):
        meant("", {}, home)


def test_the_option_goes_before_all_else(home: Path) -> None:
    _sign(home, ".aws/config")
    assert meant("azure", {"BREAKWATER_CLOUD": "aws"}, home) is Cloud.AZURE


def test_a_cloud_that_there_is_not(home: Path) -> None:
    with pytest.raises(NotPossible, match="BREAKWATER_CLOUD is 'gcp': make it aws or azure"):
        meant("", {"BREAKWATER_CLOUD": "gcp"}, home)


@pytest.mark.parametrize(
    ("arguments", "others"),
    [
        (("--cloud", "aws", "status"), {"azure", "azure_functions", "cdk", "tensorflow"}),
        (("--cloud", "azure", "status"), {"boto3", "botocore", "lambdas", "azure_infra", "tensorflow"}),
        (("--cloud", "aws", "policy", "check", "policy/default.yaml"), {"azure", "azure_functions", "boto3"}),
        (("--cloud", "azure", "policy", "check", "policy/azure.yaml"), {"azure", "boto3", "lambdas"}),
    ],
)
def test_only_what_is_used_is_loaded(arguments: tuple[str, ...], others: set[str], tmp_path: Path) -> None:
    # Without region, sign-in and tools both clouds end before anything is asked.
    bare = {"HOME": str(tmp_path), "PATH": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    known = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "LANG", "TMPDIR"))}
    shown = subprocess.run(
        [sys.executable, "-c", _SHOW, *arguments], cwd=ROOT, env=known | bare, capture_output=True, text=True, check=True
    )
    status, *loaded = shown.stderr.splitlines()[-1].split()
    assert status == ("0" if "check" in arguments else "1")
    assert others.isdisjoint(loaded)


def test_what_is_not_understood_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    from console.__main__ import main

    with pytest.raises(SystemExit, match="2"):
        main(["status", "--cloud", "gcp"])
    assert "aws" in capsys.readouterr().err
