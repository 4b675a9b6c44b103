"""What a rule asks of a verdict, of its resource and of the clock; and what must corroborate it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_tests.response.world import ACCOUNT, HOUR_MS, Killed, Site, verdict
from response.actions import Plan
from response.hours import parse_hours
from response.journal import Step
from response.policy import PolicyError, Rule, parse_policy
from response.rules import PrincipalKind
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

OPEN = {"eni-a": "open", "eni-b": "web"}
FLOWS = verdict("i-1", "v", Telemetry.FLOW_LOGS)
RULE = Rule("isolate-machine", "isolate", EntityKind.INSTANCE)


def plan(**changes: Any) -> Plan:
    return replace(Plan("isolate", FLOWS.entity, {}, {"eni": "locked"}, (), ""), **changes)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def rule_from(**changes: Any) -> Rule:
    document = {"name": "r", "action": "isolate", "target": "instance"} | changes
    return parse_policy(json.dumps({"version": 1, "rules": [document]})).rules[0]


def with_rules(*rules: Rule) -> Site:
    site = Site()
    site.policy = replace(site.policy, rules=rules)
    return site


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (replace(RULE, target=EntityKind.SESSION), "names no session"),
        (replace(RULE, min_probability=0.995), "probability 0.99 is below"),
        (replace(RULE, detectors=frozenset({"audit"})), "network is not audit"),
        (replace(RULE, telemetry=frozenset({Telemetry.API_CALLS})), "flow_logs is not api_calls"),
        (replace(RULE, entities=frozenset({EntityKind.SESSION})), "about instance, not session"),
        (replace(RULE, techniques=("T1110",)), "T1046 is not T1110"),
        (replace(RULE, accounts=frozenset({"210987654321"})), f"{ACCOUNT} is not 210987654321"),
    ],
)
def test_what_does_not_hold_is_said(rule: Rule, why: str) -> None:
    (miss,) = rule.misses(FLOWS)
    assert why in miss
    assert not rule.matches(FLOWS)


ALICE = Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:user/ops/alice", ACCOUNT)
WEB = Entity(EntityKind.PRINCIPAL, f"arn:aws-us-gov:iam::{ACCOUNT}:role/user/web", ACCOUNT)


@pytest.mark.parametrize(
    ("kinds", "principals", "picked"),
    [
        ([], (ALICE, WEB), ALICE),
        (["role"], (ALICE, WEB), WEB),
        (["user", "role"], (WEB, ALICE), WEB),
        (["user"], (WEB,), None),
        (
            ["user"],
            (replace(WEB, id="00000000-0000-4000-8000-00000000a11c"), replace(WEB, id=f"arn:aws:iam::{ACCOUNT}:root")),
            None,
        ),
    ],
)
def test_a_rule_for_users_or_roles_acts_on_the_first_such(
    kinds: list[str], principals: tuple[Entity, ...], picked: Entity | None
) -> None:
    rule = rule_from(target="principal", when={"principals": kinds})
    about = replace(FLOWS, related=principals)
    assert rule.pick(about) == picked
    assert rule.matches(about) is (picked is not None)
    assert picked or next(rule.misses(about)) == "it names no principal (user) to act on"


@pytest.mark.parametrize(
    ("severity", "probability", "matches"),
    [("low", 0.0, True), ("medium", 0.39, False), ("medium", 0.4, True), ("high", 0.69, False), ("critical", 0.9, True)],
)
def test_severities_begin_where_the_records_say(severity: str, probability: float, matches: bool) -> None:
    rule = rule_from(when={"min_severity": severity})
    assert rule.matches(replace(FLOWS, probability=probability)) is matches


def test_of_severity_and_probability_the_stricter_counts() -> None:
    assert rule_from(when={"min_severity": "high", "min_probability": 0.8}).min_probability == 0.8
    assert rule_from(when={"min_severity": "high", "min_probability": 0.1}).min_probability == 0.7


@pytest.mark.parametrize(
    ("tags", "fits"),
    [({"Env": "prod-eu"}, True), ({"env": "prod"}, True), ({"env": "dev"}, False), ({}, False), (None, False)],
)
def test_a_tag_is_found_in_any_case_and_its_value_is_a_pattern(tags: dict[str, str] | None, fits: bool) -> None:
    assert replace(RULE, tags={"env": "prod*"}).fits(plan(tags=tags), 0) is fits


@pytest.mark.parametrize(("region", "fits"), [("eu-central-1", True), ("us-east-1", False), ("", False)])
def test_a_region_that_is_not_known_does_not_match(region: str, fits: bool) -> None:
    assert replace(RULE, regions=frozenset({"eu-central-1"})).fits(plan(region=region), 0) is fits


@pytest.mark.parametrize(
    ("hours", "moment", "hold"),
    [
        ("mon-fri 08:00-18:00", "2026-01-05T08:00", True),  # a Monday
        ("mon-fri 08:00-18:00", "2026-01-05T18:00", False),
        ("mon-fri 08:00-18:00", "2026-01-04T12:00", False),
        ("mon-fri 08:00-18:00 Europe/Berlin", "2026-01-05T07:00", True),  # winter: an hour ahead
        ("mon-fri 08:00-18:00 Europe/Berlin", "2026-07-06T06:00", True),  # summer: two
        ("mon-fri 08:00-18:00 Europe/Berlin", "2026-07-06T16:00", False),
        ("22:00-06:00", "2026-01-05T05:59", True),
        ("22:00-06:00", "2026-01-05T06:00", False),
        ("fri 22:00-06:00", "2026-01-10T03:00", True),  # Saturday, in Friday's night
        ("fri 22:00-06:00", "2026-01-09T03:00", False),
        ("sat,sun 00:00-24:00", "2026-01-04T23:59", True),
        ("sat-mon 00:00-24:00", "2026-01-06T00:00", False),
    ],
)
def test_hours_are_those_of_the_wall_clock(hours: str, moment: str, hold: bool) -> None:
    assert parse_hours(hours).hold(at(moment)) is hold


@pytest.mark.parametrize(
    "wrong", ["8-18", "mon-fri", "25:00-26:00", "24:00-01:00", "00:00-24:01", "mon-tue-wed 08:00-09:00", "08:00-09:00 Mars/Base"]
)
def test_hours_that_nobody_can_read_are_refused_with_their_place(wrong: str) -> None:
    with pytest.raises(PolicyError, match=r"rules\.0\.when\.hours\.0: "):
        rule_from(when={"hours": [wrong]})


def test_the_first_rule_whose_resource_fits_decides() -> None:
    site = with_rules(replace(RULE, name="prod", tags={"env": "prod"}, telemetry=frozenset({Telemetry.DNS_LOGS})), RULE)
    site.action.tags = {"Env": "prod"}
    assert [decision.rule for decision in site.contain("i-1").decisions][:1] == ["prod"]
    site.action.tags = {"Env": "dev"}
    assert [decision.rule for decision in site.contain("i-2").decisions][:1] == ["isolate-machine"]


def test_outside_its_hours_a_rule_contains_nothing() -> None:
    now = datetime.fromtimestamp(Site().now_ms / 1000, UTC)
    site = with_rules(replace(RULE, hours=(parse_hours(f"{now:%H}:00-{now:%H}:59"),)))
    site.now_ms += HOUR_MS
    assert site.contain("i-1").decisions == ()
    assert site.world["i-1"] == OPEN


@pytest.mark.parametrize("then", ["the clock", "the tag"])
def test_what_was_begun_under_a_rule_is_finished_under_it(then: str) -> None:
    now = datetime.fromtimestamp(Site().now_ms / 1000, UTC)
    site = with_rules(replace(RULE, hours=(parse_hours(f"{now:%H}:00-{now:%H}:59"),), tags={"env": "prod"}))
    site.action.tags, site.action.kill_after = {"env": "prod"}, 1
    with pytest.raises(Killed):
        site.contain("i-1")
    site.action.kill_after = None
    if then == "the clock":
        site.now_ms += HOUR_MS
    else:
        site.action.tags = {}
    site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS))
    assert set(site.world["i-1"].values()) == {"locked"}


def test_delivered_again_in_other_hours_nothing_is_decided_anew() -> None:
    now = datetime.fromtimestamp(Site().now_ms / 1000, UTC)
    first = replace(RULE, name="day", hours=(parse_hours(f"{now:%H}:00-{now:%H}:59"),))
    site = with_rules(first, replace(RULE, name="night"))
    site.contain("i-1")
    steps = site.steps("i-1")
    site.now_ms += HOUR_MS // 2
    site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS))
    assert site.steps("i-1") == steps


def test_only_the_telemetry_that_a_rule_names_corroborates_it() -> None:
    site = with_rules(replace(RULE, corroborate=frozenset({Telemetry.RUNTIME})))
    outcome = site.contain("i-1")
    assert outcome.decisions[0].step is Step.REFUSED
    assert "drawn from runtime" in outcome.decisions[0].reason
    assert site.world["i-1"] == OPEN
    site.respond(verdict("i-1", "third", Telemetry.RUNTIME))
    assert set(site.world["i-1"].values()) == {"locked"}


def test_one_signal_is_enough_where_the_operator_says_so_in_so_many_words() -> None:
    site = with_rules(rule_from(alone=True))
    assert site.respond(FLOWS).decisions[0].step is Step.APPLIED


def test_alone_an_old_signal_is_not_enough() -> None:
    site = with_rules(rule_from(alone=True))
    assert site.respond(replace(FLOWS, time_ms=site.now_ms - HOUR_MS - 1)).decisions[0].step is Step.REFUSED
    assert site.world["i-1"] == OPEN


_KINDS = st.frozensets(st.sampled_from(PrincipalKind))
_RULES = st.builds(
    Rule,
    name=st.just("r"),
    action=st.sampled_from(["isolate", "revoke"]),
    target=st.sampled_from([EntityKind.INSTANCE, EntityKind.PRINCIPAL]),
    detectors=st.frozensets(st.sampled_from(["network", "audit"])),
    techniques=st.lists(st.sampled_from(["T1046", "T1110", "T1110.001"]), max_size=2).map(tuple),
    telemetry=st.frozensets(st.sampled_from([Telemetry.FLOW_LOGS, Telemetry.API_CALLS])),
    principals=_KINDS,
    min_probability=st.sampled_from([0.0, 0.5, 0.9]),
    accounts=st.frozensets(st.sampled_from([ACCOUNT, "210987654321"])),
    hours=st.sampled_from([(), (parse_hours("22:00-06:00"),)]),
)
_VERDICTS = st.builds(
    lambda **changes: verdict("i-1", "v", changes.pop("telemetry"), **changes),
    telemetry=st.sampled_from([Telemetry.FLOW_LOGS, Telemetry.API_CALLS]),
    detector=st.sampled_from(["network", "audit"]),
    technique=st.sampled_from(["T1046", "T1110", "T1110.001"]),
    probability=st.sampled_from([0.3, 0.7, 0.95]),
    related=st.lists(st.sampled_from([ALICE, WEB, replace(WEB, account="210987654321")]), max_size=2).map(tuple),
)


@given(earlier=_RULES, later=_RULES, about=_VERDICTS)
def test_what_leaves_nothing_to_a_later_rule_matches_whatever_that_one_matches(
    earlier: Rule, later: Rule, about: Verdict
) -> None:
    if earlier.leaves_nothing_to(later):
        assert earlier.matches(about) or not later.matches(about)
        assert (earlier.action, earlier.looks) == (later.action, False)


@pytest.mark.parametrize(
    ("earlier", "later", "nothing"),
    [
        ({}, {"detectors": frozenset({"audit"}), "min_probability": 0.9}, True),
        ({"techniques": ("T1110",)}, {"techniques": ("T1110.001",)}, True),
        ({"techniques": ("T1110",)}, {"techniques": ("T1110.001", "T1046")}, False),
        ({"techniques": ("T1110",)}, {}, False),
        ({"min_probability": 0.9}, {}, False),
        ({"hours": (parse_hours("22:00-06:00"),)}, {}, False),
        ({}, {"hours": (parse_hours("22:00-06:00"),)}, True),
        ({"target": EntityKind.SESSION}, {}, False),
    ],
)
def test_a_rule_leaves_nothing_to_a_narrower_one_behind_it(earlier: dict[str, Any], later: dict[str, Any], nothing: bool) -> None:
    assert replace(RULE, **earlier).leaves_nothing_to(replace(RULE, **later)) is nothing


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"alone": "yes"}, "rules.0.alone"),
        ({"alone": True, "corroborate": ["runtime"]}, "rules.0"),
        ({"corroborate": ["rumour"]}, "rules.0.corroborate.0"),
        ({"when": {"min_severity": "severe"}}, "rules.0.when.min_severity"),
        ({"when": {"accounts": ["mine"]}}, "rules.0.when.accounts.0"),
        ({"target": "principal", "when": {"principals": ["robot"]}}, "rules.0.when.principals.0"),
        ({"when": {"principals": ["role"]}}, "rules.0"),
    ],
)
def test_a_mistake_names_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(PolicyError, match=f"(?m)(^|: ){place}: "):
        rule_from(**changes)
