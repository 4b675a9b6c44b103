"""checkov's rules on the templates: all hold, but those that azure_infra/explanations.py gives a reason for."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from azure_infra.__main__ import COMPILED
from azure_infra.explanations import EXCEPTIONS
from infra_tests.azure_infra.conftest import FOLDER

CHECKOV = FOLDER.parent / ".venv-checkov" / "bin" / "checkov"


def test_what_checkov_finds_is_explained_and_every_explanation_is_needed() -> None:
    if not CHECKOV.is_file():
        pytest.skip("checkov's environment is not here: make test makes it")
    # What main.json nests is read from its own file: of a nested template checkov takes expressions for wrong values.
    only = ["--directory", FOLDER, "--skip-path", COMPILED, "--framework", "arm", "bicep"]
    command = [CHECKOV, *only, "--skip-download", "--quiet", "--output", "json"]
    environment = {**os.environ, "LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    reports = json.loads(done.stdout)
    reports = reports if isinstance(reports, list) else [reports]
    summaries = [report.get("summary", report) for report in reports]
    assert sum(summary["passed"] for summary in summaries) > 50
    assert all(summary["parsing_errors"] == summary["skipped"] == 0 for summary in summaries)
    failed = [check for report in reports for check in report.get("results", {}).get("failed_checks", ())]
    found: dict[str, set[str]] = {}
    for check in failed:
        found.setdefault(check["check_id"], set()).add(check["resource"].partition(".[")[0])
    assert found == {check: set(kinds) for check, kinds in EXCEPTIONS.items()}


def test_an_explanation_is_one() -> None:
    assert all(reason.endswith(".") and len(reason) > 40 for kinds in EXCEPTIONS.values() for reason in kinds.values())
