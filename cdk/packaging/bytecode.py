"""Bytecode of what a function loads at its start.

Lambda's code folder is read-only: without bytecode in it, every new execution environment compiles some 350 modules again,
which takes longer than all the rest of its start.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cdk.packaging.imports import closure
from cdk.packaging.interpreters import find_python
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
#: Compiles ``<file> <name> <bytecode file> <optimisation>`` lines. The name is what tracebacks show, an empty bytecode file
#: is the one beside the source. Nobody edits a deployed file: its time is not asked.
_COMPILE = (
    "import py_compile, sys\n"
    "for line in sys.stdin:\n"
    "    file, name, bytecode, level = line.rstrip('\\n').split('\\t')\n"
    "    py_compile.compile(file, cfile=bytecode or None, dfile=name, doraise=True, optimize=int(level),\n"
    "                       invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)\n"
)
#: Says which Python a Pyodide is.
_PYODIDE_LOCK = "pyodide-lock.json"
#: Where Lambda unpacks a function.
_TASK_ROOT = "/var/task"


def compiler(target: Target, root: Path) -> tuple[str, ...] | None:
    """Command that compiles for the target's version, None where this machine has none. Bytecode is of one version only.

    One that this machine has, or that of WebAssembly which ``npm ci`` installs (docs/decisions/115).
    """
    if python := find_python(target.python):
        return compiling(python)
    return in_node(target, root / "node_modules" / "pyodide")


def compiling(python: str) -> tuple[str, ...]:
    """Command by which an interpreter compiles."""
    return (python, "-I", "-c", _COMPILE)


class CompilationFailed(Exception):
    """The Python that compiles for the function did not; what it said is in the message."""


def in_node(target: Target, pyodide: Path) -> tuple[str, ...] | None:
    """Command that compiles in Pyodide, None where it is not installed, without Node, or of another version of Python."""
    node, lock = shutil.which("node", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"), pyodide / _PYODIDE_LOCK
    if not node or not lock.exists() or not json.loads(lock.read_bytes())["info"]["python"].startswith(f"{target.version}."):
        return None
    return (node, str(Path(__file__).with_name("compile_in_node.cjs")), str(pyodide), _COMPILE)


def compile_loaded(folder: Path, module: str, packages: Iterable[str], command: Sequence[str]) -> list[Path]:
    """Compile what importing a module loads, beside the sources; return the bytecode files.

    Parameters
    ----------
    folder : Path
    module : str
        The one that holds the handler.
    packages : iterable of str
        Our own, whose imports inside functions count too: they are loaded before the first event is handled.
    command : sequence of str
        Of :func:`compiler`, for the version that will run it.
    """
    sources = sorted(path for path in loaded(folder, [module], packages).values() if path.suffix == ".py")
    compile_files({path: f"{_TASK_ROOT}/{path.relative_to(folder)}" for path in sources}, command)
    return sorted(folder.rglob("*.pyc"))


def compile_files(sources: Mapping[Path, str], command: Sequence[str]) -> None:
    """Compile files beside themselves, each under the name that tracebacks show."""
    _run(command, [f"{path}\t{name}\t\t-1" for path, name in sorted(sources.items())])


def compile_away(sources: Mapping[Path, str], command: Sequence[str]) -> None:
    """Put bytecode without docstrings and assertions in the place of files: they are read by nobody and by one Python only."""
    _run(command, [f"{path}\t{name}\t{path.with_suffix('.pyc')}\t2" for path, name in sorted(sources.items())])
    for path in sources:
        path.unlink()


def _run(command: Sequence[str], lines: list[str]) -> None:
    done = subprocess.run(command, input="\n".join(lines), text=True, capture_output=True, check=False)
    if done.returncode:
        raise CompilationFailed(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")


def loaded(folder: Path, modules: Iterable[str], packages: Iterable[str]) -> dict[str, Path]:
    """Modules that some modules load, read from the source, with the file of each."""
    ours = {*packages}
    reached = closure(
        folder, *modules, follows=lambda importer, wanted: not wanted.lazy or importer.partition(".")[0] in ours
    ).modules
    for name in _BY_NAME:
        paths = (folder / name).rglob("*.py") if (folder / name).is_dir() else (folder / name,)
        reached |= {".".join(path.relative_to(folder).with_suffix("").parts): path for path in paths if path.exists()}
    return reached
