"""Assembles function folders: the distributions a function needs, pruned, and our own packages.

Folders are built once for the same inputs, appear all at once, and hold the same bytes, times and modes wherever they
are built, so that the CDK uploads a function again only when something in it changed.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cdk.packaging.bytecode import compile_loaded, compiler
from cdk.packaging.distributions import Installed, closure, read_installed
from cdk.packaging.pool import alone, copy_packages, digest_of, installed_pool, link_distributions, settle, sizes_by_part
from cdk.packaging.pruning import keeper, used_services
from cdk.packaging.targets import Target
from lambdas.registry import FunctionSpec


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
        Carries bytecode of what it loads; False where nothing here compiles for the target's version.
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
    with alone(root / "build" / f".{target.name}.lock"):
        pool = installed_pool(root / "requirements" / "functions.lock", target, root / "build")
        installed = read_installed(pool, target)
        for spec in functions:
            yield _build_one(spec, target, root, pool, installed)


def _build_one(spec: FunctionSpec, target: Target, root: Path, pool: Path, installed: Mapping[str, Installed]) -> FunctionFolder:
    folder = root / "build" / target.name / spec.name
    stamp = folder.with_name(f".{spec.name}.inputs")
    distributions = closure(spec.requirements, installed)
    command = compiler(target, root)
    inputs = _digest_of_inputs(spec, root, pool, compiled=command is not None)
    fresh = not (folder.is_dir() and stamp.exists() and stamp.read_text() == inputs)
    if fresh:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{spec.name}-") as scratch:
            new = Path(scratch) / spec.name
            link_distributions(distributions, pool, new, keeper(used_services(root, f"lambdas.{spec.name}")))
            _compress(new / "botocore" / "data" / "endpoints.json")
            copy_packages(spec.packages, root, new)
            if command:
                for path in compile_loaded(new, spec.handler.rpartition(".")[0], spec.packages, command):
                    settle(path)
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
    return FunctionFolder(spec.name, target.name, folder, sum(sizes.values()), distributions, command is not None, fresh)


def _compress(path: Path) -> None:
    """Put a gzipped file in a file's place: botocore reads its data either way, as it does that of the services."""
    if path.exists():
        compressed = path.with_name(f"{path.name}.gz")
        compressed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
        settle(compressed)


def _digest_of_inputs(spec: FunctionSpec, root: Path, pool: Path, *, compiled: bool) -> str:
    """Hash of all that decides what is in a function folder."""
    sources = [Path(__file__).parent, root / "lambdas", *(root / package for package in spec.packages)]
    return digest_of(f"{spec}\n{pool.name}\n{compiled}\n", sources)
