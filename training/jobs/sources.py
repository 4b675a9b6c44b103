"""The sources that a job runs: one archive, the same bytes for the same sources, and no recorded data in it."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.archives import take_out
from training.jobs.hyperparameters import JobError

#: The checkout that this module is in.
CHECKOUT = Path(__file__).resolve().parents[2]
#: What training imports, and nothing else.
PACKAGES = ("shared_model", "training")
#: Code and the tables that it reads. Whatever may hold data (csv, gz, npz, parquet, …) is none of these.
SUFFIXES = frozenset({".py", ".json", ".yaml", ".typed"})
#: The one folder of data that goes along: generated stories that a build judges its model on.
SAMPLES = "training/evaluation_sample"
#: Larger files are no sources; a table of the code is a few tens of kilobytes.
MOST_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Bundle:
    """A gzipped tar archive, its files and the digest of what they hold.

    Attributes
    ----------
    content : bytes
    files : tuple of str
        Paths in it, sorted.
    digest : str
        See :func:`digest`.
    """

    content: bytes
    files: tuple[str, ...]
    digest: str


def bundle(checkout: Path = CHECKOUT) -> Bundle:
    """Pack the sources. Times, owners and modes are the same for everybody, so that equal sources are equal bytes.

    Raises
    ------
    JobError
        A file is too large to be a source, or a package is missing.
    """
    plain = io.BytesIO()
    names = []
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path in _files(checkout):
            content = path.read_bytes()
            if len(content) > MOST_BYTES:
                raise JobError(
                    f"{name} has {len(content):,} bytes: data does not travel with the sources, name it as the job's data"
                )
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
            names.append(name)
    return Bundle(gzip.compress(plain.getvalue(), 9, mtime=0), tuple(names), digest(checkout))


def digest(checkout: Path = CHECKOUT) -> str:
    """Return sha256 over names and contents of the sources: the same where they were packed and where they run."""
    total = hashlib.sha256()
    for name, path in _files(checkout):
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def unpack(content: bytes, folder: Path) -> None:
    """Write the files of a bundle to a folder."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for entry in archive:
            take_out(archive, entry, folder)


def _files(checkout: Path) -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        if not (checkout / package / "__init__.py").is_file():
            raise JobError(f"{checkout} holds no package {package}: submit from a checkout of the project")
        for path in sorted((checkout / package).rglob("*")):
            name = path.relative_to(checkout).as_posix()
            wanted = path.suffix in SUFFIXES or (path.suffix == ".npz" and name.startswith(f"{SAMPLES}/"))
            if path.is_file() and wanted and "__pycache__" not in path.parts:
                yield name, path
