"""The runtime folder holds the runtime client and nothing else; an unknown machine is told what to use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from offline.aws import emulator_binary
from offline.aws.emulator_binary import EmulatorUnavailable, runtime_folder


def test_the_runtime_folder_holds_the_client_and_nothing_else(tmp_path: Path) -> None:
    folder = runtime_folder(tmp_path)
    held = {path.name.partition(".")[0] for path in folder.iterdir() if path.name != "__pycache__"}
    assert held == {"awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"}
    assert runtime_folder(tmp_path) == folder, "built once"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "no half-built folder is left"


def test_the_emulator_is_executable_and_fetched_once() -> None:
    binary = emulator_binary.emulator_binary()
    assert os.access(binary, os.X_OK)
    assert binary.read_bytes()[:4] == b"\x7fELF"


def test_an_unknown_machine_is_told_what_to_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(emulator_binary.platform, "machine", lambda: "riscv64")
    with pytest.raises(EmulatorUnavailable, match="riscv64: use an x86-64 or arm64 machine"):
        emulator_binary.emulator_binary(tmp_path)


def test_a_wheel_that_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = tmp_path / "emulator.lock"
    lock.write_text("aws-sam-cli==1.170.0 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(emulator_binary, "_LOCK", lock)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(EmulatorUnavailable, match="could not fetch the pinned emulator"):
        emulator_binary.emulator_binary(tmp_path)
