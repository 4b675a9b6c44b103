"""Generated telemetry is read by the real parsers, is the same for the same seed, and its families do not cross splits."""

from __future__ import annotations

import io
import json
import random

import pytest

from shared_model.events import ApiCall, Rejected, SystemEvent, Telemetry
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.system_logs import read_system_logs
from shared_model.parsers.vpc_flow_logs import read_flows
from training.scenarios import AUDIT_CLASSES, NETWORK_CLASSES, Layout, Split, envelope, families, generate, network_scenario
from training.scenarios.__main__ import write
from training.scenarios.audit_attacks import ATTACKS, LONE, RESERVED, lone
from training.scenarios.connections import Outcome, attempt, tcp
from training.scenarios.flow_log import write_flow_log
from training.scenarios.held_out import HELD_OUT_OPERATIONS
from training.scenarios.script import operations, play
from training.scenarios.site import build_site

EVERY = families()
NETWORK = families(Telemetry.FLOW_LOGS)
AUDIT = families(Telemetry.API_CALLS)
SYSTEM = families(Telemetry.SYSTEM_LOGS)


@pytest.mark.parametrize("family", NETWORK, ids=lambda family: family.name)
def test_every_line_of_a_flow_log_is_read(family):
    scenario = next(generate(3, only=(family,)))
    assert scenario.flow_log is not None
    reads = list(read_flows(io.BytesIO(scenario.flow_log.encode()), source="test"))
    assert [rejected for read in reads for rejected in read.rejected] == []
    header = scenario.flow_log.lines[0].startswith("version")
    assert sum(read.records for read in reads) == len(scenario.flow_log.lines) - header
    assert sum(len(read.batch) for read in reads) > 0


@pytest.mark.parametrize("layout", list(Layout))
def test_labels_meet_their_records_in_both_layouts(layout):
    family = next(family for family in NETWORK if family.name == "network/ssh-guessing")
    scenario = network_scenario(family, 5, layout=layout)
    assert scenario.flow_log is not None
    (read,) = read_flows(io.BytesIO(scenario.flow_log.encode()), source="test")
    guessed = [scenario.labels[record - 1] == "brute_force" for record in read.batch.record.tolist()]
    ports = read.batch.destination_port.tolist()
    assert any(guessed)
    assert {port for port, guess in zip(ports, guessed, strict=True) if guess} <= {22, 2222}


def test_what_a_security_group_refuses_inside_leaves_the_sender_accepted():
    site = build_site(random.Random(1))
    sender, receiver = site.hosts[:2]
    refused = attempt(site.rng, site.start_ms, sender.address, receiver.address, 445, Outcome.REJECTED)
    lines = write_flow_log([refused], site, layout=Layout.V2).lines
    assert sorted((line.split()[2], line.split()[12]) for line in lines) == sorted(
        [(sender.interface_id, "ACCEPT"), (receiver.interface_id, "REJECT")]
    )


def test_a_long_connection_is_one_record_a_minute_and_loses_nothing():
    site = build_site(random.Random(1))
    connection = tcp(site.rng, site.start_ms, site.hosts[0].address, "198.51.100.7", 443, up=90_000, down=2_000_000, seconds=300)
    outward = [line.split() for line in write_flow_log([connection], site, layout=Layout.V2).lines if line.split()[6] == "443"]
    assert len(outward) in (5, 6)
    assert sum(int(fields[8]) for fields in outward) == connection.packets_out
    assert sum(int(fields[9]) for fields in outward) == connection.bytes_out
    assert all(int(fields[11]) - int(fields[10]) <= 60 for fields in outward)


@pytest.mark.parametrize("family", AUDIT, ids=lambda family: family.name)
def test_every_record_of_a_trail_is_read(family):
    scenario = next(generate(3, only=(family,)))
    calls = list(parse_cloudtrail({"Records": list(scenario.records)}, source="test"))
    assert not [call for call in calls if isinstance(call, Rejected)]
    assert len(calls) == len(scenario.labels)


def test_the_envelope_and_the_file_give_the_same_calls():
    scenario = next(generate(4, only=(AUDIT[0],)))
    from_file = list(parse_cloudtrail({"Records": list(scenario.records)}, source="test"))
    from_events = [call for record in scenario.records for call in parse_cloudtrail(envelope(record), source="test")]
    assert [call.event_id for call in from_file if isinstance(call, ApiCall)] == [
        call.event_id for call in from_events if isinstance(call, ApiCall)
    ]


@pytest.mark.parametrize("family", SYSTEM, ids=lambda family: family.name)
def test_every_log_line_is_read(family):
    scenario = next(generate(3, only=(family,)))
    events = list(read_system_logs(io.BytesIO(json.dumps(scenario.log).encode()), source="test", now_ms=1_775_000_000_000))
    assert not [event for event in events if isinstance(event, Rejected)]
    assert len(events) == len(scenario.labels)
    assert all(isinstance(event, SystemEvent) and event.time_ms > 0 for event in events)


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_the_same_seed_tells_the_same_story(family, tmp_path):
    one, other = (write(next(generate(11, only=(family,))), tmp_path).read_bytes() for _ in range(2))
    assert one == other
    assert write(next(generate(12, only=(family,))), tmp_path).read_bytes() != one


def test_stories_hold_what_their_family_says():
    for scenario in generate(6):
        hostile = set(scenario.labels) - {"benign"}
        assert hostile == ({scenario.family.verdict} if scenario.family.is_attack else set()), scenario.family.name


def test_families_are_unique_and_complete():
    assert len({family.name for family in EVERY}) == len(EVERY)
    for family in EVERY:
        classes = NETWORK_CLASSES if family.telemetry == Telemetry.FLOW_LOGS else AUDIT_CLASSES
        assert family.verdict in classes
        assert family.imitates
        assert bool(family.technique) == family.is_attack or family in LONE


@pytest.mark.parametrize("telemetry", [Telemetry.FLOW_LOGS, Telemetry.API_CALLS, Telemetry.SYSTEM_LOGS])
@pytest.mark.parametrize("split", list(Split))
def test_every_split_has_attacks_and_benign_work(telemetry, split):
    kinds = {family.is_attack for family in families(telemetry, split)}
    assert kinds == {True, False}


def test_no_split_shares_a_family():
    seen = [set(families(split=split)) for split in Split]
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]
    assert not seen[0] & seen[2]


def test_training_attacks_contain_no_held_out_call():
    for attack in ATTACKS:
        if attack.family.split is not Split.TEST:
            assert not attack.operations & HELD_OUT_OPERATIONS, attack.family.name


def test_drawn_attacks_keep_off_what_validation_and_test_consist_of():
    for family in LONE:
        drawn = {call for seed in range(60) for call in operations(lone(family, random.Random(seed)).script)}
        assert drawn
        assert not drawn & RESERVED


def test_a_script_says_which_word_is_wrong():
    with pytest.raises(ValueError, match="iam-CreateUser"):
        list(play("iam:ListUsers iam-CreateUser", random.Random(1)))


def test_a_script_repeats_and_refuses_as_written():
    calls = list(play("iam:ListUsers*3!1 iam:GetUser?0", random.Random(1)))
    assert [(call.operation, call.denied) for call in calls] == [("ListUsers", True)] * 3
