"""CloudTrail on both of its paths, from the record through the audit detector to a revoked session."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from cdk.rules import KEY_USES
from infra_tests.offline.following import Followed
from offline.aws.embedded import EmbeddedAws
from offline.findings import stolen_session
from offline.seed import Role, World, make_role
from offline.telemetry import moved_records, put_cloudtrail
from shared_model.events import Telemetry
from training.scenarios import envelope, families, generate

pytestmark = pytest.mark.e2e
SESSION = "deploy-7"


@pytest.fixture
def follow(aws: EmbeddedAws) -> Followed:
    return Followed(aws)


@pytest.fixture
def role(aws: EmbeddedAws) -> Role:
    return make_role(aws.client("iam"), f"fresh-{uuid.uuid4().hex[:8]}", 3600)


def _records(role: Role, family: str = "audit/configuration-recorder-off") -> list[dict[str, Any]]:
    wanted = tuple(each for each in families(Telemetry.API_CALLS) if each.name == family)
    (scenario,) = generate(5, only=wanted)
    return moved_records(scenario.records, scenario.labels, role, SESSION)


def _policies(aws: EmbeddedAws, role: Role) -> dict[str, Any]:
    iam = aws.client("iam")
    names = iam.list_role_policies(RoleName=role.name)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=role.name, PolicyName=name)["PolicyDocument"] for name in names}


def _verdicts(aws: EmbeddedAws, role: Role) -> list[dict[str, Any]]:
    return [each for each in aws.logs("detect_api_calls") if each.get("message") == "verdict" and role.id in each["entity"]]


def _counted(aws: EmbeddedAws, function: str, metric: str) -> float:
    return sum(sum(entry[metric]) for entry in aws.logs(function) if "_aws" in entry and metric in entry)


def test_a_trails_object_and_a_finding_revoke_the_session(aws: EmbeddedAws, follow: Followed, role: Role) -> None:
    aws.put_event(stolen_session(role, SESSION))
    aws.drain()
    assert _policies(aws, role) == {}

    key = put_cloudtrail(aws, _records(role))
    assert [each.mapping.function_name for each in aws.drain()] == ["breakwater-detect-api-calls", "breakwater-respond"]
    verdict = _verdicts(aws, role)[0]
    assert key in verdict["correlation_id"]

    entries = follow.journal("revoke_sessions", "session", f"{role.id}:{SESSION}")
    assert [entry.step for entry in entries] == ["REFUSED", "APPLYING", "APPLIED", "VERIFIED"]
    assert {entry.correlation_id for entry in entries[1:]} == {verdict["correlation_id"]}
    ((name, policy),) = _policies(aws, role).items()
    assert name.startswith("Breakwater")
    assert f"{role.id}:{SESSION}" in json.dumps(policy)

    follow.undo(entries[-1].containment_id)
    aws.drain()
    assert _policies(aws, role) == {name: policy}, "undone now, the session would live again"


def test_the_same_calls_on_both_paths_are_taken_once(aws: EmbeddedAws, follow: Followed, role: Role) -> None:
    # Uses of keys come by the trail only: on the fast path Breakwater's own would feed themselves.
    records = [record for record in _records(role) if record["eventName"] not in KEY_USES]
    for record in records:
        aws.put_event(envelope(record))
    aws.drain()
    verdicts, before = _verdicts(aws, role), _counted(aws, "detect_api_calls", "Duplicates")
    assert verdicts

    put_cloudtrail(aws, records)
    aws.drain()
    assert _counted(aws, "detect_api_calls", "Duplicates") - before == len(records)
    assert _verdicts(aws, role) == verdicts


def test_a_break_glass_role_is_refused_with_the_reason(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    role = world.roles["break-glass"]
    aws.put_event(stolen_session(role, SESSION))
    aws.drain()
    put_cloudtrail(aws, _records(role))
    aws.drain()
    last = follow.journal("revoke_sessions", "session", f"{role.id}:{SESSION}")[-1]
    assert last.step == "REFUSED"
    assert "break-glass" in last.detail["reason"]
    assert _policies(aws, role) == {}
