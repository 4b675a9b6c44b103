"""What a job left: fetched, unpacked, and every file held against the sums that the job wrote."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.archives import take_out
from training.jobs.hyperparameters import DETECTORS
from training.jobs.run_record import FORMAT, RECORD, SUMS, files_of
from training.promotion.refusal import Refused

#: A result is two detectors of some hundred kilobytes; more is not what a job writes, and is not unpacked.
MOST_BYTES = 20 * 1024 * 1024
_OF_A_DETECTOR = frozenset({"model.tflite", "detector.json", "evaluation.json", "MODEL_CARD.md"})


@dataclass(frozen=True, slots=True)
class Returned:
    """A complete result.

    Attributes
    ----------
    folder : Path
    record : dict
        run.json.
    digest : str
        Of SHA256SUMS, so of every file: what was reviewed is named by it.
    """

    folder: Path
    record: dict[str, Any]
    digest: str

    @property
    def detectors(self) -> tuple[str, ...]:
        return tuple(self.record["detectors"])


def fetch(source: str, into: Path) -> Path:
    """Return the folder of a result that is a folder, a tar.gz or, under ``s3://``, a SageMaker job's output.

    Raises
    ------
    Refused
        It is not there, or it is no archive of plain files of a modest size.
    """
    if source.startswith("s3://"):
        from training.jobs.results import download

        return unpack(download(source, into / "model.tar.gz"), into / "model")
    path = Path(source)
    if path.is_dir():
        return _of_download(path)
    if path.is_file():
        return unpack(path, into / "model")
    raise Refused(f"there is no {source}: name a folder, a model.tar.gz or s3://BUCKET/PREFIX/results/JOB")


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar.gz that a stranger may have written: plain files only, inside the folder, none larger than a result can be."""
    folder.mkdir(parents=True)
    try:
        with tarfile.open(archive, "r:gz") as opened:
            left = MOST_BYTES
            for entry in opened:
                left -= entry.size
                if left < 0:
                    raise Refused(
                        f"{archive.name} unpacks to more than {MOST_BYTES:,} bytes: that is no result of a training job"
                    )
                if not (entry.isfile() or entry.isdir()):
                    raise Refused(
                        f"{archive.name} holds {entry.name}, which is neither file nor folder: nothing is unpacked from it"
                    )
                take_out(opened, entry, folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Refused(f"{archive.name} is no whole tar.gz ({error}): fetch it again") from error
    return folder


def check(folder: Path) -> Returned:
    """Hold every file against SHA256SUMS, and the record against the files. Raises Refused."""
    sums = _sums(folder)
    present = dict(files_of(folder))
    for name in sorted(set(sums) ^ set(present)):
        raise Refused(f"{name} is {'missing' if name in sums else 'in no list of sums'}: the result is not what the job left")
    for name, path in present.items():
        if hashlib.sha256(path.read_bytes()).hexdigest() != sums[name]:
            raise Refused(f"{name} differs from its sum in {SUMS}: fetch the result again")
    record = _record(folder)
    if unknown := sorted(set(record["detectors"]) - set(DETECTORS)):
        raise Refused(f"the result holds a detector {unknown[0]!r}: there are {' and '.join(DETECTORS)}")
    strange = set(present) - {RECORD} - {f"{name}/{file}" for name in record["detectors"] for file in _OF_A_DETECTOR}
    if strange:
        raise Refused(f"{min(strange)} is no part of a detector: a result holds {', '.join(sorted(_OF_A_DETECTOR))} and {RECORD}")
    for name, told in record["detectors"].items():
        if not all((folder / name / file).is_file() for file in _OF_A_DETECTOR):
            raise Refused(f"{name} is incomplete: the job did not come to its end")
        described = json.loads((folder / name / "detector.json").read_text())["model"]
        if told["model"] != described or sums[f"{name}/model.tflite"] != described["sha256"]:
            raise Refused(f"{name}: record, description and model name different sums: they are not of one run")
    return Returned(folder, record, hashlib.sha256((folder / SUMS).read_bytes()).hexdigest())


def _of_download(path: Path) -> Path:
    """Return where the sums lie: the folder itself, or a few levels down, as `az ml job download` lays it out."""
    found = [] if (path / SUMS).is_file() else sorted(path.rglob(SUMS))
    if len(found) > 1:
        raise Refused(f"{path} holds {len(found)} results: name the folder of the one")
    return found[0].parent if found else path


def _sums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except OSError as error:
        raise Refused(f"{folder} has no {SUMS}: the job did not come to its end, or this is not its model folder") from error
    pairs = [line.split("  ", 1) for line in lines]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise Refused(f"{SUMS} is no list of sums: fetch the result again")
    return {name: value for value, name in pairs}


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / RECORD).read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise Refused(f"{RECORD} cannot be read ({error}): without it nobody can say what was trained, on what") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise Refused(f"{RECORD} is of another format than {FORMAT}: train again with the sources of this checkout")
    for key in ("source", "hyperparameters", "data", "versions", "detectors"):
        if not record.get(key):
            raise Refused(f"{RECORD} does not say {key!r}: without it nobody can say what was trained, on what")
    return record


def replace_folder(folder: Path, by: Path) -> None:
    """Put a copy of ``by`` in the place of ``folder``; at no moment is there half of either."""
    fresh, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(by, fresh)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
