"""Recorded logs that training never saw, scored by the shipped audit detector: what it found by name, and whom it accused.

Held-out Stratus techniques and Panther cases behind benign history, the account that Invictus attacked, a host whose SSH was
guessed at for hours and an ordinary Linux host. Thresholds are the shipped ones: benign validation data gave them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from shared_model.detector import Detector
from training.alerts import hourly
from training.artifact import ARTIFACTS
from training.audit_data import recorded, recorded_stories
from training.benchmarks.intervals import counted
from training.evaluation import report
from training.evaluation_sample import scored
from training.loaders.cloudtrail_logs import RecordedAttack
from training.recorded_logs import PIECE, invictus_calls, invictus_stories, system_log_stories
from training.scenarios import Split
from training.sequences import Story
from training.tasks import audit
from training.trials.stage import Document, Stage
from training.trials.words import told_before

#: The seed of the shipped model's own evaluation: its card counts the same stories.
_SEED = 1
_NAMED = 4


def cells() -> list[str]:
    """One for each source."""
    return list(SOURCES)


def run(key: str, root: Path) -> Document:
    """What alerts at the shipped threshold and at the strict one, by name; alerts of benign entities, one an entity and hour."""
    folder = ARTIFACTS / "audit"
    detector, task = Detector.load(folder), audit()
    strict = float(json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))["strict_thresholds"][0])
    told = scored(detector, SOURCES[key](root))
    benign, attack = hourly(told), np.array([story.attack for story in told.stories])
    own, sharp = (report(told, threshold=at, enough=task.enough) for at in (detector.threshold, strict))
    return {
        "version": detector.version, "threshold": detector.threshold, "strict_threshold": strict,
        "attacks": own.detected_by_family, "attacks_strict": sharp.detected_by_family,
        "accused": sorted(name for name, share in own.alarms_by_family.items() if share),
        "benign": int((~attack).sum()), "alarming": round(own.entities.fpr * int((~attack).sum())) if (~attack).any() else 0,
        "alarming_strict": round(sharp.entities.fpr * int((~attack).sum())) if (~attack).any() else 0,
        "alerts": benign.alerts(detector.threshold), "alerts_strict": benign.alerts(strict),
        "entity_days": round(benign.entity_days, 3), "events": benign.events,
        "told_before": sorted(f"{each.source}/{each.name}" for each in _unseen(key, root) if told_before(each, root)),
    }  # fmt: skip


def _held_out(source: str) -> Callable[[Path], list[Story]]:
    def read(root: Path) -> list[Story]:
        return list(recorded_stories(_unseen(source, root), Split.TEST, seed=_SEED))

    return read


def _unseen(source: str, root: Path) -> list[RecordedAttack]:
    """Held-out attacks of a source; none where a log is recorded throughout."""
    return [attack for attack in recorded(root).held_out if attack.source == source]


def _invictus(root: Path) -> list[Story]:
    """Each principal under what it is and did: the account's own names say nothing to a reader."""
    did: dict[str, Counter[str]] = defaultdict(Counter)
    for entity, call, hostile in invictus_calls(root):
        did[entity][call] += hostile
    kept = []
    for number, story in enumerate(invictus_stories(root), 1):
        kind = "user" if "/principal/" in story.entity else "session"
        calls = did[story.entity]
        chief = [f"{call} ×{count}" if count > 1 else call for call, count in calls.most_common(_NAMED) if count]
        more = sum(count > 0 for count in calls.values()) - len(chief)
        said = f": {', '.join(chief)}{f' and {more} more kinds of call' if more > 0 else ''}" if chief else ""
        kept.append(replace(story, family=f"{kind} {number}{said}"))
    return kept


def _system_logs(root: Path) -> list[Story]:
    """Pieces by the records that they are of."""
    seen: Counter[str] = Counter()
    kept = []
    for story in system_log_stories(root):
        begin = PIECE * seen[story.family] + 1
        seen[story.family] += 1
        kept.append(replace(story, family=f"{story.family.removeprefix('logs/')} from record {begin:,}"))
    return kept


SOURCES: dict[str, Callable[[Path], list[Story]]] = {
    "stratus": _held_out("stratus"), "panther": _held_out("panther"), "invictus": _invictus, "system_logs": _system_logs,
}  # fmt: skip


def sum_up(results: dict[str, Document]) -> Document:
    """Counts with exact 95 % intervals, by source."""
    return {"sources": {name: _counts(found) for name, found in results.items()}}


def _counts(found: Document) -> Document:
    summary = dict(found)
    for name in ("attacks", "attacks_strict"):
        parts = found[name].values()
        summary[f"{name}_counted"] = _k_of_n(sum(hit for hit, _ in parts), sum(of for _, of in parts))
    before = set(found["told_before"])
    for name, told in (("attacks_new", False), ("attacks_told_before", True)):
        parts = [counts for each, counts in found["attacks"].items() if (each in before) == told]
        summary[f"{name}_counted"] = _k_of_n(sum(hit for hit, _ in parts), sum(of for _, of in parts))
    for name in ("alarming", "alarming_strict"):
        summary[f"{name}_counted"] = _k_of_n(found[name], found["benign"])
    return summary


def _k_of_n(found: int, of: int) -> Document | None:
    if not of:
        return None
    exact = counted(found, of)
    return {"found": found, "of": of, "low": round(exact.low, 4), "high": round(exact.high, 4)}


_TESTS = {
    "stratus": "held-out Stratus techniques", "panther": "held-out Panther cases",
    "invictus": "Invictus (account never seen)", "system_logs": "OpenSSH and Linux logs (never seen)",
}  # fmt: skip
STAGE = Stage(
    "recorded", "recorded logs that training never saw", cells, run, sum_up,
    datasets=("cloudtrail_stratus", "panther", "cloudtrail_invictus", "system_logs"), scenarios=("audit",),
    files=("model_artifacts/audit/detector.json", "model_artifacts/audit/evaluation.json"),
    looks_at=lambda key: [f"audit: {_TESTS[key]}"],
)  # fmt: skip
