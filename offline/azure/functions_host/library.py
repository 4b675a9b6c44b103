"""Fetch what the Function app runs in: the library that Azure's own worker loads, and the protocol it speaks with the host.

``python -m offline.azure.functions_host.library`` does it once; it lands in ``.cache/``. The folder holds the distributions
that ``requirements/azure_runtime.lock`` pins by hash and nothing else, so that a module which a deploy folder forgot is
missing here as it would be in the cloud.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from cdk.packaging.interpreters import find_python

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache"
_LOCK = ROOT / "requirements" / "azure_runtime.lock"
#: The protocol's messages under a name of their own: in their wheel they lie in the top-level package ``tests``.
PROTOCOL = "functions_protocol"


class LibraryUnavailable(Exception):
    """The Functions library could not be made ready. Says what to do."""


def library_folder(python: tuple[int, int] = sys.version_info[:2], cache: Path = CACHE) -> Path:
    """Folder with the Functions library for one version of Python on this machine; fetched on first use.

    Raises
    ------
    LibraryUnavailable
        The pinned distributions could not be had.
    """
    digest = hashlib.sha256(_LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    target = cache / "azure-runtime" / f"{digest}-cp{python[0]}{python[1]}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            new = Path(scratch) / "library"
            _install(new, python)
            (new / "tests" / "protos").rename(new / PROTOCOL)
            shutil.rmtree(new / "tests")
            _compile(new, python)
            try:
                new.rename(target)
            except OSError:  # another process was first, with the same content
                if not target.exists():
                    raise
    return target


def protocol(cache: Path = CACHE) -> ModuleType:
    """The messages of the protocol between host and worker, and the service's stubs (``FunctionRpc.proto``), for this process."""
    if PROTOCOL not in sys.modules:
        package = library_folder(cache=cache) / PROTOCOL
        spec = importlib.util.spec_from_file_location(
            PROTOCOL, package / "__init__.py", submodule_search_locations=[str(package)]
        )
        if spec is None or spec.loader is None:
            raise LibraryUnavailable(f"{package} is incomplete: remove {package.parent} and run `make setup`")
        module = importlib.util.module_from_spec(spec)
        sys.modules[PROTOCOL] = module
        spec.loader.exec_module(module)
    return sys.modules[PROTOCOL]


def messages() -> Any:
    """Module of all message classes; the package itself names only those that workers use."""
    protocol()
    return sys.modules[f"{PROTOCOL}.FunctionRpc_pb2"]


def _install(folder: Path, python: tuple[int, int]) -> None:
    # pip, since it alone reads every place where an index can be configured; its own environment when this one has none.
    bootstrap = CACHE / "uv-bootstrap" / "bin" / "python"
    pip = sys.executable if importlib.util.find_spec("pip") else str(bootstrap)
    command = [pip, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    command += ["--ignore-requires-python", "--only-binary", ":all:", "--python-version", f"{python[0]}.{python[1]}"]
    command += ["--no-compile", "--target", str(folder), "--requirement", str(_LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LibraryUnavailable(f"could not fetch the pinned Functions library ({_LOCK.name}): {done.stderr.strip()[-500:]}")


def _compile(folder: Path, python: tuple[int, int]) -> None:
    """Compile what the platform's image carries compiled too. Bytecode is of one version of Python only."""
    if program := find_python(python):
        subprocess.run(
            [program, "-I", "-m", "compileall", "-q", "-s", str(folder), str(folder)], capture_output=True, check=False
        )


def main() -> None:
    """Make it ready and say where it is."""
    print(f"  {library_folder().relative_to(ROOT)}")


if __name__ == "__main__":
    main()
