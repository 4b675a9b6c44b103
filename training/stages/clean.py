"""clean: recordings without what must not be learnt, in the formats that their loaders read.

Repeated rows are dropped before anything is split, labels become the detector's classes, and what would give an attack away is
masked. A recorded attack that holds a call of a held-out technique, and is not held out itself, is left out. Later stages read
what lies here and never the originals.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from training import audit_data
from training.loaders.cleaned import Cleaned
from training.loaders.cloudtrail_logs import clean_invictus, clean_panther, clean_stratus, read_panther, read_stratus
from training.loaders.single_flows import clean_cicids, clean_netflow
from training.loaders.zeek import clean_ctu_days, clean_iot23
from training.stages import load
from training.stages.stage import Build, Cell, Figures, Stage

_FOLDER, LIST = "recordings", "cleaned.json"
_CLEANERS: dict[str, Callable[[Path, Iterable[str]], Iterator[tuple[str, Cleaned]]]] = {
    "zeek_iot23": clean_iot23,
    "zeek_ctu_days": clean_ctu_days,
    "cicids2017": clean_cicids,
    "netflow_nf_bot_iot_v2": clean_netflow,
    "cloudtrail_stratus": clean_stratus,
    "panther": clean_panther,
    "cloudtrail_invictus": clean_invictus,
}


def recordings(build: Build) -> Path | None:
    """Where the cleaned recordings lie, laid out as the data root is; None where the build has none."""
    folder = build.place("clean") / _FOLDER
    return folder if folder.is_dir() else None


def run(cell: Cell) -> Figures:
    """Clean every file that was loaded."""
    build = cell.build
    listed = json.loads((build.place("load") / load.LIST).read_text(encoding="utf-8"))["recordings"]
    by_set: dict[str, list[str]] = {}
    for path in listed:
        dataset, _, name = path.partition("/")
        by_set.setdefault(dataset, []).append(name)
    told: dict[str, dict[str, int]] = {}
    if build.root is not None:
        (cell.place / _FOLDER).mkdir()
        unusable = _unusable_attacks(build.root) if build.task.name == "audit" else frozenset()
        for dataset, names in by_set.items():
            for name, cleaned in _cleaned(build.root, dataset, names):
                kept = cleaned.kept if _stem(name) not in unusable else 0
                told[f"{dataset}/{name}"] = {"read": cleaned.read, "kept": kept}
                if kept:
                    _write(cell.place / _FOLDER / dataset / name, cleaned.content)
                build.stepped(len(told), len(listed))
    (cell.place / LIST).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    figures = {key: sum(one[key] for one in told.values()) for key in ("read", "kept")}
    build.progress(f"{figures['kept']:,} of {figures['read']:,} recorded rows and records kept")
    return {"files": len(told), "files_left_out": sum(not one["kept"] for one in told.values()), **figures}


def _cleaned(root: Path, dataset: str, names: list[str]) -> Iterator[tuple[str, Cleaned]]:
    """System logs go along as they are: their own words are their labels, and training never sees them."""
    if dataset == "system_logs":
        for name in names:
            content = lzma.decompress((root / dataset / name).read_bytes())
            lines = len(content.splitlines())
            yield name, Cleaned(content, lines, lines)
    else:
        yield from _CLEANERS[dataset](root, names)


def _unusable_attacks(root: Path) -> frozenset[str]:
    """Names of recorded attacks that may be neither learnt (a call is held out) nor tested (they are not held out)."""
    found = audit_data.recorded(root)
    used = {attack.name for attack in (*found.train, *found.held_out)}
    return frozenset(attack.name for attack in read_stratus(root) + read_panther(root)) - used


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".json.xz").removesuffix(".yml")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(content, preset=1) if path.suffix == ".xz" else content)


STAGE = Stage(
    "clean", "repeated rows dropped, labels unified, what gives an attack away masked", run, needs=("load",), settings=("name",)
)
