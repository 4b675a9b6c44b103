"""Installs the locked distributions for a target, every file checked against its hash in the lock."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from cdk.packaging.targets import Target

#: Published as source only. Pure Python: the static check would find a compiled file.
SOURCE_ONLY = ("drain3",)


class InstallFailed(Exception):
    """The locked distributions could not be installed; the message ends with what the installer said."""


def install(lock: Path, target: Target, folder: Path) -> None:
    """Install everything that the lock names for that target into an empty folder.

    Raises
    ------
    InstallFailed
        No wheel fits the target, a hash differs, or the index cannot be reached.
    """
    command = [_uv(), "pip", "install", "--quiet", "--target", str(folder), "--python", sys.executable]
    command += ["--requirements", str(lock), "--require-hashes", "--no-deps", "--python-version", target.version]
    command += ["--only-binary", ":all:"] + [part for name in SOURCE_ONLY for part in ("--no-binary", name)]
    # Files of the folder's own. A link into the installer's cache is the very file that other environments hold, and that a
    # running process has mapped: whoever shortens it there takes the process's memory away and ends it by SIGSEGV.
    command += ["--link-mode", "copy"]
    if target.platform:
        command += ["--python-platform", target.platform]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **_index_settings()}, check=False)
    if done.returncode:
        raise InstallFailed(f"installing {lock.name} for {target.name} failed:\n{done.stderr.strip()}")


def _uv() -> str:
    """Path of uv: beside this interpreter, where the environments were made, or on the path."""
    root = Path(__file__).parents[2]
    for candidate in (Path(sys.executable).parent / "uv", root / ".cache/uv-bootstrap/bin/uv"):
        if candidate.exists():
            return str(candidate)
    if found := shutil.which("uv"):
        return found
    raise InstallFailed("uv is not installed: run `make setup`, or `pip install uv`")


def _index_settings() -> dict[str, str]:
    """Hand on the index and certificates that pip is configured with: uv reads its own settings only."""
    names = {"UV_DEFAULT_INDEX": ("PIP_INDEX_URL", "global.index-url"), "SSL_CERT_FILE": ("PIP_CERT", "global.cert")}
    settings = {}
    for ours, (variable, key) in names.items():
        value = os.environ.get(variable) or _pip_setting(key)
        if value and not os.environ.get(ours):
            settings[ours] = value
    return settings


def _pip_setting(key: str) -> str:
    command = [sys.executable, "-m", "pip", "config", "get", key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # fails where the key is not set
    return done.stdout.strip() if done.returncode == 0 else ""
