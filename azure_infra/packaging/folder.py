"""Assembles the deploy folder: what Flex Consumption unpacks, and what the embedded host runs.

At its root lie ``host.json``, ``function_app.py`` and our packages, and in ``.python_packages`` the pinned distributions,
without what no function uses. Folders are built once for the same inputs, appear all at once, and hold the same bytes wherever
they are built.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from azure_functions.registry import PACKAGES, REQUIREMENTS, ROOT_FILES
from azure_infra.packaging.pruning import BYTECODE_ONLY, keeps
from azure_infra.packaging.targets import SITE_PACKAGES, SITE_ROOT, SIZE_LIMIT_BYTES
from cdk.packaging.bytecode import compile_away, compile_files, compiling, loaded
from cdk.packaging.distributions import Installed, closure, read_installed
from cdk.packaging.interpreters import find_python
from cdk.packaging.pool import alone, copy_packages, digest_of, files, installed_pool, link_distributions, settle, sizes_by_part
from cdk.packaging.targets import Target

#: An entry of a lock: name, version, perhaps a marker, and the hashes on lines of their own.
_ENTRY = re.compile(r"(?m)^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ;[^\n]*)?(?P<hashes> \\\n(?:    --hash=\S+(?: \\)?\n)+)")


class DeployFolderTooLarge(Exception):
    """The deploy folder passes the size limit; the message names its largest parts."""


@dataclass(frozen=True, slots=True)
class DeployFolder:
    """A built folder.

    Attributes
    ----------
    path : Path
    target : Target
    size_bytes : int
        Unpacked, distributions included.
    distributions : tuple of Installed
    compiled : bool
        Carries bytecode of what it loads; False where this machine has no Python of the target's version.
    fresh : bool
        Built now; False where it was already there, from the same inputs.
    """

    path: Path
    target: Target
    size_bytes: int
    distributions: tuple[Installed, ...]
    compiled: bool
    fresh: bool


def build(target: Target, root: Path) -> DeployFolder:
    """Build ``build/azure/<target>/``.

    Parameters
    ----------
    target : Target
    root : Path
        Of the repository.

    Raises
    ------
    InstallFailed, DistributionMissing, DeployFolderTooLarge
    """
    root = root.resolve()
    folder = root / "build" / "azure" / target.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = root / "requirements" / "azure_functions.lock"
    with alone(folder.with_name(f".{target.name}.lock")):
        pool = installed_pool(lock, target, folder.parent)
        distributions = closure(
            REQUIREMENTS,
            read_installed(pool, target),
            registry="azure_functions/registry.py",
            declared_in="requirements/azure_functions.in",
        )
        python = find_python(target.python)
        stamp = folder.with_name(f".{target.name}.inputs")
        inputs = _digest_of_inputs(root, pool, compiled=python is not None)
        fresh = not (folder.is_dir() and stamp.exists() and stamp.read_text() == inputs)
        if fresh:
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{target.name}-new-") as scratch:
                new = Path(scratch) / target.name
                _fill(new, root, pool, lock, distributions)
                if python:
                    _compile(new, python)
                stamp.unlink(missing_ok=True)
                if folder.exists():
                    shutil.move(folder, Path(scratch) / "previous")
                new.rename(folder)
            stamp.write_text(inputs)
    return DeployFolder(folder, target, _checked_size(folder), distributions, python is not None, fresh)


@contextmanager
def one_path(folder: Path) -> Iterator[Path]:
    """The folder and its distributions side by side, as the interpreter sees them: a folder of links, gone afterwards."""
    with tempfile.TemporaryDirectory() as scratch:
        view = Path(scratch)
        for place in (folder, folder / SITE_PACKAGES):
            for path in place.iterdir():
                if not path.name.startswith((".", "__")):
                    (view / path.name).symlink_to(path.resolve())
        yield view


def our_modules(folder: Path) -> list[str]:
    """Every module of ours in a folder: adapters and actions are imported by name, where no import statement tells."""
    sources = (path for name in PACKAGES for path in files(folder / name) if path.suffix == ".py")
    names = {".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__") for path in sources}
    return sorted({*names, *(name.removesuffix(".py") for name in ROOT_FILES if name.endswith(".py"))})


def requirements_of(lock: str, distributions: Iterable[Installed]) -> str:
    """Entries of a lock, with their hashes, for these distributions in these versions: what a remote build installs."""
    wanted = {(distribution.name, distribution.version) for distribution in distributions}
    entries = (match for match in _ENTRY.finditer(lock) if match.group("name", "version") in wanted)
    lines = [f"{match['name']}=={match['version']}{match['hashes'].rstrip()}\n" for match in entries]
    return "# Made by `make package-azure` from requirements/azure_functions.lock.\n" + "".join(lines)


def _fill(folder: Path, root: Path, pool: Path, lock: Path, distributions: tuple[Installed, ...]) -> None:
    link_distributions(distributions, pool, folder / SITE_PACKAGES, keeps)
    copy_packages(PACKAGES, root, folder)
    for name in (*ROOT_FILES, ".funcignore"):
        shutil.copyfile(root / name, folder / name)
        settle(folder / name)
    requirements = folder / "requirements.txt"
    requirements.write_text(requirements_of(lock.read_text(), distributions))
    settle(requirements)


def _compile(folder: Path, python: str) -> None:
    """Compile what is loaded, beside the sources: the folder is read-only where it runs."""
    with one_path(folder) as view:
        reached = {path.resolve() for path in loaded(view, our_modules(folder), PACKAGES).values() if path.suffix == ".py"}
    instead = {path for path in files(folder / SITE_PACKAGES / BYTECODE_ONLY) if path.suffix == ".py"}
    base = folder.resolve()
    compile_files({path: f"{SITE_ROOT}/{path.relative_to(base)}" for path in reached - instead}, compiling(python))
    compile_away({path: f"{SITE_ROOT}/{path.relative_to(base)}" for path in instead}, compiling(python))
    for path in folder.rglob("*.pyc"):
        settle(path)


def _checked_size(folder: Path) -> int:
    parts = sizes_by_part(folder) | sizes_by_part(folder / SITE_PACKAGES)
    size = sum(path.stat().st_size for path in files(folder))
    if size > SIZE_LIMIT_BYTES:
        parts.pop(SITE_PACKAGES.partition("/")[0], None)
        largest = sorted(parts.items(), key=lambda item: -item[1])[:5]
        named = ", ".join(f"{part} {share / 1e6:.1f} MB" for part, share in largest)
        raise DeployFolderTooLarge(f"{folder} holds {size / 1e6:.1f} MB, more than {SIZE_LIMIT_BYTES / 1e6:.0f}: {named}")
    return size


def _digest_of_inputs(root: Path, pool: Path, *, compiled: bool) -> str:
    """Hash of all that decides what is in the folder."""
    ours = [root / name for name in (*PACKAGES, *ROOT_FILES, ".funcignore")]
    return digest_of(f"{REQUIREMENTS}\n{pool.name}\n{compiled}\n", [Path(__file__).parent, root / "cdk" / "packaging", *ours])
