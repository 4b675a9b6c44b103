"""Mode and time to live are of the rule: of two rules of one action, each goes as far, and lasts as long, as it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from infra_tests.response.world import HOUR_MS, NOW_MS, Site, verdict
from response.actions import Mode
from response.explain import explain, terms_of
from response.journal import HEARD_MS, JournalEntry, Step
from response.policy import ActionPolicy, Policy, Rule, Terms
from response.switch import turn
from shared_model.events import EntityKind, Telemetry
from shared_model.verdicts import Verdict

DAY_S = 86_400
RULE = Rule("isolate-machine", "isolate", EntityKind.INSTANCE)
SURE = replace(RULE, name="sure", min_probability=0.9)


class Rules(Site):
    """Whatever is sure is decided by the rule ``sure``, the rest by ``unsure``."""

    def __init__(self, sure: Mode, unsure: Mode, *, entry: ActionPolicy | None = None) -> None:
        super().__init__()
        rules = (
            replace(SURE, mode=sure, time_to_live_s=3600),
            replace(RULE, name="unsure", mode=unsure, time_to_live_s=2 * 3600),
        )
        self.policy = replace(self.policy, rules=rules, actions={"isolate": entry} if entry else {})

    def said(self, sure: bool, name: str, telemetry: Telemetry, machine: str = "i-1") -> Verdict:
        return verdict(machine, name, telemetry, time_ms=self.now_ms, probability=0.95 if sure else 0.6)

    def signal(self, sure: bool, name: str, telemetry: Telemetry) -> JournalEntry:
        """Bring one; return the stream's last entry."""
        self.respond(self.said(sure, name, telemetry))
        return self.last

    @property
    def last(self) -> JournalEntry:
        return self.stream("i-1").entries[-1]

    def change(self, **changes: object) -> None:
        """Change the rule ``sure``."""
        first, *others = self.policy.rules
        self.policy = replace(self.policy, rules=(replace(first, **changes), *others))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "entry", "holds"),
    [
        ((None, None), (None, None), (Mode.OBSERVE, DAY_S)),
        ((Mode.ENFORCE, 60), (None, None), (Mode.ENFORCE, 60)),
        ((None, None), (Mode.APPROVE, 7 * DAY_S), (Mode.APPROVE, 7 * DAY_S)),
        ((Mode.ENFORCE, 7 * DAY_S), (Mode.APPROVE, 60), (Mode.APPROVE, 60)),
        ((Mode.OBSERVE, 60), (Mode.ENFORCE, 7 * DAY_S), (Mode.OBSERVE, 60)),
        ((Mode.APPROVE, None), (None, 60), (Mode.APPROVE, 60)),
    ],
)
def test_of_rule_and_entry_the_more_careful_counts(
    rule: tuple[Mode | None, int | None], entry: tuple[Mode | None, int | None], holds: tuple[Mode, int]
) -> None:
    one = replace(RULE, mode=rule[0], time_to_live_s=rule[1])
    assert Policy(rules=(one,), actions={"isolate": ActionPolicy(*entry)}).terms(one) == Terms(*holds)


def test_a_rule_needs_no_entry_of_its_action() -> None:
    one = replace(RULE, mode=Mode.ENFORCE, time_to_live_s=60)
    assert Policy(rules=(one,)).terms(one) == Terms(Mode.ENFORCE, 60)


def test_where_it_is_held_back_both_are_named() -> None:
    one = replace(RULE, mode=Mode.ENFORCE, time_to_live_s=2 * DAY_S)
    policy = Policy(rules=(one,), actions={"isolate": ActionPolicy(Mode.APPROVE, 5400)})
    assert terms_of(one, policy) == (
        "approve for 90m, then ask (its mode enforce is held back by actions.isolate.mode; "
        "its time_to_live 2d is held back by actions.isolate.time_to_live)"
    )
    (said,) = explain(verdict("i-1", "v", Telemetry.FLOW_LOGS), policy=policy, now_ms=NOW_MS)
    assert said.terms == terms_of(one, policy)
    assert said.why[-1].startswith("proposed once that signal is there: isolate on instance i-1")


def test_two_rules_of_one_action_go_differently_far_and_last_differently_long() -> None:
    site = Rules(Mode.ENFORCE, Mode.OBSERVE)
    site.signal(False, "f", Telemetry.FLOW_LOGS)
    assert site.signal(False, "d", Telemetry.DNS_LOGS).step is Step.OBSERVED
    site.signal(True, "a", Telemetry.API_CALLS)
    assert site.last.step is Step.VERIFIED
    assert site.stream("i-1").containments.popitem()[1].expires_ms == NOW_MS + HOUR_MS
    other = Rules(Mode.OBSERVE, Mode.ENFORCE)
    other.signal(False, "f", Telemetry.FLOW_LOGS)
    other.signal(False, "d", Telemetry.DNS_LOGS)
    assert other.stream("i-1").containments.popitem()[1].expires_ms == NOW_MS + 2 * HOUR_MS


def test_the_actions_entry_holds_every_rule_of_it() -> None:
    site = Rules(Mode.ENFORCE, Mode.APPROVE, entry=ActionPolicy(Mode.OBSERVE))
    site.signal(True, "f", Telemetry.FLOW_LOGS)
    assert site.signal(True, "d", Telemetry.DNS_LOGS).step is Step.OBSERVED
    assert "Rule sure is in mode observe" in site.notices[-1].text


def test_a_yes_counts_on_the_terms_of_the_rule_that_asked() -> None:
    site = Rules(Mode.APPROVE, Mode.OBSERVE)
    site.signal(True, "f", Telemetry.FLOW_LOGS)
    assert site.signal(True, "d", Telemetry.DNS_LOGS).step is Step.PROPOSED
    site.now_ms += 60_000
    assert site.answer("i-1").step is Step.APPLIED
    assert site.stream("i-1").containments.popitem()[1].expires_ms == site.now_ms + HOUR_MS


