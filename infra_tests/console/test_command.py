"""``breakwater`` as it is installed: by its name, from any folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from console.__main__ import main
from infra_tests.response.world import verdict
from shared_model.events import Telemetry

ROOT = Path(__file__).parents[2]


def run(*arguments: str, folder: Path, command: Path = ROOT / "console" / "breakwater") -> subprocess.CompletedProcess[str]:
    return subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_it_works_from_any_folder_whatever_lies_there(tmp_path: Path) -> None:
    for ours in ("console.py", "response.py", "argparse.py"):
        (tmp_path / ours).write_text("raise SystemExit('taken for ours')", encoding="utf-8")
    (tmp_path / "mine.yaml").write_bytes((ROOT / "policy" / "default.yaml").read_bytes())
    done = run("policy", "check", "mine.yaml", "--cloud", "aws", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mine.yaml: only observes ")


def test_a_terminal_without_our_signs_gets_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    (tmp_path / "verdict.json").write_text(verdict("i-0a", "v", Telemetry.FLOW_LOGS).to_json(), encoding="utf-8")
    policy = str(ROOT / "policy" / "default.yaml")
    done = run("policy", "explain", "verdict.json", "--policy", policy, "--offline", "--cloud", "aws", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u2192 quarantine-instance: quarantine_instance" in done.stdout


def test_a_link_to_it_is_it(tmp_path: Path) -> None:
    (tmp_path / "breakwater").symlink_to(ROOT / "console" / "breakwater")
    done = run("policy", "check", "none.yaml", "--cloud", "aws", folder=tmp_path, command=tmp_path / "breakwater")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "breakwater: cannot read none.yaml: No such file or directory\n"


def test_a_reader_that_has_read_enough_is_no_mistake(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [str(ROOT / "console" / "breakwater"), "policy", "check", str(ROOT / "policy" / "default.yaml"), "--cloud", "aws"]
    done = subprocess.run(command, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_whoever_interrupts_it_reads_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("console.doctor.doctor", interrupted)
    assert main(["doctor", "--cloud", "aws"]) == 130
    assert capsys.readouterr().err.startswith("breakwater: interrupted; ")


def test_the_set_up_makes_it(tmp_path: Path) -> None:
    environment = tmp_path / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / ".ready").touch()
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "breakwater").symlink_to(ROOT / "console" / "breakwater")
    subprocess.run(["make", "-f", ROOT / "Makefile", "-o", ".venv/.ready", ".venv/bin/breakwater"], cwd=tmp_path, check=True)
    assert (environment / "bin" / "breakwater").resolve() == ROOT / "console" / "breakwater"
    assert "setup: .venv/bin/breakwater " in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md")), ids=lambda file: file.name)
def test_every_page_calls_it_by_its_name(file: Path) -> None:
    assert "-m console" not in file.read_text(encoding="utf-8")
