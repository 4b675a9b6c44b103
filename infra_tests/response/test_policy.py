"""The operator's file: what it means, and what a mistake in it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from azure_functions.actions.catalogue import KNOWN as AZURE
from infra_tests.response.world import verdict
from lambdas.actions.catalogue import KNOWN
from lambdas.adapters.senders import SPEAKS
from response.actions import Mode
from response.policy import AtEnd, PolicyError, Rule, load_policy, parse_policy, policy_json
from shared_model.events import EntityKind, Telemetry
from shared_model.verdicts import DETECTORS

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "policy" / "default.yaml"


def test_the_default_policy_only_observes_and_fits_the_actions() -> None:
    policy = load_policy(DEFAULT, KNOWN)
    assert {policy.terms(rule).mode for rule in policy.rules} == {Mode.OBSERVE}
    assert policy.of("quarantine_instance").at_end is AtEnd.ASK
    assert {policy.terms(rule).time_to_live_s for rule in policy.rules if rule.action == "revoke_sessions"} == {12 * 3600}
    assert policy.window_ms == 3_600_000


def test_yaml_and_the_json_that_functions_read_say_the_same() -> None:
    assert parse_policy(policy_json(DEFAULT)) == load_policy(DEFAULT)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"version": 2}, "version"),
        ({"version": True}, "version"),
        ({"budget": {"containments_per_hour": True}}, "budget.containments_per_hour"),
        ({"budget": {"percent_at_once": False}}, "budget.percent_at_once"),
        ({"rulez": []}, "rulez"),
        ({"budget": {"containments_per_hour": -1}}, "budget.containments_per_hour"),
        ({"corroboration": {"window": "soon"}}, "corroboration.window"),
        ({"actions": {"revoke_sessions": {"mode": "arm"}}}, "actions.revoke_sessions.mode"),
        ({"rules": [{"name": "a", "action": "b", "target": "planet"}]}, "rules.0.target"),
        (
            {"rules": [{"name": "a", "action": "b", "target": "host", "when": {"techniques": ["scan"]}}]},
            "rules.0.when.techniques.0",
        ),
        ({"never_touch": {"principals": ["admin"]}}, "never_touch.principals.0"),
        ({"never_touch": {"addresses": ["203.0.113.7/24"]}}, "never_touch.addresses.0"),
        ({"never_touch": {"addresses": ["office"]}}, "never_touch.addresses.0"),
    ],
)
def test_a_mistake_names_its_place(change: dict[str, object], place: str) -> None:
    with pytest.raises(PolicyError, match=f"(?m)^policy:1: {place}: "):
        parse_policy(json.dumps({"version": 1} | change))


def test_a_share_of_a_day_is_named_what_it_is_now() -> None:
    with pytest.raises(PolicyError, match="write percent_at_once"):
        parse_policy(json.dumps({"version": 1, "budget": {"percent_a_day": 10}}))


@pytest.mark.parametrize("budget", [{"percent_a_day": 10}, {"percent_a_day": 40, "percent_at_once": 10}])
def test_a_function_takes_a_share_of_a_day_for_one_at_once_and_says_so(budget: dict[str, int]) -> None:
    said: list[str] = []
    assert parse_policy(json.dumps({"version": 1, "budget": budget}), KNOWN, warn=said.append).percent_at_once == 10
    assert said == ["policy:1: budget.percent_a_day: is taken as percent_at_once, which counts what is contained now: write that"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"actions": {"deactivate_access_keys": {"at_end": "undo"}}}, "actions.deactivate_access_keys.at_end"),
        ({"never_touch": {"principals": ["ada@contoso.example"]}}, "never_touch.principals.0"),
    ],
)
def test_what_is_safe_all_the_same_is_refused_by_the_operators_command_and_only_warned_of_in_a_function(
    change: dict[str, object], place: str
) -> None:
    said: list[str] = []
    text = json.dumps({"version": 1} | change)
    parse_policy(text, KNOWN, warn=said.append)
    assert [line.split(": ")[1] for line in said] == [place]
    with pytest.raises(PolicyError, match=place):
        parse_policy(text, KNOWN)


def test_a_function_still_refuses_what_is_a_mistake() -> None:
    text = json.dumps({"version": 1, "budget": {"percent_a_day": 0}, "actions": {"isolate": {}}})
    with pytest.raises(PolicyError, match="percent_at_once"):
        parse_policy(text, KNOWN, warn=lambda _: None)


def test_machines_and_groups_are_listed_by_id_or_by_pattern() -> None:
    listed = {"instances": ["i-0ab*", "/subscriptions/1/resourceGroups/Core/*"], "security_groups": ["sg-0?"]}
    never = parse_policy(json.dumps({"version": 1, "never_touch": listed})).never_touch
    assert never.instances == ("i-0ab*", "/subscriptions/1/resourcegroups/core/*")
    assert never.security_groups == ("sg-0?",)


@pytest.mark.parametrize(
    "pattern",
    [
        *("i-0ab*", "sg-0?", "sgr-0", "eni-0*", "subnet-0", "acl-0*", "snap-0*", "ami-0*", "AKIAIOSFODNN7EXAMPLE", "AKIA*"),
        *("arn:*:iam::*:role/*break-glass*", "arn:aws:iam::123456789012:user/ada", "arn:*:iam::210987654321:*"),
        *("arn:*:s3:::payroll-*", "arn:*:rds:*:*:cluster-snapshot:payroll-*", "arn:aws:lambda:eu-central-1:*:function:x*"),
        "arn:aws:wafv2:eu-central-1:123456789012:regional/ipset/a/*",
        *("/subscriptions/*/resourcegroups/core/*", "0a1b2c3d-*", "break-glass*@contoso.example"),
    ],
)
def test_any_resource_that_a_plan_can_name_is_listed_by_pattern(pattern: str) -> None:
    never = parse_policy(json.dumps({"version": 1, "never_touch": {"resources": [pattern]}})).never_touch
    assert never.resources == (pattern,)


@pytest.mark.parametrize(
    "pattern",
    [
        *("payroll", "*payroll*", "arn:aws:s3:::payroll/secret/*", "arn:aws:ec2:*:*:instance/i-0ab*", "arn:aws:iam::*:policy/x"),
        *("arn:aws:kms:*:*:key/*", "arn:aws:sns:*:*:alerts", "vpc-0ab", "vol-0ab", "arn:aws:iam::*:group/admins"),
    ],
)
def test_a_pattern_that_could_match_nothing_is_refused_with_what_fits(pattern: str) -> None:
    with pytest.raises(PolicyError, match=r"never_touch\.resources\.0: .*give one of i-0ab\*, "):
        parse_policy(json.dumps({"version": 1, "never_touch": {"resources": [pattern]}}))


def test_a_buckets_arn_is_one_in_all_partitions() -> None:
    listed = {"resources": ["arn:aws-us-gov:s3:::payroll"]}
    assert parse_policy(json.dumps({"version": 1, "never_touch": listed})).never_touch.resources == ("arn:*:s3:::payroll",)


@pytest.mark.parametrize(
    ("actions", "key", "pattern"),
    [
        (KNOWN, "instances", "/subscriptions/1/resourceGroups/Core/*"),
        (KNOWN, "principals", "ada@contoso.example"),
        (KNOWN, "resources", "0a1b2c3d-0000-4000-8000-000000000000"),
        (AZURE, "security_groups", "sg-0ab"),
        (AZURE, "principals", "arn:*:iam::*:role/*"),
        (AZURE, "resources", "arn:*:s3:::payroll-*"),
    ],
)
def test_a_pattern_of_what_this_cloud_does_not_have_is_refused(actions: Any, key: str, pattern: str) -> None:
    text = json.dumps({"version": 1, "never_touch": {key: [pattern]}})
    with pytest.raises(PolicyError, match=rf"never_touch\.{key}\.0: no action here touches"):
        parse_policy(text, actions)


def test_kinds_of_principals_are_words_for_patterns() -> None:
    never = parse_policy(
        json.dumps({"version": 1, "never_touch": {"principal_kinds": ["users", "root", "landing_zone"]}})
    ).never_touch
    assert "arn:*:iam::*:user/*" in never.principals
    assert "arn:*:iam::*:role/AWSControlTowerExecution" in never.principals


@pytest.mark.parametrize("name", ["break-glass*@contoso.example", "*@contoso.example", "Alice@Contoso.example"])
def test_a_principal_may_be_a_sign_in_name(name: str) -> None:
    never = parse_policy(json.dumps({"version": 1, "never_touch": {"principals": [name]}})).never_touch
    assert never.principals == (name.lower(),)


def test_two_rules_of_one_name_are_refused() -> None:
    rule = {"name": "same", "action": "isolate", "target": "host"}
    with pytest.raises(PolicyError, match="same"):
        parse_policy(json.dumps({"version": 1, "rules": [rule, rule]}))


@pytest.mark.parametrize("broken", ["", "[]", "{", "\x00", "[" * 100_000, '{"version": 1} x'])
def test_what_is_no_policy_is_refused(broken: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(broken)


def test_a_broken_yaml_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("rules: [", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"mine\.yaml:1: not YAML"):
        load_policy(file)


def test_a_rule_whose_action_cannot_act_on_its_target_is_refused() -> None:
    text = json.dumps({"version": 1, "rules": [{"name": "a", "action": "quarantine_instance", "target": "session"}]})
    with pytest.raises(PolicyError, match="acts on instance, not on session"):
        parse_policy(text, KNOWN)


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (Rule("r", "a", EntityKind.INSTANCE), True),
        (Rule("r", "a", EntityKind.INSTANCE, min_probability=0.995), False),
        (Rule("r", "a", EntityKind.INSTANCE, techniques=("T1046",)), True),
        (Rule("r", "a", EntityKind.INSTANCE, techniques=("T104",)), False),
        (Rule("r", "a", EntityKind.INSTANCE, telemetry=frozenset({Telemetry.DNS_LOGS})), False),
        (Rule("r", "a", EntityKind.INSTANCE, detectors=frozenset({"audit"})), False),
        (Rule("r", "a", EntityKind.INSTANCE, entities=frozenset({EntityKind.SESSION})), False),
    ],
)
def test_every_condition_of_a_rule_must_hold(rule: Rule, matches: bool) -> None:
    assert rule.matches(verdict("i-1", "v", Telemetry.FLOW_LOGS)) is matches


def test_a_technique_covers_its_sub_techniques() -> None:
    rule = Rule("r", "a", EntityKind.INSTANCE, techniques=("T1110",))
    assert rule.matches(verdict("i-1", "v", Telemetry.FLOW_LOGS, technique="T1110.001"))


def test_every_detector_that_verdicts_are_in_the_name_of_is_known_to_the_policy() -> None:
    shipped = {folder.name for folder in (ROOT / "model_artifacts").iterdir() if folder.is_dir()}
    assert shipped | {detector for spoken in SPEAKS.values() for detector in spoken} <= {*DETECTORS}
