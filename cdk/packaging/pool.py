"""Locked distributions installed once for a target, and the files of the folders that are put together from them.

Nothing here knows a cloud: Lambda's function folders and the Function app's deploy folder are both made of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from cdk.packaging.distributions import Installed
from cdk.packaging.elf import is_elf, without_sections
from cdk.packaging.installer import install
from cdk.packaging.targets import Target

#: Every file carries this time: 1980-01-01, the earliest that a zip can hold.
_FILE_TIME = 315_532_800
_OUR_OWN = ("__pycache__", "*.pyc", "*.md")


def installed_pool(lock: Path, target: Target, folder: Path) -> Path:
    """Everything in a lock, installed once for a target; folders are hard links into it.

    Parameters
    ----------
    lock : Path
    target : Target
    folder : Path
        Where the pool lies, beside what is built from it.

    Raises
    ------
    InstallFailed
    """
    ways = "".join((Path(__file__).parent / name).read_text() for name in ("pool.py", "elf.py", "installer.py"))
    digest = hashlib.sha256(f"{target}\n{lock.read_text()}\n{ways}".encode()).hexdigest()[:16]
    pool = folder / f".{target.name}-{digest}"
    if not pool.is_dir():
        for stale in folder.glob(f".{target.name}-*"):
            shutil.rmtree(stale)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{target.name}-") as scratch:
            new = Path(scratch) / "pool"
            install(lock, target, new)
            for path in files(new):
                if is_elf(path):
                    _replace(path, without_sections(path))
                settle(path)
            new.rename(pool)
    return pool


def link_distributions(distributions: Iterable[Installed], pool: Path, folder: Path, keeps: Callable[[PurePath], bool]) -> None:
    """Put the files of distributions that a rule keeps into a folder."""
    for distribution in distributions:
        for file in distribution.files:
            if keeps(file) and (pool / file).exists():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                os.link(pool / file, folder / file)


def copy_packages(packages: Iterable[str], root: Path, folder: Path) -> None:
    """Put packages of ours into a folder."""
    for package in packages:
        shutil.copytree(root / package, folder / package, ignore=shutil.ignore_patterns(*_OUR_OWN))
        for path in files(folder / package):
            settle(path)


def sizes_by_part(folder: Path) -> dict[str, int]:
    """Bytes of each top-level part of a folder, largest first."""
    sizes: dict[str, int] = {}
    for path in files(folder):
        part = path.relative_to(folder).parts[0]
        sizes[part] = sizes.get(part, 0) + path.stat().st_size
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def digest_of(inputs: str, sources: Iterable[Path]) -> str:
    """Hash of a text and of every file in some folders: of all that decides what is in a folder that is built from them."""
    digest = hashlib.sha256(inputs.encode())
    for source in sources:
        for path in [source] if source.is_file() else files(source):
            if path.suffix != ".pyc":
                digest.update(f"{path.relative_to(source.parent)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def settle(path: Path) -> None:
    """Give a file the same time and mode everywhere."""
    path.chmod(0o644)
    os.utime(path, (_FILE_TIME, _FILE_TIME))


def files(folder: Path) -> list[Path]:
    """Every file below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file: two builds of the same target at once would take each other's folders away."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _replace(path: Path, data: bytes) -> None:
    """Put a new file in a file's place. Written in place it would change under whoever else holds a link to it."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)
