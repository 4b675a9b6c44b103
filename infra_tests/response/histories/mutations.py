"""Ways to break the response, each of which some history must show: a net that catches nothing proves nothing.

Each takes away, or turns round, one thing that keeps an invariant, in the real code, for as long as the context lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import response.applying
import response.approval
import response.budget
import response.containment
import response.expiry
import response.guard
import response.orders
import response.responder
import response.settling
import response.undoing
from response.actions import CloudUnavailable, Mode, Plan
from response.applying import Applier
from response.budget import HOUR_MS, Limits, Line
from response.containment import Containment, Stream, fold
from response.journal import InProcessJournal, JournalEntry, Step
from response.policy import Policy, Rule, Terms
from response.signals import Signal
from response.switch import Switch

Mutation = Callable[[pytest.MonkeyPatch], None]


def no_budget(patch: pytest.MonkeyPatch) -> None:
    """Whoever asks, there is one left."""
    patch.setattr(response.settling, "contain", lambda *_, **__: "")


def a_budget_of_one_more(patch: pytest.MonkeyPatch) -> None:
    """It counts to one more than the policy says."""
    patch.setattr(response.settling, "Limits", lambda per_hour, percent: Limits(per_hour + 1, percent))


def an_hour_is_one_of_the_clock(patch: pytest.MonkeyPatch) -> None:
    """Twice the budget within two minutes, before and after a full hour."""
    _counted_as(patch, lambda line, now_ms: line if line.time_ms // HOUR_MS == now_ms // HOUR_MS else replace(line, time_ms=0))


def no_share_of_the_account(patch: pytest.MonkeyPatch) -> None:
    """Of four things, all four at once."""
    patch.setattr(response.budget, "share", lambda plan, percent: None)


def a_share_for_each_action(patch: pytest.MonkeyPatch) -> None:
    """Of four things a quarter by each action."""
    made = response.settling.line_for
    patch.setattr(response.settling, "line_for", lambda *of: replace(made(*of), kind=of[2].action))


def what_was_contained_long_ago_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    """The share begins anew every ten minutes, though what it is a share of still stands."""
    _counted_as(patch, lambda line, now_ms: line if line.time_ms > now_ms - HOUR_MS // 6 else replace(line, kind=""))


def a_place_is_kept_for_ever(patch: pytest.MonkeyPatch) -> None:
    """What was undone, and what was never begun, is counted as if it stood."""
    patch.setattr(response.budget._Asked, "_ask", lambda self, line: line)


def _counted_as(patch: pytest.MonkeyPatch, seen: Callable[[Line, int], Line]) -> None:
    shortage = response.budget._shortage

    def short(others: tuple[Line, ...], plan: Plan, line: Line, limits: Limits, now_ms: int) -> str:
        return shortage(tuple(seen(each, now_ms) for each in others), plan, line, limits, now_ms)

    patch.setattr(response.budget, "_shortage", short)


def no_never_touch_list(patch: pytest.MonkeyPatch) -> None:
    """Neither the list nor the tag protects anything."""
    patch.setattr(response.guard, "protection", lambda plan, never_touch: "")


def never_touch_is_asked_once(patch: pytest.MonkeyPatch) -> None:
    """What was put on the list after a containment began is changed by whoever finishes it."""
    patch.setattr(Applier, "_protected_since", lambda self, plan: "")


def one_signal_is_enough(patch: pytest.MonkeyPatch) -> None:
    """Any other signal of the same thing is taken for an independent one."""

    def corroborating(signal: Signal, signals: Any, window_ms: int) -> tuple[Signal, ...]:
        return tuple(o for n in signal.names for o in signals.recent(n, 0, 1 << 60) if o.verdict_id != signal.verdict_id)

    patch.setattr(response.responder, "corroborating", corroborating)


def old_verdicts_act(patch: pytest.MonkeyPatch) -> None:
    """What waited for hours contains when a second signal comes."""
    patch.setattr(Policy, "is_fresh", lambda self, time_ms, now_ms: True)


def changed_before_it_is_journalled(patch: pytest.MonkeyPatch) -> None:
    """APPLYING is written after the change."""
    append = Applier.append

    def late(self: Applier, stream: Stream, entry: JournalEntry) -> Stream:
        if entry.step is Step.APPLYING and entry.plan is not None:
            self.room.journal.stream("master-switch")
            self.action.apply(Plan.from_json_value(entry.plan))
        return append(self, stream, entry)

    patch.setattr(Applier, "append", late)


def no_look_at_the_switch(patch: pytest.MonkeyPatch) -> None:
    """Disarmed or not, it goes on."""
    for room in (response.settling, response.applying):
        patch.setattr(room, "read_switch", lambda journal: Switch())


def a_look_at_the_switch_only_when_deciding(patch: pytest.MonkeyPatch) -> None:
    """What was begun is finished, whoever disarmed since."""
    patch.setattr(response.applying, "read_switch", lambda journal: Switch())


def an_undo_is_not_written_down(patch: pytest.MonkeyPatch) -> None:
    """Whatever the journal says was begun is gone on with."""
    patch.setattr(response.orders, "_append", lambda journal, name, next_of: next_of(journal.stream(name)))


def an_undo_that_was_decided_on_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The schedule does not look for what a killed function had begun to undo."""
    patch.setattr(response.orders, "standing_of", lambda journal, names: ())


