"""The returned detector against the present one, figure by figure, with what is let pass as noise.

Two sources, both machine-readable: ``evaluation.json``, which the cards are written from (all seeds, all test sets), and the
stored sample, which the very two models are scored on here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from training.evaluation import Report
from training.promotion.refusal import Refused

#: A share may be so much worse whatever its spread, and never more than that.
LEAST, MOST = 0.01, 0.05
#: False alarms per entity-day may be so much more, and at most by this share of the present ones.
LEAST_ALARMS, MOST_ALARMS = 0.02, 0.25
#: On the stored sample both models see the same stories: no spread excuses anything.
SAMPLE_SHARE, SAMPLE_AUC = 0.02, 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both.

    Attributes
    ----------
    where, figure : str
    present, returned : float or None
        None where there is none.
    tolerance : float
    higher_is_better : bool
    judged : bool
        False where the two are not of the same test set: shown, and nothing follows.
    """

    where: str
    figure: str
    present: float | None
    returned: float | None
    tolerance: float
    higher_is_better: bool
    judged: bool = True

    @property
    def worse(self) -> bool:
        """Whether the returned detector is worse by more than the tolerance. A figure that went missing is worse."""
        if not self.judged or self.present is None:
            return False
        if self.returned is None or math.isnan(self.returned):
            return True
        loss = self.present - self.returned if self.higher_is_better else self.returned - self.present
        return loss > self.tolerance + 1e-9


def of_evaluations(present: dict[str, Any], returned: dict[str, Any]) -> list[Row]:
    """Rows of every test set of the present detector's evaluation.json.

    Judged are entity recall, entity FPR, the windows' AUC and false alarms per entity-day. A difference is let pass up to twice
    its standard error over the seeds, but never more than :data:`MOST` (:data:`MOST_ALARMS`), so that a model that varies from
    seed to seed cannot excuse itself with that.

    Raises
    ------
    Refused
        A test set is missing, or the figures are over fewer seeds.
    """
    missing = sorted(set(present["tests"]) - set(returned["tests"]))
    if missing:
        raise Refused(f"there are no figures on {missing[0]!r}: train with the recorded data that the present detector had")
    if len(returned["seeds"]) < len(present["seeds"]):
        raise Refused(
            f"figures are over {len(returned['seeds'])} seeds, the present ones over {len(present['seeds'])}: train as many"
        )
    counts = len(present["seeds"]), len(returned["seeds"])
    return [row for name, test in present["tests"].items() for row in _test_rows(name, test, returned["tests"][name], counts)]


def of_sample(present: Report, returned: Report) -> list[Row]:
    """Rows of the stored sample, scored by the engine that serves."""
    where = "stored sample"
    return [
        Row(where, "entity recall", present.entities.recall, returned.entities.recall, SAMPLE_SHARE, True),
        Row(where, "entity FPR", present.entities.fpr, returned.entities.fpr, SAMPLE_SHARE, False),
        Row(where, "window AUC", present.windows.auc, returned.windows.auc, SAMPLE_AUC, True),
    ]


def table(rows: list[Row]) -> str:
    """Return the rows as a table in plain text."""
    head = ("test set", "figure", "present", "returned", "let pass", "")
    lines = [head, *[_line(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _test_rows(name: str, present: dict[str, Any], returned: dict[str, Any], seeds: tuple[int, int]) -> Iterator[Row]:
    sizes = ("attack_entities", "benign_entities", "attack_windows", "benign_windows")
    same = all(present[size] == returned[size] for size in sizes)
    for figure, path, higher in (
        ("entity recall", ("entities", "recall"), True),
        ("entity FPR", ("entities", "fpr"), False),
        ("window AUC", ("windows", "auc"), True),
    ):
        old, new = (test[path[0]][path[1]] for test in (present, returned))
        tolerance = min(max(LEAST, _noise(old, new, seeds)), MOST)
        yield Row(name, figure, old["mean"], new["mean"], tolerance, higher, same)
    old, new = present["false_alarms_per_entity_day"], returned["false_alarms_per_entity_day"]
    allowed = max(LEAST_ALARMS, min(_noise(old, new, seeds), MOST_ALARMS * (old["mean"] or 0.0)))
    yield Row(name, "false alarms a day", old["mean"], new["mean"], allowed, False, same)


def _noise(present: dict[str, Any], returned: dict[str, Any], seeds: tuple[int, int]) -> float:
    """Twice the standard error of the difference of two means over seeds."""
    variances = [(item["spread"] or 0.0) ** 2 / count for item, count in zip((present, returned), seeds, strict=True)]
    return 2 * math.sqrt(sum(variances))


def _line(row: Row) -> tuple[str, ...]:
    def shown(value: float | None) -> str:
        return "–" if value is None or math.isnan(value) else f"{value:.4f}"

    verdict = "WORSE" if row.worse else "" if row.judged else "another test set: not judged"
    return (row.where, row.figure, shown(row.present), shown(row.returned), f"{row.tolerance:.4f}", verdict)
