"""Flows → verdicts with the shipped detector: a scan is found, ordinary traffic is not, and nothing is told twice."""

import io
import json
from pathlib import Path

import pytest

from shared_model.detector import Detector
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.flow_detection import describe_flow, detect
from shared_model.memory import InProcessMemory
from shared_model.parsers.vpc_flow_logs import read_flows
from shared_model.verdicts import Verdict

NOW = 1_800_000_000_000
SCANNER, HOST = "198.51.100.7", "10.0.1.5"
HEADER = (
    "interface-id account-id instance-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status "
    "tcp-flags flow-direction"
)


@pytest.fixture(scope="module")
def detector():
    return Detector.load(Path(__file__).parents[2] / "model_artifacts" / "network")


def line(
    source, source_port, destination, port, at, *, packets=1, size=44, action="REJECT", flags=2, direction="ingress", more=0
):
    begin = 1_700_000_000 + at
    return (
        f"eni-0a 123456789012 i-0b {source} {destination} {source_port} {port} 6 {packets} {size} {begin} {begin + more} "
        f"{action} OK {flags} {direction}"
    )


def scan(source=SCANNER, direction="ingress", target=HOST):
    return [line(source, 40_000 + n, target, 20 + n, n, direction=direction) for n in range(48)]


def web(client=HOST, server="203.0.113.9", count=24):
    lines = []
    for n in range(count):
        at = n * 37 % 1800
        lines.append(
            line(client, 50_000 + n, server, 443, at, packets=12, size=1840, action="ACCEPT", flags=3, direction="egress", more=9)
        )
        lines.append(
            line(
                server, 443, client, 50_000 + n, at, packets=15, size=9300, action="ACCEPT", flags=19, direction="ingress", more=9
            )
        )
    return lines


def flows(lines):
    (read,) = read_flows(io.BytesIO("\n".join([HEADER, *lines]).encode()), source="test")
    assert not read.rejected
    return read.batch


def run(lines, detector, memory=None):
    return detect(flows(lines), detector, memory or InProcessMemory(), now_ms=NOW, correlation_id="c-1")


def test_a_scan_becomes_one_verdict_on_its_source_and_ordinary_traffic_none(detector):
    found = run(scan() + web(), detector)
    (verdict,) = found.verdicts
    assert verdict.entity == Entity(EntityKind.ADDRESS, SCANNER, "123456789012")
    assert verdict.technique == "T1046"
    assert verdict.telemetry is Telemetry.FLOW_LOGS
    assert verdict.probability >= verdict.threshold == detector.threshold
    assert verdict.correlation_id == "c-1"
    assert verdict.completed_flow is False  # refused probes: the source may be spoofed
    assert verdict.related == ()
    assert SCANNER in verdict.title
    assert 3 <= len(verdict.evidence) <= 5
    assert all(f"{SCANNER}:4" in item.summary and "rejected" in item.summary for item in verdict.evidence)
    assert [item.weight for item in verdict.evidence] == sorted((item.weight for item in verdict.evidence), reverse=True)
    assert {score.entity.id: score.events for score in found.scores} == {SCANNER: 48, HOST: 24}


def test_a_scan_by_the_monitored_interface_names_what_can_be_isolated(detector):
    (verdict,) = run(scan(source=HOST, direction="egress", target="10.0.9.9"), detector).verdicts
    assert verdict.entity.id == HOST
    assert verdict.related == (
        Entity(EntityKind.INSTANCE, "i-0b", "123456789012"),
        Entity(EntityKind.INTERFACE, "eni-0a", "123456789012"),
    )


def test_the_same_object_gives_the_same_verdict_id_until_it_is_remembered(detector):
    memory = InProcessMemory()
    first = run(scan(), detector, memory)
    second = run(scan(), detector, memory)  # killed before the states were stored
    assert [verdict.id for verdict in first.verdicts] == [verdict.id for verdict in second.verdicts]
    memory.store(first.states, now_ms=NOW)
    third = run(scan(), detector, memory)
    assert third.duplicates == 48
    assert (third.verdicts, third.scores, dict(third.states)) == ((), (), {})


@pytest.mark.parametrize("more", [1, 5, 30])
def test_flows_that_come_again_are_known_by_the_same_id_whatever_came_behind(detector, more):
    """After probes that are remembered, the next are delivered and not stored; then others come with them, or before them."""
    memory, probes = InProcessMemory(), [line(SCANNER, 40_000 + n, HOST, 20 + n, n) for n in range(60)]
    memory.store(run(probes[:12], detector, memory).states, now_ms=NOW)
    (sent,) = run(probes[12:30], detector, memory).verdicts
    (together,) = run(probes[12 : 30 + more], detector, memory).verdicts
    assert together.id == sent.id
    memory.store(run(probes[30 : 30 + more], detector, memory).states, now_ms=NOW)
    (after_them,) = run(probes[12:30], detector, memory).verdicts
    assert after_them.id == sent.id