def an_order_stands_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Nobody writes down that it was carried out."""
    patch.setattr(response.orders, "settle", lambda *_, **__: None)


def time_undoes_although_disarmed(patch: pytest.MonkeyPatch) -> None:
    """The schedule does not ask the switch."""
    patch.setattr(response.expiry, "read_switch", lambda journal: Switch())


def an_extension_in_the_last_moment_is_too_late(patch: pytest.MonkeyPatch) -> None:
    """What the schedule has found due is undone, whatever was written since."""
    patch.setattr(response.undoing, "_not_due", lambda containment, now_ms: "")


def time_gives_back(patch: pytest.MonkeyPatch) -> None:
    """The policy says undo, and what an undo gives back is not asked."""
    patch.setattr(response.expiry, "_gives_back", lambda desk, containment: "")


def what_was_undone_is_begun_again(patch: pytest.MonkeyPatch) -> None:
    """An undo settles nothing: the same verdict, delivered again, contains again."""
    patch.setattr(response.containment, "_SETTLED", response.containment._SETTLED - {Step.UNDONE})


def what_was_undone_is_begun_again_by_its_pieces(patch: pytest.MonkeyPatch) -> None:
    """Only the same id is the same cause."""
    patch.setattr(response.settling, "undone_with", lambda stream, verdict: None)


def whoever_waits_is_let_go(patch: pytest.MonkeyPatch) -> None:
    """What was undone once is never begun again, whatever happens afterwards."""
    found = response.settling.undone_with
    patch.setattr(response.settling, "undone_with", lambda stream, verdict: found(stream, replace(verdict, time_ms=0)))


def nothing_is_taken_up(patch: pytest.MonkeyPatch) -> None:
    """What a killed function left at APPLYING stays there."""
    finish = Applier.finish

    def only_ones_own(self: Applier, stream: Stream, containment: Containment) -> Stream:
        return finish(self, stream, containment) if self._mine == containment.id else stream

    patch.setattr(Applier, "finish", only_ones_own)


def an_error_counts_as_done(patch: pytest.MonkeyPatch) -> None:
    """A verdict that could not be decided now is taken off its queue."""
    each_in_turn = response.responder._each_in_turn

    def swallowing(decide: Any, these: Any) -> list[Any]:
        try:
            return each_in_turn(decide, these)
        except CloudUnavailable:
            return []

    patch.setattr(response.responder, "_each_in_turn", swallowing)


def the_last_writer_wins(patch: pytest.MonkeyPatch) -> None:
    """The journal takes a number that is taken."""
    append = InProcessJournal.append

    def over(self: InProcessJournal, entry: JournalEntry) -> None:
        append(self, replace(entry, sequence=len(self._streams.get(entry.stream, ())) + 1))

    patch.setattr(InProcessJournal, "append", over)


def undone_while_it_is_applied(patch: pytest.MonkeyPatch) -> None:
    """An APPLYING keeps no undo away."""
    patch.setattr(Containment, "may_be_being_applied", lambda self, now_ms: False)


def undone_while_a_second_one_applies(patch: pytest.MonkeyPatch) -> None:
    """Of two that apply the same plan, the first that is done lets an undo in."""
    ends = lambda self, now_ms: self.step is Step.APPLYING and not self.is_stuck(now_ms)  # noqa: E731
    patch.setattr(Containment, "may_be_being_applied", ends)


def contained_while_a_second_one_undoes(patch: pytest.MonkeyPatch) -> None:
    """Of two that undo the same containment, the first that is done lets the next containment in."""
    patch.setattr(Containment, "may_be_being_undone", lambda self, now_ms, but_by="": False)


def a_stale_answer_is_believed(patch: pytest.MonkeyPatch) -> None:
    """What was just undone still reads as contained: nothing to do, says the journal."""
    patch.setattr(Containment, "was_undone_just_now", lambda self, now_ms: False)


def sessions_come_back_to_life(patch: pytest.MonkeyPatch) -> None:
    """An undo does not wait until the tokens are over."""
    patch.setattr(Containment, "earliest_undo_ms", property(lambda self: 0))


def a_failed_one_is_undone_below_another(patch: pytest.MonkeyPatch) -> None:
    """What a failed containment changed is given back although a later one holds it."""
    not_now = response.undoing._not_now
    patch.setattr(response.undoing, "_not_now", lambda desk, stream, one: not_now(desk, fold(stream.name, ()), one))


def nobody_looks_again(patch: pytest.MonkeyPatch) -> None:
    """Who refuses for want of a second signal does not look whether it came meanwhile."""
    room = response.responder.Room
    patch.setattr(response.responder, "Room", lambda **fields: room(**(fields | {"look_again": tuple})))


def the_second_signal_decides_only_itself(patch: pytest.MonkeyPatch) -> None:
    """Verdicts that wait are not decided by the signal that they wait for."""
    patch.setattr(response.responder, "_decide_again", lambda *_, **__: [])


def what_an_earlier_delivery_wrote_is_not_handed_out(patch: pytest.MonkeyPatch) -> None:
    """Lake lines that a killed function owed are not made good."""
    patch.setattr(response.responder, "repeat", lambda *_, **__: None)


def one_question_after_another(patch: pytest.MonkeyPatch) -> None:
    """Each refusal beyond the budget asks a person."""
    few = response.settling.one_of_a_few

    def always(ledgers: Any, purse: str, taker: str, **rest: Any) -> tuple[bool, str]:
        return (True, taker) if purse.endswith("/question") else few(ledgers, purse, taker, **rest)

    patch.setattr(response.settling, "one_of_a_few", always)


def a_rule_goes_as_far_as_the_boldest(patch: pytest.MonkeyPatch) -> None:
    """Rules of one action share the terms of that which goes furthest."""
    terms = Policy.terms

    def boldest(self: Policy, rule: Rule) -> Terms:
        return max(
            (terms(self, each) for each in self.rules if each.action == rule.action), key=lambda each: [*Mode].index(each.mode)
        )

    patch.setattr(Policy, "terms", boldest)


def whoever_observes_extends(patch: pytest.MonkeyPatch) -> None:
    """A further verdict extends whatever mode its rule is in."""
    patch.setattr(response.settling._Desk, "_against_longer", lambda self, current: self._weak(current))


def a_no_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What a person denied is begun, or asked about, with the next verdict."""
    patch.setattr(response.settling, "_denied", lambda stream, action, room: "")


