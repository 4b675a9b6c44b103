"""One job: one model, under one protocol, with one seed. What it leaves is enough for every table and figure.

A job is skipped when its result is there and was made with the same recipe, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.benchmarks import distilled, ledger, novelty, protocols, unseen
from training.benchmarks.encoding import Encoding, fit_encoding, plain_numbers
from training.benchmarks.network import Fitted, Kind, Sizes, Training, fit, float_logits, to_int8
from training.benchmarks.protocols import OFFICIAL, RANDOM, Split, split
from training.benchmarks.records import Records
from training.benchmarks.rivals import RIVALS, boosted, fit_rival
from training.datasets import catalogue
from training.export import attack_probability, run_tflite
from training.reached_code import reached

WORK = Path(__file__).resolve().parents[2] / "build" / "benchmarks"
NETWORKS: tuple[Kind, ...] = ("lstm", "cnn_lstm")
SEEDS = (1, 2, 3, 4, 5)
#: Mixtures that a network learns from the trees under a random split, besides the records.
MIXED = 60_000
Scores = NDArray[np.float64]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    protocol: str
    model: str
    seed: int

    @property
    def folder(self) -> Path:
        return WORK / "results" / self.protocol / f"{self.model}-{self.seed}"

    @property
    def novelty(self) -> Path:
        """Novelty scores, which know of no model: one file for all models of a protocol and seed."""
        return WORK / "results" / self.protocol / f"novelty-{self.seed}.npz"


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted model, as far as scoring goes: float32 for all, int8 besides for networks."""

    score: Callable[[Records], Scores]
    int8: Callable[[Records], Scores] | None
    details: dict[str, Any]
    content: bytes | None


def jobs() -> Iterator[Job]:
    """Every job, choices first, then seed by seed, so that a run that is cut short has the same seeds of all models."""
    for protocol in protocols.TYPES_OUT:
        for model in ("lightgbm", "cnn_lstm"):
            yield Job(protocol, model, SEEDS[0])
    for seed in SEEDS:
        for protocol in (OFFICIAL, *RANDOM):
            for model in (*RIVALS, *reversed(NETWORKS)):
                yield Job(protocol, model, seed)
        if seed == SEEDS[0]:
            for protocol in protocols.LEFT_OUT:
                for model in ("lightgbm", "cnn_lstm"):
                    yield Job(protocol, model, seed)


def training_of(job: Job) -> Training:
    """Settings of the network's training; epochs are what two cores afford."""
    if job.protocol in RANDOM:
        return Training(epochs=10 if job.model == "cnn_lstm" else 5, dropout=0.05)
    return Training(epochs=6 if job.model == "lstm" else 5)


def recipe(job: Job) -> str:
    """Hash of what decides the result: this room's code and what a network's fit reaches beyond it, versions, data, the job."""
    if job.protocol not in RANDOM:
        return _hashed(job, {"novelty", "unseen"})
    return _hashed(job, {"distilled", "unseen"} if job.model in NETWORKS else set())


