"""A history: what happens to one account's response, as plain data, so that it can be drawn, repeated, shrunk and printed.

:func:`written` gives Python that makes it again: a minimal one goes into a regression test as it is printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from response.actions import Mode
from response.people import Person
from response.policy import AtEnd, FourEyes
from shared_model.events import Telemetry

MINUTE_MS = 60_000
HOUR_S = 3600


class Does(StrEnum):
    """What one job does."""

    DELIVER = "deliver"  # a verdict, new or again
    UNDO = "undo"  # a person asks for the undo of a containment
    APPROVE = "approve"  # a person says yes to the plan that a proposal shows at that moment
    APPROVE_BEYOND = "approve beyond"  # and that the budget may be exceeded
    DENY = "deny"
    EXPIRE = "expire"  # the schedule
    DISARM = "disarm"
    ARM = "arm"
    CHANGE = "change"  # somebody changes a lock by hand
    TAG = "tag"  # somebody gives a resource the never-touch tag
    PROTECT = "protect"  # the operator puts a resource on the policy's never-touch list


ANSWERS = frozenset({Does.APPROVE, Does.APPROVE_BEYOND, Does.DENY})


class Fails(StrEnum):
    """What goes wrong at one call."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    REFUSED = "throttled"  # CloudUnavailable, and nothing was done
    ANSWER_LOST = "answer lost"  # it was done, and CloudUnavailable
    STALE = "stale"  # a read shows what was there before the last minute's writes


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at the job's call of this number, counted from 1."""

    at: int
    fails: Fails


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a function, or one deed of a person.

    Attributes
    ----------
    does : Does
    subject : int
        Which verdict, containment or proposal (in the order in which they began) or resource; counted round.
    late_ms : int
        How long after the moment's beginning it starts.
    faults : tuple of Fault
    by : int
        Which of :data:`PEOPLE` answers.
    """

    does: Does
    subject: int = 0
    late_ms: int = 0
    faults: tuple[Fault, ...] = ()
    by: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """Jobs that run at the same time, and the time that passes after them.

    Attributes
    ----------
    jobs : tuple of Job
    turns : tuple of int
        At each call: 0, whoever runs goes on; else the how many-th next has its turn. After the last: 0.
    then_ms : int
    order : tuple of (int, int)
        Instead of turns: which job runs, and for how many calls (0: to its end); then the others, one after the other.
    """

    jobs: tuple[Job, ...]
    turns: tuple[int, ...] = ()
    then_ms: int = 0
    order: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Signalled:
    """One verdict: its telemetry, whom it is about (numbers of :data:`RESOURCES`), and how old it is when it first comes.

    A ``piece`` of another verdict (by its number) rests on what that one rests on: its batch has come again in pieces.
    """

    telemetry: Telemetry
    about: tuple[int, ...]
    before_ms: int = 0
    piece: int | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What the operator's policy says."""

    mode: Mode = Mode.ENFORCE
    at_end: AtEnd = AtEnd.UNDO
    per_hour: int = 1000
    percent: int = 100
    alone: bool = True
    asks_tags: bool = False
    four_eyes: FourEyes = FourEyes.OTHER
    #: An undo of a machine's isolation gives something back.
    gives_back: bool = False
    #: Mode and time to live (in seconds) of rules of their own for verdicts of DNS, before the others of the same actions.
    dns: tuple[Mode, int] | None = None

    def terms(self, telemetry: Telemetry) -> tuple[Mode, int]:
        """How far the rule goes that decides about verdicts of this telemetry, and for how many seconds."""
        return self.dns if self.dns is not None and telemetry is Telemetry.DNS_LOGS else (self.mode, HOUR_S)


@dataclass(frozen=True, slots=True)
class History:
    """Everything that happens."""

    verdicts: tuple[Signalled, ...]
    moments: tuple[Moment, ...]
    setting: Setting = Setting()