def the_last_answer_counts(patch: pytest.MonkeyPatch) -> None:
    """Who answers what was answered, or is over, is heard."""
    patch.setattr(response.approval, "_too_late", lambda proposal, contained, now_ms: "")


def a_yes_is_one_to_whatever_is_there(patch: pytest.MonkeyPatch) -> None:
    """The plan that was shown may have changed, before the answer and since."""
    patch.setattr(response.approval, "changed_since", lambda shown, now: "")
    patch.setattr(response.approval._Desk, "_objection", lambda self, proposal, approvers: "")


def whoever_is_meant_may_answer(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks who answers."""
    patch.setattr(response.approval, "objection", lambda person, verdict, rule, approved_by: "")


def one_of_two_is_enough(patch: pytest.MonkeyPatch) -> None:
    """The policy wants two, and the first one's yes contains."""
    patch.setattr(response.approval, "needed", lambda rule: 1)


def a_yes_lifts_the_budget(patch: pytest.MonkeyPatch) -> None:
    """A person's yes contains also where the budget is used up and the person did not say that it may be exceeded."""
    patch.setattr(response.approval, "beyond_budget", lambda room, draft, whatever=False: "")


def a_yes_lifts_never_touch(patch: pytest.MonkeyPatch) -> None:
    """What was put on the list while the question lay there is contained all the same."""
    patch.setattr(response.approval._Desk, "_against", lambda self, plan: "")


def a_killed_answer_is_over(patch: pytest.MonkeyPatch) -> None:
    """What an earlier delivery of an answer wrote is not handed out by the next."""
    patch.setattr(response.approval._Desk, "repeat", lambda self, stream: None)


MUTATIONS: tuple[Mutation, ...] = (
    no_budget,
    a_budget_of_one_more,
    an_hour_is_one_of_the_clock,
    no_share_of_the_account,
    a_share_for_each_action,
    what_was_contained_long_ago_is_not_counted,
    a_place_is_kept_for_ever,
    no_never_touch_list,
    never_touch_is_asked_once,
    one_signal_is_enough,
    old_verdicts_act,
    changed_before_it_is_journalled,
    no_look_at_the_switch,
    a_look_at_the_switch_only_when_deciding,
    an_undo_is_not_written_down,
    an_undo_that_was_decided_on_is_forgotten,
    an_order_stands_for_ever,
    time_undoes_although_disarmed,
    an_extension_in_the_last_moment_is_too_late,
    time_gives_back,
    what_was_undone_is_begun_again,
    what_was_undone_is_begun_again_by_its_pieces,
    whoever_waits_is_let_go,
    nothing_is_taken_up,
    an_error_counts_as_done,
    the_last_writer_wins,
    undone_while_it_is_applied,
    undone_while_a_second_one_applies,
    contained_while_a_second_one_undoes,
    a_stale_answer_is_believed,
    sessions_come_back_to_life,
    a_failed_one_is_undone_below_another,
    nobody_looks_again,
    the_second_signal_decides_only_itself,
    what_an_earlier_delivery_wrote_is_not_handed_out,
    one_question_after_another,
    a_rule_goes_as_far_as_the_boldest,
    whoever_observes_extends,
    a_no_is_forgotten,
    the_last_answer_counts,
    a_yes_is_one_to_whatever_is_there,
    whoever_is_meant_may_answer,
    one_of_two_is_enough,
    a_yes_lifts_the_budget,
    a_yes_lifts_never_touch,
    a_killed_answer_is_over,
)
