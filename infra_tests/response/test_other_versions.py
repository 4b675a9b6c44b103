"""What another version wrote: during an update, and of proposals that were open before it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from infra_tests.response.world import ACCOUNT, NOW_MS, verdict
from response.actions import Plan
from response.proposals import digest
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Evidence, Verdict

PLAN = Plan(
    "isolate",
    Entity(EntityKind.INSTANCE, "i-1", ACCOUNT),
    {"eni-1": ["sg-1"]},
    {"eni-1": ["sg-q"]},
    ("eni-1",),
    "isolate i-1",
    tags={"team": "shop"},
    resources=("i-1", "eni-1"),
    kind="instances",
    population=7,
)
VERDICT = verdict("i-1", "v", Telemetry.API_CALLS, evidence=(Evidence("e", NOW_MS, 0.5, "scans"),), seen=("198.51.100.7",))


def test_a_verdict_with_fields_of_a_later_version_is_read_without_them() -> None:
    later = json.loads(VERDICT.to_json()) | {"tenant": "t"}
    later["evidence"] = [item | {"source": "s"} for item in later["evidence"]]
    later["entity"] |= {"region": "r"}
    assert Verdict.from_json(json.dumps(later)) == VERDICT


def test_a_plan_with_fields_of_a_later_version_is_read_without_them() -> None:
    assert Plan.from_json_value(PLAN.to_json_value() | {"cost": 3}) == PLAN


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        (replace(PLAN, kind=""), "55d2ca7eda9edc1b"),
        (replace(PLAN, kind="", tags=None, resources=(), population=0), "63c74ec391331fd4"),
    ],
)
def test_an_answer_to_what_was_proposed_before_an_update_still_names_its_plan(plan: Plan, named: str) -> None:
    """The digests are those of the version before ``kind`` and ``counted`` were added."""
    before = without(without(plan.to_json_value(), "kind"), "counted")
    assert digest(Plan.from_json_value(before)) == named


def test_a_field_that_is_added_names_another_plan_only_where_it_says_something() -> None:
    @dataclass(frozen=True, slots=True)
    class Later(Plan):
        cost: int = 0

    written = {each.name: getattr(PLAN, each.name) for each in fields(PLAN)}
    assert digest(Later(**written)) == digest(PLAN)
    assert digest(Later(**written, cost=3)) != digest(PLAN)
    assert digest(replace(PLAN, kind="roles")) != digest(PLAN) != digest(replace(PLAN, counted="i-2"))


@pytest.mark.parametrize("name", ["id", "telemetry", "entity", "related", "time_ms", "evidence", "title"])
def test_a_verdict_that_lacks_what_it_must_have_is_none(name: str) -> None:
    lacking = without(json.loads(VERDICT.to_json()), name)
    with pytest.raises(ValueError, match=rf"not a verdict: .*{name}"):
        Verdict.from_json(json.dumps(lacking))


@pytest.mark.parametrize("name", ["action", "target", "before", "after", "touches", "summary"])
def test_a_plan_that_lacks_what_it_must_have_is_none(name: str) -> None:
    with pytest.raises(ValueError, match=rf"not a plan: .*{name}"):
        Plan.from_json_value(without(PLAN.to_json_value(), name))


def without(data: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}
