"""The paper's table 2 and figure 3 for the shipped audit detector: accuracy, F1 and false positives by cloud, with latency.

Generated API calls of families that training never saw, at the detector's own threshold. Latency is what `make benchmark`
measured and docs/benchmarks.md says; how long a platform takes to deliver an event is no part of it.
"""

from __future__ import annotations

import re
from pathlib import Path

from shared_model.detector import Detector
from training.artifact import ARTIFACTS
from training.scenarios import Split
from training.trials.audit_sets import CLOUDS, judged, stories
from training.trials.stage import Document, Stage

_BENCHMARKS = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
_HEADINGS = {"aws": "## API call → verdict, warm Lambda runtime", "azure": "## Azure: API call → verdict"}
#: Where the sections say it: AWS in the first column; Azure's last one is of the present code on the busier machine.
_OWN_TIME = {"aws": r"^\| our own time[^|]*\| ([\d.]+) ms", "azure": r"^\| \*\*own time.*\| \**([\d.]+) ms[^|]*\|$"}
#: Decision latency that the paper claims, in milliseconds; what accuracy it claims for each platform is not known here.
PAPER_MS = {"aws": 140, "azure": 142}


def cells() -> list[str]:
    """One for each cloud."""
    return list(CLOUDS)


def run(key: str, _: Path) -> Document:
    """Counts at the detector's threshold, over windows."""
    detector = Detector.load(ARTIFACTS / "audit")
    found = judged(stories(key, Split.TEST, seed=77))
    probability, _kind = detector.score(found.examples.windows)
    alarm, hostile = probability >= detector.threshold, found.examples.hostile
    return {
        "version": detector.version, "threshold": detector.threshold, "hit": int((alarm & hostile).sum()),
        "missed": int((~alarm & hostile).sum()), "false": int((alarm & ~hostile).sum()), "quiet": int((~alarm & ~hostile).sum()),
    }  # fmt: skip


def sum_up(results: dict[str, Document]) -> Document:
    """Accuracy, F1 and false positives by cloud and of both together; latency as docs/benchmarks.md has it."""
    table = {cloud: rates(found) for cloud, found in results.items()}
    if len(results) == len(CLOUDS):
        names = ("hit", "missed", "false", "quiet")
        table["combined"] = rates({name: sum(found[name] for found in results.values()) for name in names})
    versions = sorted({found["version"] for found in results.values()})
    return {"versions": versions, "table": table, "latency_ms": {cloud: latency(cloud) for cloud in results}}


def rates(counts: Document) -> Document:
    """Shares from counts of windows."""
    hit, missed, false, quiet = (counts[name] for name in ("hit", "missed", "false", "quiet"))
    return {
        "attack": hit + missed, "benign": false + quiet,
        "accuracy": (hit + quiet) / (hit + missed + false + quiet),
        "f1": 2 * hit / (2 * hit + false + missed) if hit else 0.0,
        "fpr": false / (false + quiet), "recall": hit / (hit + missed),
    }  # fmt: skip


def latency(cloud: str) -> float | None:
    """Median of our own time of one API call, in milliseconds; None where docs/benchmarks.md does not say."""
    _, _, rest = _BENCHMARKS.read_text(encoding="utf-8").partition(_HEADINGS[cloud])
    said = re.search(_OWN_TIME[cloud], rest.partition("\n## ")[0], re.MULTILINE)
    return float(said[1]) if said is not None else None


STAGE = Stage(
    "platforms", "the shipped audit detector by cloud", cells, run, sum_up,
    ("training/trials/platforms.py", "training/trials/audit_sets.py", "shared_model/encoders/audit.py",
     "training/audit_data.py", "model_artifacts/audit/detector.json", "docs/benchmarks.md"),
    (),
)  # fmt: skip
