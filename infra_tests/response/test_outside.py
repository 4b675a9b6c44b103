"""A watch list and canaries: a verdict whose own events show one has its second signal, and no other verdict has."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.response.world import ACCOUNT, NOW_MS, Site, verdict
from response.explain import explain
from response.journal import Step
from response.policy import PolicyError, Rule, parse_policy
from shared_model.events import Entity, EntityKind, Telemetry

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:canary-AbCdEf"
LISTS = {"watch_list": ("198.51.100.0/24", "2001:db8:42::/48"), "canaries": (KEY, "arn:aws:secretsmanager:*:secret:canary-*")}


def site(**changes: Any) -> Site:
    made = Site()
    made.policy = replace(made.policy, **{**LISTS, **changes})
    return made


def step(made: Site, telemetry: Telemetry = Telemetry.API_CALLS, **fields: Any) -> Step:
    return made.respond(verdict("i-1", "v", telemetry, **fields)).decisions[0].step


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ("198.51.100.7", "watch_list: 198.51.100.7 (198.51.100.0/24)"),
        ("2001:0db8:42::1", "watch_list: 2001:0db8:42::1 (2001:db8:42::/48)"),
        ("::ffff:198.51.100.7", "watch_list: ::ffff:198.51.100.7 (198.51.100.0/24)"),
        (KEY, f"canary: {KEY} ({KEY})"),
        (SECRET, f"canary: {SECRET} (arn:aws:secretsmanager:*:secret:canary-*)"),
    ],
)
def test_what_its_events_show_is_the_second_signal_and_the_journal_says_which(shown: str, why: str) -> None:
    made = site()
    assert step(made, seen=("203.0.113.9", shown)) is Step.APPLIED
    (applying,) = [entry for entry in made.stream("i-1").entries if entry.step is Step.APPLYING]
    assert applying.detail["corroborated_by"] == why
    assert any("the policy from" in notice.text for notice in made.notices)


@pytest.mark.parametrize("shown", ["203.0.113.9", "AKIAIOSFODNN7EXAMPLF", "secret:canary-AbCdEf", "not an address"])
def test_what_is_on_no_list_is_none(shown: str) -> None:
    assert step(site(), seen=(shown,)) is Step.REFUSED


def test_a_name_of_what_it_is_about_counts_too() -> None:
    assert step(site(), related=(Entity(EntityKind.ACCESS_KEY, KEY, ACCOUNT),)) is Step.APPLIED


@pytest.mark.parametrize(("completed", "expected"), [(False, Step.REFUSED), (True, Step.APPLIED)])
def test_an_address_that_may_be_spoofed_is_none(completed: bool, expected: Step) -> None:
    watched = Entity(EntityKind.ADDRESS, "198.51.100.7", ACCOUNT)
    assert step(site(), Telemetry.FLOW_LOGS, related=(watched,), completed_flow=completed) is expected


def test_it_lends_nothing_to_another_verdict_about_the_same() -> None:
    made = site()
    made.respond(
        verdict("i-2", "shows", Telemetry.API_CALLS, seen=(KEY,), related=(Entity(EntityKind.INSTANCE, "i-1", ACCOUNT),))
    )
    assert step(made, Telemetry.API_CALLS) is Step.REFUSED
    assert made.world["i-1"]["eni-a"] == "open"


def test_an_old_verdict_is_not_younger_by_it() -> None:
    made = site()
    assert step(made, seen=(KEY,), time_ms=NOW_MS - made.policy.fresh_ms - 1) is Step.REFUSED


@pytest.mark.parametrize(
    ("takes", "expected"),
    [(Telemetry.RUNTIME, Step.REFUSED), (Telemetry.WATCH_LIST, Step.REFUSED), (Telemetry.CANARY, Step.APPLIED)],
)
def test_a_rule_that_says_what_must_corroborate_says_whether_a_canary_may(takes: Telemetry, expected: Step) -> None:
    made = site()
    rule = Rule("isolate-machine", "isolate", EntityKind.INSTANCE, corroborate=frozenset({takes}))
    made.policy = replace(made.policy, rules=(rule,))
    assert step(made, seen=(KEY,)) is expected


def test_the_explanation_names_the_entry_of_the_list() -> None:
    found = verdict("i-1", "v", Telemetry.API_CALLS, seen=("198.51.100.7",))
    (each,) = explain(found, policy=site().policy, now_ms=NOW_MS)
    assert any("watch_list: 198.51.100.7 (198.51.100.0/24)" in line for line in each.why)
    (without,) = explain(replace(found, seen=()), policy=site().policy, now_ms=NOW_MS)
    assert any("refused until a second signal" in line for line in without.why)


def test_the_lists_of_the_file_are_those_of_the_policy() -> None:
    listed = {"watch_list": ["198.51.100.7"], "canaries": [KEY, "/subscriptions/1/resourceGroups/Core/x"]}
    policy = parse_policy(json.dumps({"version": 1, "corroboration": listed}))
    assert policy.watch_list == ("198.51.100.7/32",)
    assert policy.canaries == (KEY, "/subscriptions/1/resourcegroups/core/x")


@pytest.mark.parametrize(
    ("key", "entry", "what"),
    [
        ("watch_list", "0.0.0.0/0", "too much of the internet"),
        ("watch_list", "2000::/3", "too much of the internet"),
        ("watch_list", "office", "give an address or a block"),
        ("canaries", "AKIA*", "that only the canary has"),
        ("canaries", "*", "that only the canary has"),
        ("canaries", "arn:aws:iam::123456789012:role/*", "behind its last / or :"),
        ("canaries", "arn:*:iam::*:user/*", "behind its last / or :"),
        ("canaries", "arn:aws:iam::*:root", "behind its last / or :"),
        ("canaries", "arn:*:s3:::*", "behind its last / or :"),
        ("canaries", "/subscriptions/*/resourcegroups/*", "behind its last / or :"),
        ("canaries", "*@contoso.example", "behind its last / or :"),
        ("canaries", "*[!z][!z][!z][!z]", "stands for any letter"),
        ("canaries", "akiaiosfodnn7example", "write AKIAIOSFODNN7EXAMPLE"),
        ("canaries", "Akia*example", r"write AKIA\*EXAMPLE"),
    ],
)
def test_an_entry_that_every_verdict_would_show_is_refused(key: str, entry: str, what: str) -> None:
    with pytest.raises(PolicyError, match=rf"corroboration\.{key}\.0: .*{what}"):
        parse_policy(json.dumps({"version": 1, "corroboration": {key: [entry]}}))


def test_a_function_goes_on_without_a_canary_that_an_older_version_took_and_says_so() -> None:
    text = json.dumps({"version": 1, "corroboration": {"canaries": ["arn:*:iam::*:role/*", KEY]}})
    said: list[str] = []
    assert parse_policy(text, warn=said.append).canaries == (KEY,)
    assert len(said) == 1
    assert said[0].startswith("policy:1: corroboration.canaries.0: counts for nothing: give an access key id")


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        (f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:root"),
        (f"arn:aws:iam::{ACCOUNT}:role/bait", f"arn:aws:iam::{ACCOUNT}:role/bait"),
        ("arn:aws:s3:::bait", "arn:aws:s3:::bait"),
        (
            "arn:aws:secretsmanager:*:*:secret:canary-db-*",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:canary-db-AbCdEf",
        ),
        ("AKIAIOSFODNN*", KEY),
        ("ASIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"),
        ("asiaiosfodnn7example", "ASIAIOSFODNN7EXAMPLE"),
    ],
)
def test_a_canary_that_is_one_thing_is_found(entry: str, shown: str) -> None:
    policy = parse_policy(json.dumps({"version": 1, "corroboration": {"canaries": [entry]}}))
    assert step(site(canaries=policy.canaries), seen=(shown,)) is Step.APPLIED


def test_no_rule_is_about_verdicts_drawn_from_a_list() -> None:
    rule = {"name": "a", "action": "b", "target": "host", "when": {"telemetry": ["canary"]}}
    with pytest.raises(PolicyError, match="can only corroborate"):
        parse_policy(json.dumps({"version": 1, "rules": [rule]}))
