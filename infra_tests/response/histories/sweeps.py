"""Every crash, and every way in which two or three functions can interrupt each other once or twice, of a few stories.

Chance finds what nobody thought of; a sweep leaves nothing out where it looks. How many calls a function makes is asked of the
code itself, so that a sweep stays whole when the code changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from infra_tests.response.histories.history import MINUTE_MS, Does, Fails, Fault, History, Job, Moment, Setting, Signalled, drawn
from infra_tests.response.histories.stage import Stage
from response.actions import Mode
from response.policy import AtEnd, FourEyes
from shared_model.events import Telemetry

_DELIVER, _OTHER, _UNDO = Job(Does.DELIVER, 0), Job(Does.DELIVER, 1), Job(Does.UNDO, -1)
_YES, _NO, _BOBS_YES = Job(Does.APPROVE, 0), Job(Does.DENY, 0, by=1), Job(Does.APPROVE, 0, by=1)
_FAULTS = (Fails.KILLED_BEFORE, Fails.KILLED_AFTER, Fails.REFUSED, Fails.ANSWER_LOST, Fails.STALE)
_KILLS = (Fails.KILLED_BEFORE, Fails.KILLED_AFTER)


def _verdicts(*about: int) -> tuple[Signalled, ...]:
    return tuple(Signalled(telemetry, about) for telemetry in (Telemetry.FLOW_LOGS, Telemetry.API_CALLS))


def _one_by_one(*jobs: Job, then_ms: int = 0) -> tuple[Moment, ...]:
    return tuple(Moment((job,), then_ms=then_ms) for job in jobs)


#: The first one's batch comes again in pieces.
_IN_PIECES = (*_verdicts(0), Signalled(Telemetry.FLOW_LOGS, (0,), piece=0))
_PIECE = Job(Does.DELIVER, 2)
_HOURS_MS = 125 * MINUTE_MS
_ASKING = Setting(mode=Mode.APPROVE)
_ASKING_TWO = Setting(mode=Mode.APPROVE, four_eyes=FourEyes.TWO)
#: Stories told by one function after the other.
_STORIES = (
    History(_verdicts(0), _one_by_one(_DELIVER, _UNDO)),
    History(_verdicts(0), _one_by_one(_DELIVER, _OTHER, _UNDO), Setting(alone=False)),
    History(_verdicts(3), _one_by_one(_DELIVER, _OTHER, Job(Does.EXPIRE), then_ms=_HOURS_MS)),
    History(_verdicts(0, 3), _one_by_one(_DELIVER, _OTHER, _UNDO), Setting(alone=False)),
    History(_verdicts(1), _one_by_one(_DELIVER, Job(Does.EXPIRE), Job(Does.EXPIRE), then_ms=_HOURS_MS)),
    History(_verdicts(1), _one_by_one(_DELIVER, Job(Does.EXPIRE), _UNDO, then_ms=_HOURS_MS), Setting(at_end=AtEnd.ASK)),
    History(_verdicts(1), _one_by_one(_DELIVER, Job(Does.EXPIRE), _UNDO, then_ms=_HOURS_MS), Setting(gives_back=True)),
    History(_verdicts(1), (*_one_by_one(_DELIVER, then_ms=2 * MINUTE_MS), *_one_by_one(_UNDO, _OTHER))),
    History(_verdicts(0), _one_by_one(_DELIVER, Job(Does.PROTECT, 0), _DELIVER)),
    History(_verdicts(0), _one_by_one(_DELIVER, Job(Does.TAG, 0), _OTHER)),
    History(_verdicts(0), _one_by_one(_DELIVER, Job(Does.DISARM), _DELIVER, Job(Does.ARM), _UNDO)),
    History(_verdicts(0), _one_by_one(_DELIVER, Job(Does.CHANGE, 1), _DELIVER, _UNDO)),
    History(_verdicts(1), _one_by_one(_DELIVER, _OTHER, _UNDO), Setting(per_hour=1, percent=25)),
    History(_verdicts(0), _one_by_one(_DELIVER, _YES, _YES, _UNDO), _ASKING),
    History(_verdicts(0), _one_by_one(_DELIVER, _NO, _YES, _OTHER), _ASKING),
    History(_IN_PIECES, _one_by_one(_DELIVER, _UNDO, _PIECE, _OTHER, then_ms=6 * MINUTE_MS)),
    History(_IN_PIECES, _one_by_one(_DELIVER, _OTHER, _UNDO, _PIECE, then_ms=6 * MINUTE_MS), Setting(alone=False)),
    History(_verdicts(0, 3), _one_by_one(_DELIVER, _YES, _BOBS_YES, _UNDO), _ASKING_TWO),
    History(_verdicts(0), _one_by_one(_DELIVER, Job(Does.CHANGE, 1), _YES, _YES), _ASKING),
    History(_verdicts(0), _one_by_one(_DELIVER, Job(Does.TAG, 0), _YES), _ASKING),
    History(_verdicts(1), _one_by_one(_DELIVER, _YES, Job(Does.EXPIRE), _YES, then_ms=2 * _HOURS_MS), _ASKING),
    History(
        (*_verdicts(0), *_verdicts(1)),
        _one_by_one(_DELIVER, Job(Does.DELIVER, 2), _YES, replace(_YES, does=Does.APPROVE_BEYOND)),
        Setting(per_hour=1),
    ),
    History(
        (*_verdicts(1), *_verdicts(2)), _one_by_one(_DELIVER, Job(Does.DELIVER, 2), then_ms=6 * MINUTE_MS), Setting(per_hour=1)
    ),
    History(
        (*_verdicts(1), *_verdicts(3)),
        (*_one_by_one(_DELIVER, Job(Does.DELIVER, 2), then_ms=16 * MINUTE_MS), *_one_by_one(_UNDO, Job(Does.DELIVER, 3))),
        Setting(percent=25),
    ),
)
#: Calls that a function makes more when it meets another than when it is alone.
_MORE = 5
_BEFORE = Moment((_DELIVER,))
#: Sessions: what ends the one of earlier does not end the one that began later.
_SESSIONS = (Signalled(Telemetry.FLOW_LOGS, (3,)), Signalled(Telemetry.API_CALLS, (3,), 10 * MINUTE_MS))


@dataclass(frozen=True, slots=True)
class _Meeting:
    """A story told by several at once: who meets, and what comes before and after it."""

    jobs: tuple[Job, ...]
    before: tuple[Moment, ...] = ()
    after: tuple[Moment, ...] = ()
    verdicts: tuple[Signalled, ...] = _verdicts(0)
    setting: Setting = field(default_factory=Setting)

    def told(self, order: tuple[tuple[int, int], ...]) -> History:
        return History(self.verdicts, (*self.before, Moment(self.jobs, order=order), *self.after), self.setting)

    def calls(self) -> list[int]:
        """How many calls the first two make, each alone."""
        stories = [History(self.verdicts, (*self.before, Moment((job,))), self.setting) for job in self.jobs[:2]]
        return [_calls(story)[-1][0] for story in stories]


_MEETINGS = (
    _Meeting((_DELIVER, _OTHER)),
    _Meeting((_DELIVER, _OTHER), setting=Setting(alone=False)),
    _Meeting((_DELIVER, _OTHER), verdicts=_SESSIONS, setting=Setting(alone=False)),
    _Meeting((_DELIVER, Job(Does.DISARM))),
    _Meeting((_DELIVER, Job(Does.CHANGE, 1)), after=_one_by_one(_OTHER, Job(Does.UNDO, 0))),
    _Meeting((_DELIVER, _DELIVER, _UNDO)),
    _Meeting((_DELIVER, _OTHER, _UNDO)),
    _Meeting((_UNDO, _OTHER), before=(_BEFORE,)),
    _Meeting((_UNDO, _UNDO, _OTHER), before=(_BEFORE,)),
    _Meeting((_UNDO, _PIECE), before=(_BEFORE,), verdicts=_IN_PIECES),
    _Meeting((_YES, _BOBS_YES), before=(_BEFORE,), setting=_ASKING),
    _Meeting((_YES, _BOBS_YES), before=(_BEFORE,), setting=_ASKING_TWO),
    _Meeting((_YES, _NO, _UNDO), before=(_BEFORE,), setting=_ASKING),
    _Meeting((_YES, Job(Does.CHANGE, 1), _OTHER), before=(_BEFORE,), setting=_ASKING),
    _Meeting((_YES, Job(Does.DISARM)), before=(_BEFORE,), setting=_ASKING),
    _Meeting((Job(Does.EXPIRE), _YES), before=(replace(_BEFORE, then_ms=2 * _HOURS_MS),), setting=_ASKING),
    _Meeting((Job(Does.EXPIRE), _UNDO, _OTHER), before=(replace(_BEFORE, then_ms=_HOURS_MS // 2),)),
)


def crashes() -> Iterator[History]:
    """Each story with each fault at each call of each of its functions; and, of two, killed anywhere and killed again."""
    for story in _STORIES:
        calls = _calls(story)
        for index, moment in enumerate(story.moments):
            for at in range(1, calls[index][0] + 1):
                for fails in _FAULTS:
                    yield _with(story, index, replace(moment.jobs[0], faults=(Fault(at, fails),)))
    for story in _STORIES[:2]:
        number = _calls(story)[0][0]
        for first in range(1, number + 1):
            for second in range(1, number + 1):
                for fails in _KILLS:
                    killed = replace(_DELIVER, faults=(Fault(first, fails),))
                    again = replace(_DELIVER, faults=(Fault(second, fails),))
                    yield replace(story, moments=(*_one_by_one(killed, again), *story.moments[1:]))


def interruptions() -> Iterator[History]:
    """Each meeting: the first stops before each of its calls, the second before each of its; the third runs after or between."""
    for meeting in _MEETINGS:
        last = len(meeting.jobs) - 1
        alone = meeting.calls()
        for first in range(1, alone[0] + 1):
            yield meeting.told(((0, first), (1, 0), (last, 0), (0, 0)))
            for second in range(1, alone[1] + _MORE + 1):
                between = ((2, 0),) if last == 2 else ()
                yield meeting.told(((0, first), (1, second), (0, 0), *between, (1, 0)))
                if between:
                    yield meeting.told(((0, first), (1, second), *between, (1, 0), (0, 0)))
                    yield meeting.told(((0, first), *between, (1, second), (0, 0), (1, 0)))


def net() -> Iterator[History]:
    """The stories as they are, then drawn histories and both sweeps, mixed: what is wrong shows after few."""
    yield from _STORIES
    mixed = [*map(drawn, range(2_000)), *crashes(), *interruptions()]
    Random(0).shuffle(mixed)
    yield from mixed


def _with(story: History, index: int, job: Job) -> History:
    moments = story.moments
    return replace(story, moments=(*moments[:index], replace(moments[index], jobs=(job,)), *moments[index + 1 :]))


def _calls(history: History) -> list[list[int]]:
    stage = Stage(history)
    for moment in history.moments:
        stage.play(moment)
    return stage.calls