#: What there is: name, account, locks. Sessions have a lock for each containment, made as it is needed.
RESOURCES = (
    ("i-1", "111111111111", ("eni-a", "eni-b")),
    ("i-2", "111111111111", ("eni-c",)),
    ("i-3", "111111111111", ("eni-d",)),
    ("s-1", "111111111111", ()),
    ("i-4", "222222222222", ("eni-e",)),
)
#: Who answers. The last one is who holds the session.
PEOPLE = (Person("ann", "id-of-ann"), Person("bob", "id-of-bob"), Person("eve", "id-of-eve", own_names=("s-1",)))
#: Machines and sessions that are most often met, so that what happens to them meets.
_OFTEN = (0, 0, 0, 1, 2, 3, 3, 4)
_TELEMETRY = (Telemetry.FLOW_LOGS, Telemetry.API_CALLS, Telemetry.DNS_LOGS)
_DOES = (
    *[Does.DELIVER] * 24,
    *[Does.UNDO] * 12,
    *[Does.EXPIRE] * 6,
    *[Does.CHANGE] * 4,
    Does.TAG,
    Does.PROTECT,
    Does.DISARM,
    Does.ARM,
)
#: What happens where people are asked.
_ASKED_DOES = (
    *[Does.DELIVER] * 8,
    *[Does.APPROVE] * 9,
    *[Does.APPROVE_BEYOND] * 3,
    *[Does.DENY] * 4,
    *[Does.UNDO] * 3,
    *[Does.EXPIRE] * 3,
    *[Does.CHANGE] * 2,
    Does.TAG,
    Does.PROTECT,
    Does.DISARM,
    Does.ARM,
)
#: How often a batch comes again in pieces.
_PIECES = 0.3
#: How often verdicts of DNS have rules of their own.
_OF_DNS = 0.4
#: Every so many-th seed is a history in which people are asked.
_ASKED = 4
#: Mostly moments that follow at once; then what redelivery, stuck containments and expiry wait for.
_PASSES_MS = (0, 0, 0, 1000, MINUTE_MS, 6 * MINUTE_MS, 16 * MINUTE_MS, 61 * MINUTE_MS, 125 * MINUTE_MS)
_LATE_MS = (0, 0, 0, 1000, 4 * MINUTE_MS, 10 * MINUTE_MS)


def written(history: History) -> str:
    """Return the history as Python that makes it again."""
    return re.sub(r"<(\w+\.\w+): '[^']*'>", r"\1", repr(history))


def drawn(seed: int) -> History:
    """Return the history of this seed: the same on every machine and Python."""
    return told(Random(seed), asked=seed % _ASKED == _ASKED - 1)


def told(random: Random, *, asked: bool) -> History:
    """Return the history that these choices make; in one that is ``asked``, people are asked."""
    if asked:
        return _asked(random)
    if random.random() < 0.3:
        return _crowded(random)
    verdicts = _in_pieces(random, [_signalled(random) for _ in range(random.randint(1, 4))])
    moments = tuple(_moment(random, len(verdicts)) for _ in range(random.randint(2, 7)))
    setting = Setting(
        mode=random.choices((Mode.ENFORCE, Mode.OBSERVE), (9, 1))[0],
        at_end=random.choice((AtEnd.UNDO, AtEnd.UNDO, AtEnd.ASK)),
        per_hour=random.choice((1, 2, 1000, 1000)),
        percent=random.choice((25, 50, 100, 100)),
        alone=random.random() < 0.6,
        asks_tags=random.random() < 0.1,
        gives_back=random.random() < 0.3,
        dns=_terms(random),
    )
    return History(verdicts, moments, setting)


def _crowded(random: Random) -> History:
    """Several at once on one resource: who applies, who undoes, who comes again."""
    about = (random.choice(_OFTEN),)
    verdicts = _in_pieces(random, [Signalled(each, about) for each in random.sample(_TELEMETRY, random.randint(1, 3))])
    moments = []
    for _ in range(random.randint(1, 3)):
        if random.random() < 0.5:
            jobs = (_delivered(random), _delivered(random), Job(Does.UNDO, -1))
        else:
            does = [random.choices((Does.DELIVER, Does.UNDO, Does.EXPIRE, Does.CHANGE), (6, 5, 1, 1))[0] for _ in range(3)]
            jobs = tuple(_job(random, len(verdicts), 3, each) for each in does)
        moments.append(Moment(jobs, _turns(random), random.choice(_PASSES_MS)))
    return History(verdicts, tuple(moments), Setting(alone=random.random() < 0.6, dns=_terms(random)))


