"""What must hold where people are asked: who may answer, once, and what a yes and a no are good for."""

from __future__ import annotations

from collections import defaultdict

from infra_tests.response.histories.history import PEOPLE
from infra_tests.response.histories.violation import must
from response.actions import Plan
from response.answers import Answer
from response.journal import JournalEntry, Step
from response.policy import FourEyes
from shared_model.verdicts import Verdict

_ENDS = {Step.APPROVED, Step.DENIED, Step.LAPSED, Step.NOOP}


class Asked:
    """Judges the proposals of one history and their answers."""

    def __init__(self, rule: FourEyes, answers: dict[str, Answer]) -> None:
        self._rule, self._answers = rule, answers
        self._proposed: dict[str, JournalEntry] = {}
        self._ended: dict[str, JournalEntry] = {}
        self._approvals: defaultdict[str, list[JournalEntry]] = defaultdict(list)

    def appends(self, entry: JournalEntry, verdict: Verdict | None) -> None:
        """One entry was written; ``verdict`` is the one that it is about."""
        if entry.step is Step.PROPOSED:
            must(
                "instead_of" in entry.detail or not self._denied(entry, verdict), f"asked about again what was denied: {entry.id}"
            )
            self._proposed[entry.containment_id] = entry
            self._ended.pop(entry.containment_id, None)
            self._approvals.pop(entry.containment_id, None)
        elif entry.containment_id in self._proposed and entry.step in _ENDS and self._answers_it(entry):
            self._ends(entry, verdict)

    def begins(self, entry: JournalEntry, verdict: Verdict) -> None:
        """A containment begins: with the yes of everyone it needs, or where nobody said no."""
        one = entry.containment_id
        if "approved_by" not in entry.detail:
            must(not self._denied(entry, verdict), f"begun although it was denied: {entry.id}")
            return
        ended, approvals = self._ended.get(one), self._approvals[one]
        must(ended is not None and ended.step is Step.APPROVED, f"begun without its approval: {entry.id}")
        two = 2 if self._rule is FourEyes.TWO else 1
        must(len({each.detail["attested"] for each in approvals}) >= two, f"approved by too few: {entry.id}")
        shown, now = Plan.from_json_value(self._proposed[one].plan or {}), Plan.from_json_value(entry.plan or {})
        must(dict(shown.before) == dict(now.before), f"what is changed was never shown: {entry.id}")
        beyond = any(self._answers[str(each.detail["request"])].beyond_budget for each in approvals)
        must("beyond" not in entry.detail or beyond, f"beyond the budget, and nobody said so: {entry.id}")

    def _ends(self, entry: JournalEntry, verdict: Verdict | None) -> None:
        one, ended = entry.containment_id, self._ended.get(entry.containment_id)
        over = entry.time_ms >= (self._proposed[one].expires_ms or 0)
        must(ended is None or ended.step is Step.APPROVED, f"answered after its end: {entry.id}")
        must(ended is None or entry.step in (Step.LAPSED, Step.NOOP), f"answered after it was approved: {entry.id}")
        must(over if entry.step is Step.LAPSED else not over or ended is not None, f"not at its time: {entry.id}")
        if entry.step in (Step.APPROVED, Step.DENIED):
            person = next(each for each in PEOPLE if each.attested == entry.detail["attested"])
            named = {entity.id for entity in (verdict.entity, *verdict.related)} if verdict else set()
            free = self._rule is FourEyes.NONE or not named & set(person.own_names)
            must(free, f"{person.name} answers in a matter of their own: {entry.id}")
        if entry.step is Step.APPROVED:
            must(self._answers[str(entry.detail["request"])].approves, f"approved by a no: {entry.id}")
            self._approvals[one].append(entry)
        if not entry.detail.get("missing"):
            self._ended[one] = entry

    def _answers_it(self, entry: JournalEntry) -> bool:
        """Whether it ends the question; a verdict that comes again writes NOOP too."""
        return entry.step is not Step.NOOP or "request" in entry.detail

    def _denied(self, entry: JournalEntry, verdict: Verdict | None) -> bool:
        """Whether somebody said no to what contains this, a short while ago."""
        return verdict is not None and any(
            answer.step is Step.DENIED
            and self._proposed[one].stream == entry.stream
            and entry.time_ms < (self._proposed[one].expires_ms or 0)
            and covers(Plan.from_json_value(self._proposed[one].plan or {}), verdict)
            for one, answer in self._ended.items()
        )


def covers(plan: Plan, verdict: Verdict) -> bool:
    """Whether what the plan does contains what the verdict found."""
    return all(verdict.time_ms <= until(state) for state in plan.after.values())


def until(state: str) -> int:
    """Up to when a lock contains what was done: a machine's, whatever is done; a session's, what its token was issued for."""
    return int(state.removeprefix("until ")) if state.startswith("until ") else 1 << 60
