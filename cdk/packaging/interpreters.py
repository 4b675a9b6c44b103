"""Finds another version of Python on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def find_python(version: tuple[int, int]) -> str | None:
    """Path of a Python of that version, not that of a virtual environment; None where this machine has none.

    Looks at this interpreter, at ``python3.13`` and the like on the path, and at what pyenv has installed.
    """
    if version == sys.version_info[:2]:
        return str(getattr(sys, "_base_executable", sys.executable))
    name = f"python{version[0]}.{version[1]}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = sorted(pyenv.glob(f"versions/{version[0]}.{version[1]}.*/bin/{name}"))
    on_path = shutil.which(name)
    candidates = [on_path] if on_path else []
    # A name on the path may be a launcher whose Python is not selected.
    return next((path for path in [*candidates, *map(str, reversed(installed))] if _is(path, version)), None)


def _is(program: str, version: tuple[int, int]) -> bool:
    asked = f"import sys; sys.exit(sys.version_info[:2] != {version})"
    return subprocess.run([program, "-I", "-c", asked], capture_output=True, check=False).returncode == 0
