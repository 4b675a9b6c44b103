"""A flow-log object, from the lake through the network detector to a quarantined machine."""

from __future__ import annotations

import gzip
import json

import pytest

from infra_tests.offline.following import Followed
from offline.aws.embedded import EmbeddedAws
from offline.findings import domain_request
from offline.seed import World, groups_of
from offline.telemetry import moved_flow_log, put_flow_log
from shared_model.events import Telemetry
from training.scenarios import Layout, families, network_scenario

pytestmark = pytest.mark.e2e


@pytest.fixture
def follow(aws: EmbeddedAws) -> Followed:
    return Followed(aws)


def _story(name: str, seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    (family,) = (each for each in families(Telemetry.FLOW_LOGS) if each.name == f"network/{name}")
    scenario = network_scenario(family, seed, layout=Layout.V5)
    assert scenario.flow_log is not None
    return scenario.flow_log.lines, scenario.labels


def test_an_outward_scan_in_the_flow_logs_and_a_finding_quarantine_the_machine(
    aws: EmbeddedAws, world: World, follow: Followed
) -> None:
    instance = follow.fresh_instance(world)
    before = groups_of(aws, instance)
    aws.put_event(domain_request(world, instance))
    aws.drain()
    assert follow.steps(instance) == ["REFUSED"]

    key = put_flow_log(aws, moved_flow_log(*_story("worm-scan-outward", 11), instance))
    delivered = [delivery.mapping.function_name for delivery in aws.drain()]
    assert delivered == ["breakwater-detect-flows", "breakwater-respond"]

    (verdict,) = [
        entry for entry in aws.logs("detect_flows") if entry.get("message") == "verdict" and key in entry["correlation_id"]
    ]
    assert verdict["probability"] >= verdict["threshold"]
    assert verdict["technique"] == "T1046"
    correlation_id = verdict["correlation_id"]
    assert correlation_id.startswith(f"s3://{aws.outputs()['LakeBucketName']}/{key}")

    entries = follow.journal("quarantine_instance", "instance", instance.id)
    assert [entry.step for entry in entries] == ["REFUSED", "APPLYING", "APPLIED", "VERIFIED"]
    assert {entry.correlation_id for entry in entries[1:]} == {correlation_id}
    assert {entry.verdict_id for entry in entries[1:]} == {verdict["verdict_id"]}
    assert entries[1].detail["corroborated_by"] == entries[0].verdict_id
    assert len({group for groups in groups_of(aws, instance).values() for group in groups}) == 1

    follow.undo(follow.containment_id(instance))
    aws.drain()
    assert groups_of(aws, instance) == before


def test_the_same_object_announced_twice_is_one_containment(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    instance = follow.fresh_instance(world)
    aws.put_event(domain_request(world, instance))
    key = put_flow_log(aws, moved_flow_log(*_story("worm-scan-outward", 12), instance))
    aws.drain()
    steps = follow.steps(instance)
    assert steps[-1] == "VERIFIED"
    groups = groups_of(aws, instance)

    aws.control.advance_clock(301)
    bucket = aws.outputs()["LakeBucketName"]
    head = aws.client("s3").head_object(Bucket=bucket, Key=key)
    stored = {"key": key, "size": head["ContentLength"], "eTag": head["ETag"].strip('"'), "sequencer": "00"}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": stored}}
    follow.send("flow-logs", {"Records": [record]})
    aws.drain()
    assert set(follow.steps(instance)[len(steps) :]) <= {"NOOP"}, "contained already: at most noted"
    assert groups_of(aws, instance) == groups


def test_benign_traffic_changes_nothing(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    instance = follow.fresh_instance(world)
    lines, labels = _story("worm-scan-outward", 13)
    kept = [0, *(number for number, label in enumerate(labels) if number and label == "benign")]
    suspect = [*labels]
    suspect[kept[1]] = "this host becomes the machine"
    text = moved_flow_log([lines[number] for number in kept], [suspect[number] for number in kept], instance)
    key = put_flow_log(aws, text)
    deliveries = aws.drain()
    assert "breakwater-detect-flows" in [delivery.mapping.function_name for delivery in deliveries]
    assert not [
        entry for entry in aws.logs("detect_flows") if entry.get("message") == "verdict" and key in entry["correlation_id"]
    ]
    assert follow.steps(instance) == []


def test_a_malformed_line_is_kept_in_the_lake_with_its_reason_and_the_rest_is_scored(
    aws: EmbeddedAws, world: World, follow: Followed
) -> None:
    instance = follow.fresh_instance(world)
    text = moved_flow_log(*_story("worm-scan-outward", 14), instance)
    lines = text.decode().splitlines()
    lines.insert(3, "this is no flow record")
    key = put_flow_log(aws, "\n".join([*lines, ""]).encode())
    aws.drain()
    assert [entry for entry in aws.logs("detect_flows") if entry.get("message") == "verdict" and key in entry["correlation_id"]]
    rejected = [line for line in _lake_lines(aws, "rejected/") if key in line["source"]]
    assert [(line["record"], bool(line["reason"])) for line in rejected] == [(4, True)]


def test_an_unreadable_object_is_a_dead_letter_with_its_reason(aws: EmbeddedAws, follow: Followed) -> None:
    bucket, key = aws.outputs()["LakeBucketName"], "flow-logs/AWSLogs/123456789012/vpcflowlogs/us-east-1/broken.log.gz"
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"\x1f\x8b this is no gzip member")
    aws.drain()
    letters = [letter for letter in aws.dead_letters("flow-logs") if "broken.log.gz" in letter["Body"]]
    assert len(letters) == 1
    assert letters[0]["MessageAttributes"]["reason"]["StringValue"]


def _lake_lines(aws: EmbeddedAws, prefix: str) -> list[dict[str, object]]:
    s3, bucket = aws.client("s3"), aws.outputs()["LakeBucketName"]
    lines = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            body = gzip.decompress(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
            lines += [json.loads(line) for line in body.splitlines()]
    return lines
