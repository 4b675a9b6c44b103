"""What must hold of what was undone: it is not begun, nor asked about, again by what had happened before, under whatever id."""

from __future__ import annotations

from collections.abc import Mapping

from infra_tests.response.histories.stage import Stage
from infra_tests.response.histories.violation import must
from response.actions import Plan
from response.journal import JournalEntry, Step
from shared_model.verdicts import Verdict


class Undone:
    """Judges what begins after an undo in one history."""

    def __init__(self, stage: Stage, step: Mapping[str, Step], plan: Mapping[str, Plan], begun_ms: Mapping[str, int]) -> None:
        self._stage, self._step, self._plan, self._begun_ms = stage, step, plan, begun_ms
        self._heard_ms: dict[str, int] = {}

    def appends(self, entry: JournalEntry, verdict: Verdict | None) -> None:
        """One entry was written; ``verdict`` is the one that it is about."""
        belongs_to = str(entry.detail.get("belongs_to", ""))
        if entry.step is Step.REFUSED and belongs_to:
            assert verdict is not None
            undone = self._step[belongs_to] is Step.UNDONE and verdict.time_ms <= self._last_heard(belongs_to)
            must(undone, f"refused for {belongs_to}, though it is newer, or that still holds: {entry.id}")
        heard = entry.containment_id if entry.step is Step.EXTENDED else belongs_to if "heard_ms" in entry.detail else ""
        if heard in self._step:  # else it belongs to a proposal
            self._heard_ms[heard] = max(self._last_heard(heard), entry.time_ms)

    def is_new(self, entry: JournalEntry, verdict: Verdict) -> None:
        """What begins, or is asked about, rests on something that happened since the undone ones of its target began."""
        stage = self._stage
        wholes = {each.id: stage.whole(number) for number, each in enumerate(stage.verdicts)}
        pieces = [each for each in stage.journal.entries(entry.stream) if wholes[each.verdict_id] == wholes[verdict.id]]
        heard = [each for each in pieces if each.step is not Step.NOOP or "heard_ms" in each.detail]
        settled = {str(each.detail.get("belongs_to", each.containment_id)) for each in heard if each.verdict_id != verdict.id}
        for one, plan in self._plan.items():
            if self._step.get(one) is Step.UNDONE and f"{plan.action}#{plan.target.key}" == entry.stream:
                before = verdict.time_ms <= self._begun_ms[one]
                must(not before, f"what happened before {one}, which was undone, begins anew: {entry.id}")
                must(one not in settled, f"the same in pieces begins anew after {one} was undone: {entry.id}")

    def _last_heard(self, one: str) -> int:
        return self._heard_ms.get(one, self._begun_ms[one])
