"""``python -m training.datasets verify|take DIR``: the recorded data that training uses, checked by sha256.

The project carries none of it and downloads none of it. ``datasets.json`` names each file's repository, path, commit, licence and
the sha256 of its plain content. Users fetch what they may use and let :func:`take` put it where the loaders look for it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import lzma
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from training.data_root import data_root

_CATALOGUE = Path(__file__).with_name("datasets.json")


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set.

    Attributes
    ----------
    dataset, name : str
        Folder and name under the data root. A name that ends in ``.xz`` is kept compressed.
    repository, path, commit, licence : str
        Where it was published, and what its publisher allows.
    bytes : int
    sha256 : str
        Of the plain content, whatever it is compressed with.
    """

    dataset: str
    name: str
    repository: str
    path: str
    commit: str
    licence: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A file and what is wrong with it: ``""`` when nothing, else what to do about it."""

    file: DataFile
    problem: str


def catalogue() -> tuple[DataFile, ...]:
    """Every file that the loaders read, by data set and name."""
    sets = json.loads(_CATALOGUE.read_text())
    return tuple(
        DataFile(dataset=dataset, name=name, licence=entry["licence"], **file)
        for dataset, entry in sets.items()
        for name, file in entry["files"].items()
    )


def verify(root: Path) -> list[Checked]:
    """Check every file of the catalogue under the root."""
    return verify_files(root, catalogue())


def verify_files(root: Path, files: Iterable[DataFile]) -> list[Checked]:
    """Check these files under the root."""
    return [Checked(file, _problem(root / file.dataset / file.name, file)) for file in files]


def take(brought: Path, root: Path) -> list[DataFile]:
    """Copy files that the user brought into the root, recognised by their content's sha256 whatever they are called.

    Plain, gzip, xz or a zip of that one file. A file whose content is not in the catalogue is left alone. Returns what was taken.
    """
    by_hash = {file.sha256: file for file in catalogue()}
    taken = []
    for path in sorted(item for item in brought.rglob("*") if item.is_file()):
        content = plain_content(path)
        file = by_hash.get(hashlib.sha256(content).hexdigest())
        if file is None:
            continue
        target = root / file.dataset / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(lzma.compress(content) if target.suffix == ".xz" else content)
        taken.append(file)
    return taken


def plain_content(path: Path) -> bytes:
    """Content of a file with gzip or xz compression taken off, or of the only member of a zip."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        return gzip.decompress(content)
    if content[:4] == b"PK\x03\x04":
        return _only_member(content)
    return lzma.decompress(content) if content[:6] == b"\xfd7zXZ\x00" else content


def _only_member(archive: bytes) -> bytes:
    """Content of the one file in a zip; the zip itself where it holds another number, is encrypted or damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            return opened.read(members[0]) if len(members) == 1 else archive
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return archive


def _problem(path: Path, file: DataFile) -> str:
    if not path.is_file():
        return f"absent: bring {file.path} of {file.repository} at {file.commit[:12]}"
    found = hashlib.sha256(plain_content(path)).hexdigest()
    return "" if found == file.sha256 else f"differs from what was published (sha256 {found[:16]}…): bring it anew"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.datasets", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("verify", help="check the files under the data root")
    taking = commands.add_parser("take", help="take files that you downloaded")
    taking.add_argument("brought", type=Path)
    taking.add_argument("--root", type=Path, default=None, help="data root (default: the one that training finds)")
    arguments = parser.parse_args()
    if arguments.command == "take":
        root = arguments.root or data_root()
        if root is None:
            parser.error("there is no data root: name one with --root, then set BREAKWATER_DATA to it")
        for file in take(arguments.brought, root):
            print(f"taken   {file.dataset}/{file.name}")
        return 0
    root = data_root()
    if root is None:
        print("There is no recorded data (BREAKWATER_DATA is not set): training uses scenarios alone.")
        return 1
    wrong = [checked for checked in verify(root) if checked.problem]
    for checked in wrong:
        print(f"{checked.file.dataset}/{checked.file.name}: {checked.problem}")
    print(f"{len(catalogue()) - len(wrong)} of {len(catalogue())} files are as published")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
