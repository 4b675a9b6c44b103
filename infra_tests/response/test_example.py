"""The example policy does what its comments say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra_tests.response.world import ACCOUNT, verdict
from lambdas.actions.catalogue import CONFIGURED, KNOWN
from response.actions import Mode, Plan
from response.explain import Explanation, Known, explain
from response.policy import Policy, Rule, Terms, load_policy
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

FOLDER = Path(__file__).parents[2] / "policy"
MACHINE = verdict("i-0a", "v", Telemetry.FLOW_LOGS)
SESSION = Entity(EntityKind.SESSION, "AROAEXAMPLEEXAMPLE12:i-0a", ACCOUNT)
NOON, NIGHT = datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 1, 5, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(FOLDER / "example-enforcing.yaml")


def deciding(policy: Policy, about: Verdict, when: datetime, **tags: str) -> Explanation | None:
    now_ms = int(when.timestamp() * 1000)
    plan = Plan("quarantine_instance", about.entity, {}, {"eni": "quarantine"}, (), "", tags=tags)
    said = explain(replace(about, time_ms=now_ms), policy=policy, now_ms=now_ms, known=Known(plans={plan.action: plan}))
    return next((each for each in said if each.applies), None)


def held(policy: Policy) -> Iterator[tuple[Rule, Terms]]:
    """Rules and their terms."""
    return ((rule, policy.terms(rule)) for rule in policy.rules)


def test_it_has_no_mistake_and_fits_the_actions(policy: Policy) -> None:
    assert load_policy(FOLDER / "example-enforcing.yaml", KNOWN) == policy
    configured = {action.name for action in CONFIGURED}
    modes = {(rule.action, policy.terms(rule).mode) for rule in policy.rules}
    assert {name for name, mode in modes if mode is Mode.ENFORCE} == {"quarantine_instance", "revoke_sessions"}
    assert {mode for name, mode in modes if name in configured - {"quarantine_instance"}} == {Mode.APPROVE}
    assert all((rule.mode, rule.time_to_live_s) == (each.mode, each.time_to_live_s) for rule, each in held(policy))


def test_only_it_enforces() -> None:
    shipped = [load_policy(file) for file in FOLDER.glob("*.yaml") if file.name != "example-enforcing.yaml"]
    assert len(shipped) == 2
    assert {each.terms(rule).mode for each in shipped for rule in each.rules} == {Mode.OBSERVE}
    assert not any(rule.alone for each in shipped for rule in each.rules)


def test_by_day_only_what_its_owners_gave_free_is_quarantined_without_asking(policy: Policy) -> None:
    asked = deciding(policy, MACHINE, NOON)
    assert asked is not None
    assert asked.terms == "approve for 24h, then ask"
    found = deciding(policy, MACHINE, NOON, isolation="allowed")
    assert found is not None
    assert found.rule == "quarantine-disposable"
    assert found.terms == "enforce for 24h, then ask"


def test_at_night_whatever_two_kinds_of_signals_agree_on_is(policy: Policy) -> None:
    found = deciding(policy, MACHINE, NIGHT)
    assert found is not None
    assert found.rule == "quarantine-at-night"
    assert found.terms == "enforce for 12h, then ask"
    assert any("a second signal from api_calls or runtime" in line for line in found.why)


def test_a_tag_protects_at_any_hour_and_in_any_case(policy: Policy) -> None:
    found = deciding(policy, MACHINE, NIGHT, PCI="")
    assert found is not None
    assert found.why[-1].startswith("refused: i-0a carries the tag PCI")


def test_one_finding_of_stolen_credentials_is_enough_and_nothing_else_is(policy: Policy) -> None:
    stolen = replace(MACHINE, entity=SESSION, detector="guardduty", technique="T1552.005", telemetry=Telemetry.API_CALLS)
    found = deciding(policy, stolen, NOON)
    assert found is not None
    assert any("alone: true" in line for line in found.why)
    other = deciding(policy, replace(stolen, detector="audit"), NOON)
    assert other is not None
    assert other.rule == "revoke-session"
    assert any("corroboration: refused until" in line for line in other.why)
