"""Lines of a host's log, through subscription, delivery stream and lake, to a quarantined machine."""

from __future__ import annotations

import pytest

from infra_tests.offline.following import Followed
from offline.aws.embedded import EmbeddedAws
from offline.findings import domain_request
from offline.seed import World, groups_of
from offline.telemetry import put_log_lines
from shared_model.events import Telemetry
from training.scenarios import families, generate

pytestmark = pytest.mark.e2e


@pytest.fixture
def follow(aws: EmbeddedAws) -> Followed:
    return Followed(aws)


def test_guessing_in_the_hosts_log_and_a_finding_quarantine_the_machine(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    instance = follow.fresh_instance(world)
    aws.put_event(domain_request(world, instance))
    aws.drain()
    assert follow.steps(instance) == ["REFUSED"]

    wanted = tuple(each for each in families(Telemetry.SYSTEM_LOGS) if each.name == "system/guessed-and-in")
    (scenario,) = generate(5, only=wanted)
    assert scenario.log is not None
    put_log_lines(aws, instance.id, [event["message"] for event in scenario.log["logEvents"]])
    assert [each.mapping.function_name for each in aws.drain()] == ["breakwater-detect-system-logs", "breakwater-respond"]

    verdict = next(
        each for each in aws.logs("detect_system_logs") if each.get("message") == "verdict" and instance.id in each["entity"]
    )
    assert "/system-logs/dt=" in verdict["correlation_id"]
    entries = follow.journal("quarantine_instance", "instance", instance.id)
    assert [entry.step for entry in entries] == ["REFUSED", "APPLYING", "APPLIED", "VERIFIED"]
    assert {entry.correlation_id for entry in entries[1:]} == {verdict["correlation_id"]}
    assert len({group for groups in groups_of(aws, instance).values() for group in groups}) == 1