def test_a_delivery_whose_states_are_stored_is_not_scored_again_however_many_flows_it_has(detector):
    memory = InProcessMemory()
    batch = flows([probe for target in range(9) for probe in scan(target=f"10.0.2.{target}")])
    given = {"now_ms": NOW, "correlation_id": "c-1"}
    first = detect(batch, detector, memory, delivery="s3://bucket/key#1/0", **given)
    killed = detect(batch, detector, memory, delivery="s3://bucket/key#1/0", **given)  # before the states were stored
    assert [verdict.id for verdict in first.verdicts] == [verdict.id for verdict in killed.verdicts] != []
    memory.store(first.states, now_ms=NOW)
    again = detect(batch, detector, memory, delivery="s3://bucket/key#1/0", **given)
    assert (again.verdicts, again.scores, dict(again.states), again.duplicates) == ((), (), {}, len(batch))
    other = detect(batch, detector, memory, delivery="s3://bucket/key#1/1", **given)
    assert other.scores  # another part of the object is no repetition


def test_a_scan_spread_over_objects_is_found_through_memory(detector):
    memory = InProcessMemory()
    probes = scan()
    verdicts = []
    for begin in range(0, len(probes), 6):
        found = run(probes[begin : begin + 6], detector, memory)
        memory.store(found.states, now_ms=NOW)
        verdicts += found.verdicts
    assert verdicts
    assert any(item.summary.startswith("earlier flow to port") for verdict in verdicts for item in verdict.evidence)


def test_no_verdict_is_dated_in_the_future(detector):
    found = detect(flows(scan()), detector, InProcessMemory(), now_ms=1_600_000_000_000, correlation_id="")
    assert {verdict.time_ms for verdict in found.verdicts} == {1_600_000_000_000}


def test_a_single_probe_is_scored_but_is_no_scan(detector):
    batch = flows(scan()[:1])
    found = detect(batch, detector, InProcessMemory(), now_ms=NOW, correlation_id="")
    assert found.verdicts == ()
    assert len(found.scores) == 1


def test_flows_are_described_in_one_line():
    assert describe_flow(flows(scan()), 2) == "198.51.100.7:40002 -> 10.0.1.5:22 tcp, 1 packet, rejected"
    assert describe_flow(flows(web(count=1)), 0) == "10.0.1.5:50000 -> 203.0.113.9:443 tcp, 27 packets, answered"
    six = line("2001:db8::7", 40000, "2001:db8:1::5", 22, 0)
    assert describe_flow(flows([six]), 0) == "[2001:db8::7]:40000 -> [2001:db8:1::5]:22 tcp, 1 packet, rejected"


def guesses(source, target, interface="eni-0a", count=60):
    """Password guessing as it looks in a flow log: both directions of short answered connections."""
    lines = []
    for n in range(count):
        ends, back = (source, 40_000 + n, target, 22), (target, 22, source, 40_000 + n)
        given = {"action": "ACCEPT", "flags": 3, "more": 3}
        lines.append(line(*ends, 5 * n, packets=14, size=2200, direction="ingress", **given))
        lines.append(line(*back, 5 * n, packets=14, size=2700, direction="egress", **given))
    return [each.replace("eni-0a", interface) for each in lines]


def test_an_address_from_outside_names_the_interfaces_that_answered_it_as_reached_and_as_nothing_else(detector):
    (verdict,) = run(guesses(SCANNER, HOST) + guesses(SCANNER, "10.0.1.6", "eni-0b"), detector).verdicts
    assert verdict.completed_flow is True
    assert verdict.related == (), "who is attacked is no name of the attacker"
    assert {entity.id for entity in verdict.reached} <= {"eni-0a", "eni-0b"}
    assert {entity.kind for entity in verdict.reached} == {EntityKind.INTERFACE}
    assert {SCANNER, HOST} <= set(verdict.seen) <= {SCANNER, HOST, "10.0.1.6"}
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_probes_that_nobody_answered_have_reached_nothing(detector):
    (verdict,) = run(scan(), detector).verdicts
    assert (verdict.reached, verdict.seen) == ((), ())
    before = {name: value for name, value in json.loads(verdict.to_json()).items() if name not in ("reached", "seen")}
    assert Verdict.from_json(json.dumps(before)) == verdict, "what was queued before the field was there is still read"
