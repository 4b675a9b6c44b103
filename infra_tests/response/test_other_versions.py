"""What another version wrote: during an update, and of proposals that were open before it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from infra_tests.response.world import ACCOUNT, NOW_MS, verdict
from response.actions import Plan
from response.containment import fold, stream_name
from response.journal import JournalEntry, Step
from response.proposals import digest
from response.remediation import of_entry
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


@pytest.mark.parametrize("added", [{}, {"tenant": "t"}, {"tenant": "t", "weight": 3}])
def test_an_entry_of_a_later_version_keeps_its_digest_and_what_it_says(added: dict[str, Any]) -> None:
    said = JournalEntry("s", 1, "c", Step.APPLIED, NOW_MS, "e", "v", "policy:r", None, {"a": 1}, case="case-1")
    # A later version's digest leaves out what says nothing, of its own fields too.
    later = JournalEntry.read(said.as_written() | added)
    assert (later.as_written(), later.more, later.step) == (said.as_written() | added, added, Step.APPLIED)
    assert (later.digest == said.digest) is not bool(added)
    assert later == JournalEntry.read(json.loads(json.dumps(later.as_written())))


def test_an_entry_from_before_is_read_with_every_field_written_out() -> None:
    said = JournalEntry("s", 1, "c", Step.APPLIED, NOW_MS, "e", "v", "policy:r", None, {})
    before = said.as_written() | {"expires_ms": None, "verdict": "", "case": "", "previous": ""}
    assert JournalEntry.read(before) == said
    assert JournalEntry.read(before).digest == said.digest


def test_a_step_of_a_later_version_is_none_of_ours_and_changes_nothing() -> None:
    plan, name = PLAN.to_json_value(), stream_name("isolate", PLAN.target)
    applied = [
        JournalEntry(name, number, "c", step, NOW_MS, "e", "v", "a", plan if number == 1 else None, {})
        for number, step in enumerate((Step.APPLYING, Step.APPLIED, Step("RELEASED")), 1)
    ]
    stream = fold(name, applied)
    assert applied[2].step == "RELEASED"
    assert applied[2].step not in set(Step)
    assert (stream.last, stream.containments["c"].step) == (3, Step.APPLIED)
    assert of_entry(applied[2])


@pytest.mark.parametrize("step", ["", "applied", "APPLIED ", "APPLIED\n", "RE LEASED", "1", 1, None])
def test_a_step_that_no_version_would_write_is_a_broken_entry(step: object) -> None:
    written = JournalEntry("s", 1, "c", Step.APPLIED, NOW_MS, "e", "v", "a", None, {}).as_written() | {"step": step}
    with pytest.raises(ValueError, match="not an entry of the journal"):
        JournalEntry.read(written)


@pytest.mark.parametrize("name", ["stream", "sequence", "step", "detail"])
def test_an_entry_that_lacks_what_it_must_have_is_none(name: str) -> None:
    written = JournalEntry("s", 1, "c", Step.APPLIED, NOW_MS, "e", "v", "a", None, {}).as_written()
    with pytest.raises(ValueError, match=f"not an entry of the journal: .*{name}"):
        JournalEntry.read(without(written, name))


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


def test_what_is_nested_without_end_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="not a verdict: "):
        Verdict.from_json('{"id": ' + "[" * 100_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", None),
        ("title", 7),
        ("technique", None),
        ("probability", "0.9"),
        ("probability", float("nan")),
        ("probability", 1.5),
        ("threshold", True),
        ("time_ms", "2026-11-29"),
        ("time_ms", 10**18),
        ("session_issued_ms", "x"),
        ("completed_flow", "no"),
        ("evidence", [{"event_id": "e", "time_ms": "x", "weight": 0.5, "summary": "s"}]),
        ("seen", "203.0.113.9"),
        ("seen", [None]),
        ("entity", {"kind": "instance", "id": 5, "account": ""}),
        ("related", [{"kind": "instance", "id": "i-1", "account": None}]),
    ],
)
def test_a_verdict_of_which_a_field_is_something_else_is_none(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"not a verdict: .*{'entity' if name == 'related' else name}"):
        Verdict.from_json(json.dumps(json.loads(VERDICT.to_json()) | {name: value}))


@pytest.mark.parametrize("name", ["action", "target", "before", "after", "touches", "summary"])
def test_a_plan_that_lacks_what_it_must_have_is_none(name: str) -> None:
    with pytest.raises(ValueError, match=rf"not a plan: .*{name}"):
        Plan.from_json_value(without(PLAN.to_json_value(), name))


def without(data: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}
