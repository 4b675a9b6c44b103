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
from training.tasks import audit
from training.trials.audit_sets import CLOUDS, stories
from training.trials.stage import Document, Stage
from training.trials.story_sets import judged

_BENCHMARKS = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
_HEADINGS = {"aws": "## API call → verdict, warm Lambda runtime", "azure": "## Azure: API call → verdict"}
#: The cell that says it, in a table of the cloud's section: how its row begins, and its column.
_ROW, _COLUMN = "our own time", "p50"
#: Decision latency that the paper claims, in milliseconds; what accuracy it claims for each platform is not known here.
PAPER_MS = {"aws": 140, "azure": 142}


def cells() -> list[str]:
    """One for each cloud."""
    return list(CLOUDS)


def run(key: str, _: Path) -> Document:
    """Counts at the detector's threshold, over windows."""
    detector = Detector.load(ARTIFACTS / "audit")
    found = judged(audit(), stories(key, Split.TEST, seed=77))
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
    page = _BENCHMARKS.read_text(encoding="utf-8")
    versions = sorted({found["version"] for found in results.values()})
    return {"versions": versions, "table": table, "latency_ms": {cloud: latency(cloud, page) for cloud in results}}


def rates(counts: Document) -> Document:
    """Shares from counts of windows."""
    hit, missed, false, quiet = (counts[name] for name in ("hit", "missed", "false", "quiet"))
    return {
        "attack": hit + missed, "benign": false + quiet,
        "accuracy": (hit + quiet) / (hit + missed + false + quiet),
        "f1": 2 * hit / (2 * hit + false + missed) if hit else 0.0,
        "fpr": false / (false + quiet), "recall": hit / (hit + missed),
    }  # fmt: skip


def latency(cloud: str, page: str) -> float:
    """Median of our own time of one API call, in milliseconds, from the text of docs/benchmarks.md.

    Raises
    ------
    ValueError
        The section, or a table in it with that row and column, is not there, or more than one is.
    """
    _, _, rest = page.partition(_HEADINGS[cloud])
    said = [
        row[column]
        for head, *rows in _tables(rest.partition("\n## ")[0])
        for column in [place for place, name in enumerate(head) if name == _COLUMN]
        for row in rows
        if row[0].startswith(_ROW)
    ]
    if len(said) != 1 or not (milliseconds := re.match(r"([\d.]+) ms", said[0])):
        raise ValueError(
            f"docs/benchmarks.md, {_HEADINGS[cloud]}: one row {_ROW!r} with a column {_COLUMN!r} is wanted, found {said}"
        )
    return float(milliseconds[1])


def _tables(text: str) -> list[list[list[str]]]:
    """Tables of a Markdown text, as rows of cells without emphasis; the first row is the head."""
    blocks = [block.splitlines() for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)]
    return [
        [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in block if set(line) - set("|-: ")]
        for block in blocks
    ]


STAGE = Stage(
    "platforms", "the shipped audit detector by cloud", cells, run, sum_up,
    files=("model_artifacts/audit/detector.json",), scenarios=("audit",),
    looks_at=lambda _: ["audit: held-out scenario families"],
)  # fmt: skip
