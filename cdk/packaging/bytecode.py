"""Bytecode of what a function loads at its start.

Lambda's code folder is read-only: without bytecode in it, every new execution environment compiles some 350 modules again,
which takes longer than all the rest of its start.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from cdk.packaging.imports import find, imports, parents
from cdk.packaging.targets import Target

#: Modules and packages that are loaded by name, where no import statement tells.
_BY_NAME = (
    "pydantic",
    "boto3",
    "s3transfer",
    "numpy/_core/_exceptions.py",
    "numpy/_core/_dtype.py",
    "numpy/_core/_internal.py",
    "numpy/dtypes.py",
)
#: Compiles ``<file> <name>`` lines. The name is what tracebacks show. Nobody edits a deployed file: its time is not asked.
_COMPILE = (
    "import py_compile, sys\n"
    "for line in sys.stdin:\n"
    "    file, name = line.rstrip('\\n').split('\\t')\n"
    "    py_compile.compile(file, dfile=name, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)\n"
)
#: Where Lambda unpacks a function.
_TASK_ROOT = "/var/task"


def interpreter(target: Target) -> str | None:
    """Path of a Python of the target's version, None where this machine has none. Bytecode is of one version only."""
    if target.python == sys.version_info[:2]:
        return sys.executable
    found = shutil.which(f"python{target.version}")
    # A name on the path may be a launcher whose Python is not installed.
    works = found and subprocess.run([found, "-I", "-c", ""], capture_output=True, check=False).returncode == 0
    return found if works else None


def compile_loaded(folder: Path, module: str, packages: Iterable[str], python: str) -> list[Path]:
    """Compile what importing a module loads, beside the sources; return the bytecode files.

    Parameters
    ----------
    folder : Path
    module : str
        The one that holds the handler.
    packages : iterable of str
        Our own, whose imports inside functions count too: they are loaded before the first event is handled.
    python : str
        An interpreter of the version that will run it.
    """
    sources = sorted(path for path in loaded(folder, module, packages).values() if path.suffix == ".py")
    lines = "".join(f"{path}\t{_TASK_ROOT}/{path.relative_to(folder)}\n" for path in sources)
    subprocess.run([python, "-I", "-c", _COMPILE], input=lines, text=True, check=True, capture_output=True)
    return sorted(folder.rglob("*.pyc"))


def loaded(folder: Path, module: str, packages: Iterable[str]) -> dict[str, Path]:
    """Modules that a module loads, read from the source, with the file of each."""
    ours = {*packages}
    reached: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in reached or (file := find(folder, name)) is None:
            continue
        reached[name] = file
        waiting.extend(parents(name))
        if file.suffix == ".py":
            waiting.extend(wanted.module for wanted in imports(file, name) if not wanted.lazy or name.partition(".")[0] in ours)
    for name in _BY_NAME:
        paths = (folder / name).rglob("*.py") if (folder / name).is_dir() else (folder / name,)
        reached |= {".".join(path.relative_to(folder).with_suffix("").parts): path for path in paths if path.exists()}
    return reached
