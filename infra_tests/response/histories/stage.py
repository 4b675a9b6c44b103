"""The stage: one account's response, and the jobs that run on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from unittest.mock import patch

from infra_tests.response.histories.cloud import TAG, Cloud, EndSession, Isolate
from infra_tests.response.histories.faulty import FaultyCloud, FaultyJournal, FaultyLedgers, FaultySignals, Watching
from infra_tests.response.histories.history import ANSWERS, HOUR_S, PEOPLE, RESOURCES, Does, History, Job, Moment, Signalled
from infra_tests.response.histories.turns import Running, Turns
from response import as_written
from response.actions import CloudUnavailable, Mode
from response.answers import Answer
from response.approval import settle_answer
from response.budget import HOUR_MS
from response.containment import fold
from response.expiry import expire
from response.journal import Step
from response.notices import Notice
from response.people import Person
from response.policy import ActionPolicy, NeverTouch, Policy, Rule
from response.proposals import digest
from response.responder import respond
from response.switch import turn
from response.undoing import UnknownContainment, undo
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

_T = TypeVar("_T")
#: Five minutes before a full hour, which must make no difference.
START_MS = 1_790_002_500_000
PERSON = "arn:aws:iam::111111111111:role/on-call"


@dataclass(slots=True)
class Stage:
    """One account's response during one history."""

    history: History
    watching: Watching = field(default_factory=Watching)
    now_ms: int = START_MS
    turns: Turns = field(default_factory=Turns)
    cloud: Cloud = field(default_factory=Cloud)
    notices: list[Notice] = field(default_factory=list)
    handed_out: set[str] = field(default_factory=set)
    #: Messages that their queue would deliver again: which verdict each brings; undo requests by containment.
    owed: dict[str, int] = field(default_factory=dict)
    #: Messages that somebody handles now: they are not delivered to another meanwhile.
    handled_now: set[str] = field(default_factory=set)
    messages: int = 0
    owed_undos: dict[str, str] = field(default_factory=dict)
    owed_answers: dict[str, tuple[str, Does, int]] = field(default_factory=dict)
    #: Each answer by the message that brings it: what was shown when it was given does not change when it comes again.
    answers: dict[str, Answer] = field(default_factory=dict)
    #: Verdicts that have come, by the number of what their batch was when it was whole: what they rest on is dated then.
    came: set[int] = field(default_factory=set)
    #: When a verdict was handled to the end for the first time.
    handled_ms: dict[int, int] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    #: How many calls each job of each moment made.
    calls: list[list[int]] = field(default_factory=list)
    journal: FaultyJournal = field(init=False)
    signals: FaultySignals = field(init=False)
    budget: FaultyLedgers = field(init=False)
    verdicts: list[Verdict] = field(init=False)

    def __post_init__(self) -> None:
        self.journal = FaultyJournal(self.turns, self.watching)
        self.signals, self.budget = FaultySignals(self.turns), FaultyLedgers(self.turns)
        self.verdicts = [_verdict(number, each) for number, each in enumerate(self.history.verdicts)]

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        said = self.history.setting
        tags = {"team": "*"} if said.asks_tags else {}
        isolate = Rule("isolate-machine", "isolate", EntityKind.INSTANCE, alone=said.alone, **_terms(said.mode, HOUR_S))
        end = Rule("end-session", "end_session", EntityKind.SESSION, alone=said.alone, **_terms(said.mode, HOUR_S))
        tagged = (replace(isolate, name="tagged", tags=tags),) if said.asks_tags else ()
        dns = _terms(*said.dns, telemetry=frozenset({Telemetry.DNS_LOGS})) if said.dns else {}
        of_dns = (replace(isolate, name="dns-machine", **dns), replace(end, name="dns-session", **dns)) if dns else ()
        return Policy(
            rules=(*tagged, *of_dns, isolate, end),
            actions=dict.fromkeys(("isolate", "end_session"), ActionPolicy(at_end=said.at_end, four_eyes=said.four_eyes)),
            window_ms=HOUR_MS,
            fresh_ms=HOUR_MS,
            containments_per_hour=said.per_hour,
            percent_at_once=said.percent,
            never_touch=NeverTouch(instances=tuple(sorted(self.protected)), tags=(TAG,)),
        )

    @property
    def containments(self) -> list[str]:
        """Ids in the order in which they began."""
        return list(dict.fromkeys(entry.containment_id for entry in self.journal.written if entry.expires_ms is not None))

    @property
    def proposals(self) -> list[str]:
        """Ids in the order in which they were proposed."""
        return list(dict.fromkeys(entry.containment_id for entry in self.journal.written if entry.step is Step.PROPOSED))

    def play(self, moment: Moment) -> None:
        """Run the jobs of one moment at the same time, and let the time after it pass."""
        these = []
        for job in moment.jobs:
            if job.does is Does.DELIVER:
                self._date(self.whole(job.subject % len(self.verdicts)))
        for place, job in enumerate(moment.jobs):
            # No two begin within the same millisecond: to the journal, an equal entry is one's own.
            running = Running(job, self.now_ms + job.late_ms + place, faults={fault.at: fault.fails for fault in job.faults})
            running.protected_at_start = frozenset(self.protected | {name for name, tags in self.cloud.tags.items() if tags})
            these.append((running, self._work(job, running)))
        self.now_ms = max(running.now_ms for running, _ in these)
        # A history lasts a day or two: of forty days of anchors, all but two are the same call over and over.
        with patch.object(as_written, "_DAYS", 1):
            self.turns.together(these, moment)
        self.calls.append([running.call for running, _ in these])
        for running, _ in these:
            if running.error is not None and not isinstance(running.error, CloudUnavailable):
                raise running.error
        self.now_ms += moment.then_ms

    def whole(self, number: int) -> int:
        """Which verdict this one is a piece of: itself where its batch has not come again in pieces."""
        piece = self.history.verdicts[number].piece
        return number if piece is None else piece

    def _date(self, whole: int) -> None:
        """What a verdict rests on has happened right before it comes for the first time, or as much earlier as it says."""
        if whole in self.came:
            return
        self.came.add(whole)
        for number, each in enumerate(self.history.verdicts):
            if self.whole(number) == whole:
                self.verdicts[number] = replace(self.verdicts[number], time_ms=self.now_ms - each.before_ms)

    def settle(self, rounds: int = 8) -> bool:
        """Let the queues deliver again what they owe, without faults; say whether nothing is owed any more.

        Eight rounds, three minutes apart, are longer than anybody who was killed could have lived.
        """
        for _ in range(rounds):
            for number in list(self.owed.values()):
                self.play(Moment((Job(Does.DELIVER, number),)))
            for containment in list(self.owed_undos.values()):
                self._undo_now(containment)
            for proposal, does, by in list(self.owed_answers.values()):
                self.play(Moment((Job(does, self.proposals.index(proposal), by=by),)))
            self.play(Moment((Job(Does.EXPIRE),), then_ms=3 * 60_000))
        return not self.owed and not self.owed_undos and not self.owed_answers

    def undo_everything(self) -> None:
        """Undo by hand, when the last token is over, whatever is not undone."""
        self.now_ms += 4 * HOUR_MS
        for _ in range(2):  # a failed one is undone after what came upon it
            for containment in reversed(self.containments):
                self._undo_now(containment)
            self.settle(rounds=1)

    def _work(self, job: Job, running: Running) -> Callable[[], None]:
        match job.does:
            case Does.DELIVER:
                return lambda: self._deliver(job.subject % len(self.verdicts), running)
            case Does.EXPIRE:
                return lambda: self._expire(running)
            case Does.UNDO:
                return lambda: self._undo_one_of(self.containments, job.subject, running)
            case does if does in ANSWERS:
                return lambda: self._answer_one_of(self.proposals, job, running)
            case Does.ARM | Does.DISARM:
                return lambda: self._turn(job.does is Does.ARM, running)
            case Does.CHANGE:
                return lambda: self._change(job.subject)
            case Does.TAG:
                return lambda: self._tag(job.subject)
            case Does.PROTECT:
                return lambda: self._protect(job.subject)

    def _undo_one_of(self, begun: list[str], number: int, running: Running) -> None:
        if begun:
            self._undo(begun[number % len(begun)], running)

    def _deliver(self, number: int, running: Running) -> None:
        message = self._message(self.owed, number)
        try:
            self._handle(number, message, running)
        finally:
            self.handled_now.discard(message)

    def _message(self, owed: dict[str, _T], brings: _T) -> str:
        """Return the message that brings this again, or a new one."""
        again = (m for m, brought in owed.items() if brought == brings and m not in self.handled_now)
        message = next(again, f"message-{self.messages}")
        self.messages += message not in owed
        owed[message] = brings
        self.handled_now.add(message)
        return message

    def _handle(self, number: int, message: str, running: Running) -> None:
        outcome = respond(
            self.verdicts[number],
            policy=self.policy,
            actions=self._actions,
            journal=self.journal,
            signals=self.signals,
            budget=self.budget,
            now_ms=running.now_ms,
            notify=self._notify,
            delivery=message,
        )
        self.handed_out |= {entry.id for decision in outcome.decisions for entry in decision.entries}
        self.handed_out |= {entry.id for entry in outcome.earlier}
        self.handled_ms.setdefault(number, running.now_ms)
        del self.owed[message]

    def _undo(self, containment_id: str, running: Running) -> None:
        message = self._message(self.owed_undos, containment_id)
        try:
            with suppress(UnknownContainment):
                undo(
                    containment_id,
                    approved_by=Person(PERSON),
                    actions=self._actions,
                    journal=self.journal,
                    now_ms=running.now_ms,
                    notify=self._notify,
                    delivery=message,
                )
            del self.owed_undos[message]
        finally:
            self.handled_now.discard(message)

    def _answer_one_of(self, proposed: list[str], job: Job, running: Running) -> None:
        if proposed:
            proposal = proposed[job.subject % len(proposed)]
            message = self._message(self.owed_answers, (proposal, job.does, job.by % len(PEOPLE)))
            try:
                self._answer(self.answers.setdefault(message, self._given(proposal, job, message)), message, running)
            finally:
                self.handled_now.discard(message)

    def _given(self, proposal: str, job: Job, message: str) -> Answer:
        """Return a person's answer to what the proposal shows now."""
        stream = next(entry.stream for entry in self.journal.written if entry.containment_id == proposal)
        return Answer(
            proposal_id=proposal,
            approves=job.does is not Does.DENY,
            by=PEOPLE[job.by % len(PEOPLE)],
            request=message,
            reason="seen it",
            plan=digest(fold(stream, self.journal.entries(stream)).proposals[proposal].plan),
            beyond_budget=job.does is Does.APPROVE_BEYOND,
        )

    def _answer(self, answer: Answer, message: str, running: Running) -> None:
        answered = settle_answer(
            answer,
            policy=self.policy,
            actions=self._actions,
            journal=self.journal,
            budget=self.budget,
            now_ms=running.now_ms,
            notify=self._notify,
            delivery=message,
        )
        self.handed_out |= {entry.id for entry in (*answered.entries, *answered.earlier)}
        del self.owed_answers[message]

    def _undo_now(self, containment_id: str) -> None:
        self.play(Moment((Job(Does.UNDO, self.containments.index(containment_id)),)))

    def _expire(self, running: Running) -> None:
        _, errors = expire(
            policy=self.policy, actions=self._actions, journal=self.journal, now_ms=running.now_ms, notify=self._notify
        )
        for error in errors:
            raise error

    def _turn(self, armed: bool, running: Running) -> None:
        turn(self.journal, armed=armed, by=PERSON, reason="drill", now_ms=running.now_ms)

    def _change(self, subject: int) -> None:
        locks = [(name, lock) for name, _, made in RESOURCES for lock in made]
        resource, lock = locks[subject % len(locks)]

        def do() -> None:
            self.cloud.now_ms = self.now_ms
            stands = self.cloud.locks[resource][lock]
            self.cloud.write(resource, lock, expects=stands, new=f"by hand {len(self.cloud.writes)}")

        self.turns.call("a person's change", do)

    def _tag(self, subject: int) -> None:
        self.turns.call("a person's tag", lambda: self.cloud.tags[RESOURCES[subject % len(RESOURCES)][0]].update({TAG: "yes"}))

    def _protect(self, subject: int) -> None:
        self.turns.call("a change of the policy", lambda: self.protected.add(RESOURCES[subject % len(RESOURCES)][0]))

    def _notify(self, notice: Notice) -> None:
        self.turns.call("tell", lambda: self.notices.append(notice), silent=True)

    @property
    def _actions(self) -> dict[str, Isolate | EndSession]:
        reached = FaultyCloud(self.turns, self.cloud, self.watching)
        return {"isolate": Isolate(reached, gives_back=self.history.setting.gives_back), "end_session": EndSession(reached)}


def _terms(mode: Mode, time_to_live_s: int, **more: Any) -> dict[str, Any]:
    return {"mode": mode, "time_to_live_s": time_to_live_s, **more}


def _entity(number: int) -> Entity:
    name, account, _ = RESOURCES[number]
    return Entity(EntityKind.SESSION if name.startswith("s-") else EntityKind.INSTANCE, name, account)


def _verdict(number: int, signalled: Signalled) -> Verdict:
    first, *related = (_entity(each) for each in signalled.about)
    return Verdict(
        id=f"v{number}",
        correlation_id=f"event-{number}",
        detector="network",
        detector_version="1",
        telemetry=signalled.telemetry,
        entity=first,
        related=tuple(related),
        time_ms=START_MS - signalled.before_ms,
        probability=0.99,
        threshold=0.9,
        technique="T1046",
        title="scans its network",
    )
