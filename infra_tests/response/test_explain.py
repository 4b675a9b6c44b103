"""What would happen, and that it is what happens."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from infra_tests.response.world import ACCOUNT, HOUR_MS, NOW_MS, Site, verdict
from response.actions import Mode, Plan
from response.explain import Explanation, Known, asked_about, explain
from response.journal import Step
from response.policy import NeverTouch, Policy, Rule
from response.switch import turn
from shared_model.events import EntityKind, Telemetry

FLOWS = verdict("i-1", "v", Telemetry.FLOW_LOGS)
RULE = Rule("isolate-machine", "isolate", EntityKind.INSTANCE)


def explained(site: Site, now_ms: int = NOW_MS) -> list[Explanation]:
    return list(explain(FLOWS, policy=site.policy, now_ms=now_ms))


def test_every_condition_that_fails_is_named() -> None:
    site = Site()
    site.policy = replace(site.policy, rules=(replace(RULE, min_probability=1.0, techniques=("T1110",)),))
    (each,) = explained(site)
    assert not each.applies
    assert len(each.why) == 2


def test_the_rule_that_stands_before_is_named() -> None:
    site = Site()
    site.policy = replace(site.policy, rules=(RULE, replace(RULE, name="second")))
    first, second = explained(site)
    assert (first.applies, second.applies) == (True, False)
    assert second.why == ("rule isolate-machine decides about isolate before it",)


def test_what_is_never_touched_ends_it() -> None:
    (each,) = explained(Site(instances=("i-1",)))
    assert each.why == ("refused: i-1 is on the policy's never-touch list (i-1)",)


def test_an_old_verdict_is_only_told_of() -> None:
    (each,) = explained(Site(), NOW_MS + 2 * HOUR_MS)
    assert any("2:00:00 old" in line for line in each.why)


def test_with_a_plan_its_tags_are_judged() -> None:
    site = Site()
    site.policy = replace(site.policy, rules=(replace(RULE, tags={"env": "prod"}),), never_touch=NeverTouch(tags=("keep",)))
    plan = Plan("isolate", FLOWS.entity, {}, {"eni": "locked"}, (), "", tags={"env": "prod", "keep": ""})
    (each,) = explain(FLOWS, policy=site.policy, now_ms=NOW_MS, known=Known(plans={"isolate": plan}))
    assert each.why[-1].startswith("refused: i-1 carries the tag keep")
    (other,) = explain(FLOWS, policy=site.policy, now_ms=NOW_MS, known=Known(plans={"isolate": replace(plan, tags={})}))
    assert other.why == ("its tag env is absent, not prod",)


def test_the_master_switch_is_named() -> None:
    site = Site()
    switch = turn(site.journal, armed=False, by="alice", reason="drill", now_ms=NOW_MS)
    (each,) = explain(FLOWS, policy=site.policy, now_ms=NOW_MS, known=Known(switch=switch))
    assert each.why[-1].startswith("refused: disarmed by alice")


def test_what_a_person_is_asked_or_said_is_named_and_counts() -> None:
    site = Site(mode=Mode.APPROVE)
    site.contain("i-1")
    piece = verdict("i-1", "later", Telemetry.FLOW_LOGS)

    def said(policy: Policy = site.policy) -> tuple[str, ...]:
        stream = site.stream("i-1")
        asked = {stream.name: asked_about(stream, site.now_ms)}
        (each,) = explain(piece, policy=policy, now_ms=site.now_ms, known=Known(asked=asked))
        return each.why

    assert "asks a person until" in said()[0]
    site.answer("i-1", approves=False, reason="a scanner of ours")
    assert said()[0].startswith("alice denied ")
    assert "(a scanner of ours): what that covers is refused" in said()[0]
    assert site.respond(piece).decisions[0].step is Step.REFUSED
    observing = replace(site.policy, actions={"isolate": replace(site.policy.of("isolate"), mode=Mode.OBSERVE)})
    assert not any("alice" in line for line in said(observing)), "what only observes asks nobody"
    site.now_ms += 5 * HOUR_MS
    assert not any("alice" in line for line in said())


@settings(max_examples=100, deadline=None)
@given(
    mode=st.sampled_from(list(Mode)),
    alone=st.booleans(),
    age_ms=st.sampled_from([0, HOUR_MS, HOUR_MS + 1]),
    least=st.sampled_from([0.0, 1.0]),
    never=st.booleans(),
)
def test_what_is_said_of_one_signal_is_what_happens(mode: Mode, alone: bool, age_ms: int, least: float, never: bool) -> None:
    site = Site(mode=mode, instances=("i-1",) if never else ())
    site.policy = replace(site.policy, rules=(replace(RULE, alone=alone, min_probability=least),))
    signal = replace(FLOWS, time_ms=site.now_ms - age_ms)
    (said,) = explain(signal, policy=site.policy, now_ms=site.now_ms)
    decisions = site.respond(signal).decisions
    assert said.applies is bool(decisions)
    if decisions:
        refused = any(line.startswith(("refused", "corroboration: refused")) for line in said.why)
        ends = {Mode.OBSERVE: Step.OBSERVED, Mode.APPROVE: Step.PROPOSED, Mode.ENFORCE: Step.APPLIED}
        assert decisions[0].step is (Step.REFUSED if refused else ends[mode])
        assert decisions[0].target.account == ACCOUNT
