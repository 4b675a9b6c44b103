"""Plays a history under every invariant; makes a failing one as small as it gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from unittest.mock import patch

from infra_tests.response.histories.history import Fails, History, Job, Moment, Setting
from infra_tests.response.histories.invariants import Invariants
from infra_tests.response.histories.stage import Stage
from response import containment

_ENDLESS_MS = 10**15


@dataclass(slots=True)
class Figures:
    """What was played."""

    histories: int = 0
    moments: int = 0
    calls: Counter[tuple[str, Fails | None]] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    writes: int = 0

    @property
    def killed(self) -> int:
        """How many functions were killed."""
        return sum(count for (_, fault), count in self.calls.items() if fault in (Fails.KILLED_BEFORE, Fails.KILLED_AFTER))

    def add(self, stage: Stage) -> None:
        self.histories += 1
        self.moments += len(stage.history.moments)
        self.calls += stage.turns.met
        self.entries.update(str(entry.step) for entry in stage.journal.written)
        self.writes += len(stage.cloud.writes)


def play(history: History, figures: Figures | None = None) -> Stage:
    """Play it to its end. Raises Violation, or whatever the code under test raised that it must not."""
    invariants = Invariants()
    stage = Stage(history, invariants)
    invariants.judge(stage)
    # Nobody leaves work to who began it a moment ago: the invariants must hold also when every change takes longer than that.
    with patch.object(containment, "_COURTESY_MS", -_ENDLESS_MS):
        for moment in history.moments:
            stage.play(moment)
        invariants.settled(stage.settle())
        stage.undo_everything()
    invariants.undone()
    if figures is not None:
        figures.add(stage)
    return stage


def fails(history: History) -> str:
    """Return what is wrong with this history, ``""`` when all holds."""
    try:
        play(history)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return f"{type(error).__name__}: {error}"
    return ""


def smallest(history: History) -> History:
    """Return a history that fails too, of which nothing can be left out."""
    again = True
    while again:
        again = False
        for smaller in _smaller(history):
            if fails(smaller):
                history, again = smaller, True
                break
    return history


def _smaller(history: History) -> Iterator[History]:
    moments = history.moments
    for index in range(len(moments)):
        yield replace(history, moments=moments[:index] + moments[index + 1 :])
    for name, value in vars_of(Setting()).items():
        if vars_of(history.setting)[name] != value:
            yield replace(history, setting=replace(history.setting, **{name: value}))
    for index, moment in enumerate(moments):
        for smaller in _smaller_moment(moment):
            yield replace(history, moments=(*moments[:index], smaller, *moments[index + 1 :]))
    for index, signalled in enumerate(history.verdicts):
        for less in (replace(signalled, about=signalled.about[:1]), replace(signalled, before_ms=0)):
            if less != signalled:
                yield replace(history, verdicts=(*history.verdicts[:index], less, *history.verdicts[index + 1 :]))


def _smaller_moment(moment: Moment) -> Iterator[Moment]:
    for index in range(len(moment.jobs) if len(moment.jobs) > 1 else 0):
        yield replace(moment, jobs=moment.jobs[:index] + moment.jobs[index + 1 :], order=())
    if moment.then_ms:
        yield replace(moment, then_ms=0)
    for index in range(len(moment.order)):
        yield replace(moment, order=moment.order[:index] + moment.order[index + 1 :])
    if moment.turns:
        half = len(moment.turns) // 2
        yield from (replace(moment, turns=moment.turns[:half]), replace(moment, turns=moment.turns[:-1]))
        for index, turn in enumerate(moment.turns):
            if turn:
                yield replace(moment, turns=(*moment.turns[:index], 0, *moment.turns[index + 1 :]))
    for index, job in enumerate(moment.jobs):
        for smaller in _smaller_job(job):
            yield replace(moment, jobs=(*moment.jobs[:index], smaller, *moment.jobs[index + 1 :]))


def _smaller_job(job: Job) -> Iterator[Job]:
    for index in range(len(job.faults)):
        yield replace(job, faults=job.faults[:index] + job.faults[index + 1 :])
    if job.late_ms:
        yield replace(job, late_ms=0)


def vars_of(setting: Setting) -> dict[str, object]:
    """Return the setting's fields."""
    return {name: getattr(setting, name) for name in setting.__slots__}


def failing(histories: Iterable[History], figures: Figures) -> Iterator[tuple[History, str]]:
    """Play these; yield those that fail, with what is wrong."""
    for history in histories:
        try:
            play(history, figures)
        except Exception as error:  # noqa: BLE001 - the finding
            yield history, f"{type(error).__name__}: {error}"