def observing(site: Rules) -> None:
    site.change(mode=Mode.OBSERVE)


def gone(site: Rules) -> None:
    site.policy = replace(site.policy, rules=site.policy.rules[1:])


def of_another_action(site: Rules) -> None:
    site.change(action="end_session")


@pytest.mark.parametrize("change", [observing, gone, of_another_action])
def test_a_yes_to_a_rule_that_asks_no_more_changes_nothing(change: Callable[[Rules], None]) -> None:
    site = Rules(Mode.APPROVE, Mode.ENFORCE)
    site.signal(True, "f", Telemetry.FLOW_LOGS)
    site.signal(True, "d", Telemetry.DNS_LOGS)
    change(site)
    answered = site.answer("i-1")
    assert answered.step is Step.REFUSED
    assert "isolate, as policy:sure proposed it, is in mode observe by now" in answered.reason
    assert site.action.writes == 0


def test_of_a_rule_that_is_gone_the_actions_entry_says_what_holds() -> None:
    site = Rules(Mode.APPROVE, Mode.OBSERVE)
    site.signal(True, "f", Telemetry.FLOW_LOGS)
    site.signal(True, "d", Telemetry.DNS_LOGS)
    site.policy = replace(site.policy, rules=(), actions={"isolate": ActionPolicy(Mode.APPROVE, 3 * 3600)})
    assert site.answer("i-1").step is Step.APPLIED
    assert site.stream("i-1").containments.popitem()[1].expires_ms == NOW_MS + 3 * HOUR_MS


def test_a_further_verdict_extends_on_the_terms_of_its_own_rule() -> None:
    site = Rules(Mode.ENFORCE, Mode.ENFORCE)
    site.signal(True, "f", Telemetry.FLOW_LOGS)
    site.signal(True, "d", Telemetry.DNS_LOGS)
    assert (site.last.step, site.last.expires_ms) == (Step.VERIFIED, None)
    site.now_ms += HOUR_MS // 2
    assert site.signal(False, "a", Telemetry.API_CALLS).step is Step.EXTENDED
    assert site.last.expires_ms == site.now_ms + 2 * HOUR_MS
    # The rule with the shorter time lets nothing end sooner.
    assert site.signal(True, "a2", Telemetry.API_CALLS).step is Step.NOOP


@pytest.mark.parametrize(("mode", "heard"), [(Mode.OBSERVE, False), (Mode.APPROVE, True)])
def test_a_rule_that_does_not_enforce_extends_nothing(mode: Mode, heard: bool) -> None:
    """Nor does one that only observes settle what another one would begin: it could not have begun it."""
    site = Rules(Mode.ENFORCE, mode)
    site.signal(True, "f", Telemetry.FLOW_LOGS)
    site.signal(True, "d", Telemetry.DNS_LOGS)
    site.now_ms += HOUR_MS // 2
    noted = site.signal(False, "a", Telemetry.API_CALLS)
    assert noted.step is Step.NOOP
    assert noted.detail["reason"].endswith(f"and not extended: rule unsure is in mode {mode}")
    site.change(time_to_live_s=60)
    site.policy = replace(site.policy, rules=(site.policy.rules[0], replace(site.policy.rules[1], time_to_live_s=60)))
    little = site.signal(False, "a2", Telemetry.API_CALLS)
    assert (little.step, HEARD_MS in little.detail) == (Step.NOOP, heard)


def waiting_for_another(site: Rules) -> None:
    """A sure verdict waits for a second signal of one kind; meanwhile another kind decides an unsure one."""
    site.policy = replace(
        site.policy, rules=(replace(site.policy.rules[0], corroborate=frozenset({Telemetry.API_CALLS})), site.policy.rules[1])
    )
    assert site.signal(True, "waits", Telemetry.FLOW_LOGS).awaits_corroboration
    site.signal(False, "d", Telemetry.DNS_LOGS)


def test_what_one_rule_observed_does_not_hold_up_another_that_contains() -> None:
    site = Rules(Mode.ENFORCE, Mode.OBSERVE)
    waiting_for_another(site)
    assert site.last.step is Step.OBSERVED
    site.signal(False, "second", Telemetry.API_CALLS)
    assert site.stream("i-1").decided["waits"].step is Step.APPLIED


def test_what_one_rule_asks_about_does_not_hold_up_another_that_contains() -> None:
    site = Rules(Mode.ENFORCE, Mode.APPROVE)
    waiting_for_another(site)
    assert site.last.step is Step.PROPOSED
    site.signal(False, "second", Telemetry.API_CALLS)
    assert site.stream("i-1").decided["waits"].step is Step.APPLIED
    assert site.answer("i-1").step is Step.NOOP


def test_what_holds_up_one_that_contains_does_not_keep_another_from_asking() -> None:
    site = Rules(Mode.ENFORCE, Mode.APPROVE)
    narrow = frozenset({Telemetry.API_CALLS})
    site.policy = replace(site.policy, rules=tuple(replace(each, corroborate=narrow) for each in site.policy.rules))
    site.signal(True, "enforced", Telemetry.FLOW_LOGS)
    site.signal(False, "asked", Telemetry.FLOW_LOGS)
    turn(site.journal, armed=False, by="me", reason="drill", now_ms=NOW_MS)
    site.respond(replace(site.said(True, "second", Telemetry.API_CALLS), probability=0.0, related=()))
    decided = site.stream("i-1").decided
    assert (decided["enforced"].step, decided["asked"].step) == (Step.REFUSED, Step.PROPOSED)
    assert "disarmed by me" in decided["enforced"].detail["reason"]