def _asked(random: Random) -> History:
    """A person is asked, by the mode or because the budget is used up; several answer, or nobody does."""
    about = random.choice(_OFTEN)
    verdicts = [_signalled(random) for _ in range(random.randint(1, 3))]
    verdicts = [replace(each, about=(about,)) if random.random() < 0.6 else each for each in verdicts]
    moments = [Moment((Job(Does.DELIVER),))]
    for _ in range(random.randint(2, 6)):
        together = random.choices((1, 2, 3), (5, 4, 1))[0]
        jobs = [_job(random, len(verdicts), together, random.choice(_ASKED_DOES)) for _ in range(together)]
        if together > 1 and random.random() < 0.5:  # the same question, answered by several
            jobs = [replace(job, subject=jobs[0].subject) for job in jobs]
        turns = _turns(random) if together > 1 else ()
        moments.append(Moment(tuple(jobs), turns, random.choice((*_PASSES_MS, 245 * MINUTE_MS))))
    setting = Setting(
        mode=random.choices((Mode.APPROVE, Mode.ENFORCE), (3, 1))[0],
        per_hour=random.choice((1, 1, 2, 1000)),
        percent=random.choice((25, 100, 100)),
        alone=random.random() < 0.8,
        four_eyes=random.choice((FourEyes.NONE, FourEyes.OTHER, FourEyes.OTHER, FourEyes.TWO)),
    )
    return History(_in_pieces(random, verdicts), tuple(moments), replace(setting, dns=_terms(random)))


def _in_pieces(random: Random, verdicts: list[Signalled]) -> tuple[Signalled, ...]:
    """Of some, the batch comes again in pieces: a verdict more, about the same."""
    whole = random.randrange(len(verdicts))
    pieces = [replace(verdicts[whole], piece=whole)] if random.random() < _PIECES else []
    return (*verdicts, *pieces)


def _terms(random: Random) -> tuple[Mode, int] | None:
    """Of some, verdicts of DNS have rules of their own."""
    return (random.choice([*Mode]), random.choice((HOUR_S // 4, 3 * HOUR_S))) if random.random() < _OF_DNS else None


def _delivered(random: Random) -> Job:
    return Job(Does.DELIVER, random.choice((0, 1)))


def _signalled(random: Random) -> Signalled:
    about = [random.choice(_OFTEN)]
    if random.random() < 0.4:
        about = list(dict.fromkeys((*about, random.choice(_OFTEN))))
    return Signalled(random.choice(_TELEMETRY), tuple(about), random.choice((0, 0, 0, 10 * MINUTE_MS, 70 * MINUTE_MS)))


def _moment(random: Random, verdicts: int) -> Moment:
    together = random.choices((1, 2, 3), (4, 4, 2))[0]
    jobs = tuple(_job(random, verdicts, together) for _ in range(together))
    if together > 1 and random.random() < 0.5:  # the same verdict, delivered to several
        jobs = tuple(replace(job, subject=jobs[0].subject) if job.does is Does.DELIVER else job for job in jobs)
    return Moment(jobs, _turns(random) if together > 1 else (), random.choice(_PASSES_MS))


def _turns(random: Random) -> tuple[int, ...]:
    often = random.choice((0.1, 0.3, 0.6))
    return tuple(random.randint(1, 2) if random.random() < often else 0 for _ in range(random.randint(5, 50)))


def _job(random: Random, verdicts: int, together: int, does: Does | None = None) -> Job:
    does = does or random.choice(_DOES)
    subject = random.randrange(verdicts) if does is Does.DELIVER else random.choice((-1, -1, 0, 1, 2, 3, 4))
    faults = tuple(Fault(_when(random), random.choice(list(Fails))) for _ in range(random.choice((0, 0, 0, 1, 1, 2))))
    late_ms = random.choice(_LATE_MS) if together > 1 else 0
    by = random.randrange(len(PEOPLE)) if does in ANSWERS else 0
    return Job(does, subject, late_ms, faults, by)


def _when(random: Random) -> int:
    """A call, the early ones as often as the late ones of a long run."""
    return random.randint(1, random.choice((4, 12, 30)))