def _hashed(job: Job, besides: set[str]) -> str:
    decisive = _DECIDES | besides
    parts = [_code(path) for path in sorted(Path(__file__).parent.glob("*.py")) if path.stem in decisive]
    parts += [text for text in reached(__name__, "fit_network") if _beyond(text)] if job.model in NETWORKS else []
    parts += [f"{name} {version(name)}" for name in ("numpy", "scikit-learn", "lightgbm", "keras", "tensorflow-cpu")]
    parts += [file.sha256 for file in catalogue() if file.dataset in {"nsl_kdd", "cicids2017"}]
    parts.append(repr((job.protocol, job.model, job.seed, training_of(job) if job.model in NETWORKS else None, MIXED)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _beyond(definition: str) -> bool:
    """It stands in another room: how a network is exported and scored, say."""
    return not definition.startswith(f"{__package__}.")


@cache
def _code(path: Path) -> str:
    """A module without comments and docstrings: to word something better makes no other model."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


_DECIDES = frozenset({"records", "nsl_kdd", "cicids2017", "encoding", "network", "rivals", "protocols"})


def done(job: Job) -> bool:
    """Whether the result is there and of this very recipe."""
    path = job.folder / "result.json"
    return path.is_file() and bool(json.loads(path.read_text())["recipe"] == recipe(job))


def run(job: Job, root: Path, tell: Tell) -> None:
    """Fit, score validation and tests, write ``result.json`` and ``scores.npz``; note each look at a final test."""
    parts, encoding = _prepared(job.protocol, job.seed, root)
    model = fit_model(job, parts, encoding, root, tell)
    if job.protocol not in RANDOM:
        score_novelty(job, parts, encoding)
    arrays: dict[str, NDArray[Any]] = {}
    for name, records in {"validation": parts.validation, **parts.tests}.items():
        arrays[f"{name}|attacks"] = records.attacks
        arrays[f"{name}|float32"] = model.score(records)
        if model.int8 is not None:
            arrays[f"{name}|int8"] = model.int8(records)
    job.folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(job.folder / "scores.npz", **arrays)  # type: ignore[arg-type]
    if model.content is not None:
        (job.folder / "model.tflite").write_bytes(model.content)
    for test in final_tests(job.protocol, parts.tests):
        ledger.record(ledger.Look(test, job.model, job.seed, recipe(job)))
    result = {
        "protocol": job.protocol, "model": job.model, "seed": job.seed, "recipe": recipe(job), "details": model.details,
        "records": {"train": len(parts.train), "validation": len(parts.validation)} | {k: len(v) for k, v in parts.tests.items()},
        "trained_on": sorted(set(parts.train.attacks.tolist())),
    }  # fmt: skip
    (job.folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")


def final_tests(protocol: str, tests: Iterable[str]) -> list[str]:
    """Names in the ledger of the final tests of a protocol; leaving types out makes choices, and its tests are no final ones."""
    if protocol in protocols.TYPES_OUT:
        return []
    return list(tests) if protocol == OFFICIAL else [f"{protocol}: {test}" for test in tests]


def score_novelty(job: Job, parts: Split, encoding: Encoding) -> None:
    """Write the novelty scores of this protocol and seed, unless an earlier job did."""
    made_by = _hashed(Job(job.protocol, "novelty", job.seed), {"novelty", "unseen"})
    if job.novelty.is_file():
        with np.load(job.novelty) as stored:
            if str(stored["recipe"]) == made_by:
                return
    benign = parts.train.take(~parts.train.truth)
    rebuilt = novelty.fit_reconstruction(encoding.apply(benign), seed=job.seed)
    dependence = novelty.fit_dependence(benign, encoding, seed=job.seed)
    arrays: dict[str, NDArray[Any]] = {"recipe": np.array(made_by)}
    for name, records in {"validation": parts.validation, **parts.tests}.items():
        arrays[f"{name}|reconstruction"] = rebuilt.error(encoding.apply(records))
        arrays[f"{name}|dependence"] = dependence(records)
    job.novelty.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(job.novelty, **arrays)  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def _prepared(protocol: str, seed: int, root: Path) -> tuple[Split, Encoding]:
    """The split and its encoding, kept for the next model of the same protocol and seed."""
    parts = split(protocol, seed, root)
    return parts, fit_encoding(parts.train, parts.groups)


@lru_cache(maxsize=1)
def _teacher(protocol: str, seed: int, root: Path) -> Any:
    """LightGBM of a random split: the rival, and the network's teacher."""
    parts, encoding = _prepared(protocol, seed, root)
    return boosted(seed).fit(plain_numbers(parts.train, encoding), parts.train.truth)


def fit_model(job: Job, parts: Split, encoding: Encoding, root: Path, tell: Tell) -> Model:
    """Fit the job's model on the training part; early stopping looks at the validation part."""
    if job.model == "lightgbm" and job.protocol in RANDOM:
        trees = _teacher(job.protocol, job.seed, root)
        return Model(lambda records: np.asarray(trees.predict_proba(plain_numbers(records, encoding))[:, 1]), None, {}, None)
    if job.model not in NETWORKS:
        rival = next(rival for rival in RIVALS if rival == job.model)
        return Model(fit_rival(rival, parts.train, encoding, seed=job.seed), None, {}, None)
    if job.protocol in RANDOM:
        lesson = distilled_lesson(job, parts, encoding, _teacher(job.protocol, job.seed, root))
    else:
        lesson = _unseen(job, parts, encoding)
    return fit_network(job, lesson, tell)


def fit_network(job: Job, lesson: Lesson, tell: Tell) -> Model:
    """Fit the network that the job names, with the settings of its protocol, on a lesson."""
    kind, how = next(kind for kind in NETWORKS if kind == job.model), training_of(job)
    fitted = fit(
        Sizes(kind, lesson.encoding.groups, 2), how, lesson.rows, lesson.targets, lesson.watched, lesson.expected, seed=job.seed,
        progress=lambda epoch: tell(f"{job.protocol} {job.model} seed {job.seed}: epoch {epoch} of {how.epochs}"),
    )  # fmt: skip
    shuffled = lesson.rows[np.random.default_rng(job.seed).permutation(len(lesson.rows))[:400]]
    return network_model(fitted, lesson.encoding, to_int8(fitted, shuffled))


class Encoder(Protocol):
    """What turns records into a network's rows."""

    @property
    def groups(self) -> tuple[int, ...]: ...
    def apply(self, records: Records) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a network learns, and what it is watched on: encoded rows with the probabilities of benign and attack."""

    encoding: Encoder
    rows: NDArray[np.float32]
    targets: NDArray[np.float32]
    watched: NDArray[np.float32]
    expected: NDArray[np.float32]


def distilled_lesson(job: Job, parts: Split, encoding: Encoding, trees: Any) -> Lesson:
    """What a network learns under a random split: the records, and what LightGBM, fitted on the same ones, says of mixtures."""
    cuts = distilled.cut_encoding(encoding, trees)
    rows, targets = distilled.lessons(parts.train, cuts, trees, MIXED, seed=job.seed)
    return Lesson(cuts, rows, targets, cuts.apply(parts.validation), distilled.known(parts.validation))


def _unseen(job: Job, parts: Split, encoding: Encoding) -> Lesson:
    coarse = unseen.coarse(encoding)
    learnt = unseen.thinned(parts.train, seed=job.seed)
    teacher = unseen.Teacher(parts.train, coarse, seed=job.seed)
    real, made = teacher.lesson(learnt), teacher.lesson(unseen.mixtures(learnt, seed=job.seed))
    watched = teacher.lesson(parts.validation)
    rows, targets = np.concatenate([real.rows, made.rows]), np.concatenate([real.targets, made.targets])
    return Lesson(coarse, rows, targets, watched.rows, watched.targets)


def network_model(fitted: Fitted, encoding: Encoder, content: bytes) -> Model:
    """Score with the float32 graph, and with the int8 file through the runtime that serves."""
    details = {"parameters": fitted.parameters, "bytes": len(content), "history": fitted.history}
    return Model(
        lambda records: attack_probability(float_logits(fitted, encoding.apply(records))),
        lambda records: attack_probability(run_tflite(content, encoding.apply(records))),
        details, content,
    )  # fmt: skip
