"""Assembles function folders: the distributions a function needs, pruned, and our own packages.

Folders are built once for the same inputs, appear all at once, and hold the same bytes, times and modes wherever they
are built, so that the CDK uploads a function again only when something in it changed.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cdk.packaging.bytecode import compile_loaded, interpreter
from cdk.packaging.distributions import Installed, closure, read_installed
from cdk.packaging.elf import is_elf, without_sections
from cdk.packaging.installer import install
from cdk.packaging.pruning import keeper, used_services
from cdk.packaging.targets import Target
from lambdas.registry import FunctionSpec

#: Every file carries this time: 1980-01-01, the earliest that a zip can hold.
_FILE_TIME = 315_532_800
_OUR_OWN = ("__pycache__", "*.pyc", "*.md")


class FolderTooLarge(Exception):
    """A function folder passes the size limit; the message names its largest parts."""


@dataclass(frozen=True, slots=True)
class FunctionFolder:
    """A built folder.

    Attributes
    ----------
    function, target : str
    path : Path
    size_bytes : int
    distributions : tuple of Installed
    compiled : bool
        Carries bytecode of what it loads; False where this machine has no Python of the target's version.
    fresh : bool
        Built now; False where it was already there, from the same inputs.
    """

    function: str
    target: str
    path: Path
    size_bytes: int
    distributions: tuple[Installed, ...]
    compiled: bool
    fresh: bool


def build(functions: Iterable[FunctionSpec], target: Target, root: Path) -> Iterator[FunctionFolder]:
    """Build ``build/<target>/<function>/`` for each function, and yield it.

    Parameters
    ----------
    functions : iterable of FunctionSpec
    target : Target
    root : Path
        Of the repository.

    Raises
    ------
    InstallFailed, DistributionMissing, FolderTooLarge
    """
    root = root.resolve()
    folder = root / "build" / target.name
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(root / "build" / f".{target.name}.lock"):
        pool = _pool(root, target)
        installed = read_installed(pool, target)
        for spec in functions:
            yield _build_one(spec, target, root, pool, installed)


def _build_one(spec: FunctionSpec, target: Target, root: Path, pool: Path, installed: Mapping[str, Installed]) -> FunctionFolder:
    folder = root / "build" / target.name / spec.name
    stamp = folder.with_name(f".{spec.name}.inputs")
    distributions = closure(spec.requirements, installed)
    python = interpreter(target)
    inputs = _digest_of_inputs(spec, root, pool, compiled=python is not None)
    fresh = not (folder.is_dir() and stamp.exists() and stamp.read_text() == inputs)
    if fresh:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{spec.name}-") as scratch:
            new = Path(scratch) / spec.name
            _link_distributions(distributions, pool, new, used_services(root, f"lambdas.{spec.name}"))
            _compress(new / "botocore" / "data" / "endpoints.json")
            _copy_packages(spec.packages, root, new)
            if python:
                for path in compile_loaded(new, spec.handler.rpartition(".")[0], spec.packages, python):
                    _settle(path)
            stamp.unlink(missing_ok=True)
            if folder.exists():
                shutil.move(folder, Path(scratch) / "previous")
            new.rename(folder)
        stamp.write_text(inputs)
    sizes = sizes_by_part(folder)
    if sum(sizes.values()) > target.size_limit_bytes:
        largest = ", ".join(f"{part} {size / 1e6:.1f} MB" for part, size in list(sizes.items())[:5])
        raise FolderTooLarge(
            f"{folder} holds {sum(sizes.values()) / 1e6:.1f} MB, more than {target.size_limit_bytes / 1e6:.0f}: {largest}"
        )
    return FunctionFolder(spec.name, target.name, folder, sum(sizes.values()), distributions, python is not None, fresh)


def sizes_by_part(folder: Path) -> dict[str, int]:
    """Bytes of each top-level part of a folder, largest first."""
    sizes: dict[str, int] = {}
    for path in _files(folder):
        part = path.relative_to(folder).parts[0]
        sizes[part] = sizes.get(part, 0) + path.stat().st_size
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _pool(root: Path, target: Target) -> Path:
    """Everything in the lock, installed once for a target; function folders are hard links into it."""
    lock = root / "requirements" / "functions.lock"
    ways = "".join((Path(__file__).parent / name).read_text() for name in ("assembly.py", "elf.py", "installer.py"))
    digest = hashlib.sha256(f"{target}\n{lock.read_text()}\n{ways}".encode()).hexdigest()[:16]
    pool = root / "build" / f".{target.name}-{digest}"
    if not pool.is_dir():
        for stale in pool.parent.glob(f".{target.name}-*"):
            shutil.rmtree(stale)
        with tempfile.TemporaryDirectory(dir=pool.parent, prefix=f".{target.name}-") as scratch:
            new = Path(scratch) / "pool"
            install(lock, target, new)
            for path in _files(new):
                if is_elf(path):
                    _replace(path, without_sections(path))
                _settle(path)
            new.rename(pool)
    return pool


def _link_distributions(distributions: Iterable[Installed], pool: Path, folder: Path, services: frozenset[str]) -> None:
    keeps = keeper(services)
    for distribution in distributions:
        for file in distribution.files:
            if keeps(file) and (pool / file).exists():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                os.link(pool / file, folder / file)


def _copy_packages(packages: Iterable[str], root: Path, folder: Path) -> None:
    for package in packages:
        shutil.copytree(root / package, folder / package, ignore=shutil.ignore_patterns(*_OUR_OWN))
        for path in _files(folder / package):
            _settle(path)


def _compress(path: Path) -> None:
    """Put a gzipped file in a file's place: botocore reads its data either way, as it does that of the services."""
    if path.exists():
        compressed = path.with_name(f"{path.name}.gz")
        compressed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
        _settle(compressed)


def _replace(path: Path, data: bytes) -> None:
    """Put a new file in a file's place. Written in place it would change under whoever else holds a link to it."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)


def _settle(path: Path) -> None:
    """Give a file the same time and mode everywhere."""
    path.chmod(0o644)
    os.utime(path, (_FILE_TIME, _FILE_TIME))


def _digest_of_inputs(spec: FunctionSpec, root: Path, pool: Path, *, compiled: bool) -> str:
    """Hash of all that decides what is in a function folder."""
    digest = hashlib.sha256(f"{spec}\n{pool.name}\n{compiled}\n".encode())
    sources = [Path(__file__).parent, root / "lambdas", *(root / package for package in spec.packages)]
    for source in sources:
        for path in _files(source):
            if path.suffix != ".pyc":
                digest.update(f"{path.relative_to(source.parent)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock file: two builds of the same target at once would take each other's folders away."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
