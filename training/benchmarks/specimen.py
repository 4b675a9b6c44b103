"""One network of the report, kept in the repository with its encoding, and made-up records for it to score.

The data may not be copied, so what ties the report to the model are records drawn field by field from the encoding's own cuts and
values: they mean nothing, but another model, encoding or runtime would score them otherwise, and a test compares.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.benchmarks.encoding import Category, Encoding, Number
from training.benchmarks.records import BENIGN, Records
from training.export import attack_probability, run_tflite, sha256

SPECIMEN = Path(__file__).with_name("specimen")
ROWS = 400
#: Made-up records are strange, and nearly all alarm: only a higher score tells some of them from others.
HIGH = 0.8


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network says of the made-up records, and which network it was; ``high`` of them score :data:`HIGH` or more."""

    rows: int
    high: int
    mean_score: float
    sha256: str


def answer(folder: Path = SPECIMEN) -> Answer:
    """Score the made-up records with the kept network, through the runtime that serves."""
    encoding, content = read_encoding(folder / "encoding.json"), (folder / "model.tflite").read_bytes()
    scores = attack_probability(run_tflite(content, encoding.apply(made_up(encoding))))
    return Answer(len(scores), int(np.sum(scores >= HIGH)), round(float(scores.mean()), 3), sha256(content))


def keep(encoding: Encoding, content: bytes, folder: Path = SPECIMEN) -> None:
    """Write both files; the folder is made when absent."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(content)
    fields: list[dict[str, Any]] = []
    for field in encoding.fields:
        if isinstance(field, Category):
            fields.append(asdict(field))
        else:
            fields.append(asdict(field) | {"cuts": field.cuts.tolist()})
    (folder / "encoding.json").write_text(json.dumps({"groups": encoding.groups, "fields": fields}) + "\n")


def read_encoding(path: Path) -> Encoding:
    """Read what :func:`keep` wrote."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return Encoding(tuple(_field(field) for field in stored["fields"]), tuple(stored["groups"]))


def made_up(encoding: Encoding, rows: int = ROWS, seed: int = 11) -> Records:
    """Records drawn field by field: a number evenly between two neighbouring cuts, a category among its values."""
    rng = np.random.default_rng(seed)
    numbers = [field for field in encoding.fields if isinstance(field, Number)]
    categories = [field for field in encoding.fields if isinstance(field, Category)]
    table = np.empty((rows, len(numbers)))
    for column, field in enumerate(numbers):
        at = rng.integers(0, len(field.cuts) - 1, rows)
        table[:, column] = field.cuts[at] + rng.random(rows) * (field.cuts[at + 1] - field.cuts[at])
    words = [[field.values[index] for index in rng.integers(0, len(field.values), rows)] for field in categories]
    nothing = np.full(rows, BENIGN)
    return Records(
        table, np.array(words, np.str_).T.reshape(rows, len(categories)), nothing, nothing,
        tuple(field.name for field in numbers), tuple(field.name for field in categories),
    )  # fmt: skip


def _field(stored: dict[str, Any]) -> Number | Category:
    if "values" in stored:
        return Category(stored["name"], tuple(stored["values"]))
    return Number(**(stored | {"cuts": np.array(stored["cuts"])}))
