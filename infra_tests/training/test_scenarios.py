"""Generated telemetry is read by the real parsers of both clouds, is the same for the same seed, and no family crosses splits."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace

import numpy as np
import pytest

from shared_model import addresses
from shared_model.encoders.audit import ROW
from shared_model.events import ApiCall, Rejected, SystemEvent, Telemetry
from shared_model.parsers import vnet_flow_logs
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.parsers.azure_system_logs import parse_azure_system_logs
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.system_logs import read_system_logs
from shared_model.parsers.vpc_flow_logs import read_flows
from training import network_data
from training.audit_data import record_stories
from training.azure_records import as_row
from training.scenarios import (
    AUDIT_CLASSES,
    NETWORK_CLASSES,
    Layout,
    Split,
    envelope,
    families,
    generate,
    named,
    network_scenario,
    network_traffic,
)
from training.scenarios.__main__ import write
from training.scenarios.audit_story import attack_story, benign_days, benign_story
from training.scenarios.catalogue import catalogue, drawn_attack
from training.scenarios.connections import Outcome, attempt, tcp
from training.scenarios.flow_log import write_flow_log
from training.scenarios.held_out import HELD_OUT_OPERATIONS
from training.scenarios.library import attack_operations, reserved, scenarios_by_family
from training.scenarios.script import operations, play
from training.scenarios.site import build_site
from training.scenarios.vnet_flow_log import MINUTE_MS, FlowLog, document, on_azure, write_records

EVERY = families()
NETWORK = families(Telemetry.FLOW_LOGS)
AUDIT = families(Telemetry.API_CALLS)
ATTACKS = [family for family in AUDIT if family.is_attack]
SYSTEM = families(Telemetry.SYSTEM_LOGS)
_NETWORK_ID = (
    "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/web"
)
_LOG_ID = _NETWORK_ID.replace("virtualNetworks/web", "networkWatchers/nw/flowLogs/web")


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
    scenario = network_scenario(named("network/ssh-guessing"), 5, layout=layout)
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


@pytest.mark.parametrize("family", NETWORK, ids=lambda family: family.name)
def test_every_family_of_flows_is_read_from_a_vnet_flow_log_too(family):
    connections, site = network_traffic(family, 9)
    records = write_records(connections, on_azure(site), FlowLog(_LOG_ID, _NETWORK_ID))
    (read,) = vnet_flow_logs.read_flows(io.BytesIO(document(records)), source="test")
    assert read.rejected == ()
    assert len(read.batch) > 0
    labels = [label for record in records for label in record.labels]
    assert read.records == len(labels)
    # What reads the labels beside the tuples finds each connection's own class.
    seen = {
        (str(addresses.to_text(*ends)), port, labels[record - 1])
        for ends, port, record in zip(
            read.batch.source.tolist(), read.batch.source_port.tolist(), read.batch.record.tolist(), strict=True
        )
    }
    told = {(each.source, each.source_port, each.label) for each in connections}
    assert seen <= told
    assert any(label == family.verdict for _, _, label in seen)


@pytest.mark.parametrize("name", ["network/ssh-guessing", "network/beacon-any", "network/office-browsing"])
def test_the_stories_of_a_vnet_flow_log_are_of_those_who_began_and_the_attack_is_theirs_who_attacked(name):
    connections, site = network_traffic(named(name), 9)
    told = {story.entity: story.attack for story in network_data.vnet_stories(connections, site, name)}
    seen = [each for each in connections if site.host_at(each.source) or site.host_at(each.destination)]
    attackers = {each.source for each in seen if each.label != "benign"}
    assert told == {each.source: each.source in attackers for each in seen}
    assert bool(attackers) == named(name).is_attack


def test_a_flow_log_that_is_read_as_it_grows_gives_a_long_connection_a_flow_a_minute():
    site = build_site(random.Random(1))
    begin = site.start_ms // MINUTE_MS * MINUTE_MS + 5_000
    long = tcp(site.rng, begin, site.hosts[0].address, "198.51.100.7", 443, up=90_000, down=2_000_000, seconds=300)
    flows = {
        len(story.labels)
        for shift in range(12)  # how many minutes are read at once depends on when the story begins
        for story in network_data.vnet_stories([long], replace(site, start_ms=site.start_ms + shift), "test")
    }
    assert {1, 6} <= flows  # an hour at once, each minute


def test_web_use_is_told_of_machines_that_nobody_attacks_too():
    family = named("network/bot-any")
    told = [network_traffic(family, seed) for seed in range(8)]
    alone = [
        {each.source for each in connections if each.destination_port == 53 and each.destination == site.resolver}
        - {each.source for each in connections if each.label != "benign"}
        for connections, site in told
    ]
    assert any(alone)


@pytest.mark.parametrize("family", AUDIT, ids=lambda family: family.name)
def test_every_audit_record_is_read(family):
    scenario = next(generate(3, only=(family,)))
    parse = parse_cloudtrail if family.cloud == "aws" else parse_audit_records
    calls = list(parse({"Records" if family.cloud == "aws" else "records": list(scenario.records)}, source="test"))
    assert not [call for call in calls if isinstance(call, Rejected)]
    assert len(calls) == len(scenario.labels)
    assert {call.provider for call in calls if isinstance(call, ApiCall)} == {family.cloud}


def test_the_envelope_and_the_file_give_the_same_calls():
    scenario = next(generate(4, only=families(Telemetry.API_CALLS, cloud="aws")[:1]))
    from_file = list(parse_cloudtrail({"Records": list(scenario.records)}, source="test"))
    from_events = [call for record in scenario.records for call in parse_cloudtrail(envelope(record), source="test")]
    assert [call.event_id for call in from_file if isinstance(call, ApiCall)] == [
        call.event_id for call in from_events if isinstance(call, ApiCall)
    ]


@pytest.mark.parametrize("family", SYSTEM, ids=lambda family: family.name)
def test_every_log_line_is_read_on_both_clouds(family):
    scenario = next(generate(3, only=(family,)))
    events = list(read_system_logs(io.BytesIO(json.dumps(scenario.log).encode()), source="test", now_ms=1_775_000_000_000))
    assert not [event for event in events if isinstance(event, Rejected)]
    assert len(events) == len(scenario.labels)
    told = [event for event in events if isinstance(event, SystemEvent) and event.time_ms > 0]
    assert len(told) == len(events)
    rows = list(parse_azure_system_logs([as_row(event) for event in told], source="test", now_ms=1_775_000_000_000))
    assert [row.template for row in rows if isinstance(row, SystemEvent)] == [event.template for event in told]


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_the_same_seed_tells_the_same_story(family, tmp_path):
    one, other = (write(next(generate(11, only=(family,))), tmp_path).read_bytes() for _ in range(2))
    assert one == other
    assert write(next(generate(12, only=(family,))), tmp_path).read_bytes() != one


def test_stories_hold_what_their_family_says():
    for scenario in generate(6):
        hostile = set(scenario.labels) - {"benign"}
        assert bool(hostile) == scenario.family.is_attack, scenario.family.name
        assert not scenario.family.is_attack or scenario.family.verdict in hostile or len(hostile) > 0


def test_families_are_unique_and_complete():
    assert len({family.name for family in EVERY}) == len(EVERY) == len(scenarios_by_family())
    for family in EVERY:
        classes = NETWORK_CLASSES if family.telemetry == Telemetry.FLOW_LOGS else AUDIT_CLASSES
        assert family.verdict in classes
        assert family.imitates
        assert bool(family.technique) == bool(family.chain) == family.is_attack


def test_the_library_is_as_wide_as_it_says():
    attacks = [family for family in EVERY if family.is_attack]
    benign = [family for family in EVERY if not family.is_attack]
    assert len(attacks) >= 40
    assert len(benign) >= 20
    assert len({tactic for family in attacks for tactic, _ in family.chain}) >= 11
    for cloud in ("aws", "azure"):
        assert len(families(Telemetry.API_CALLS, cloud=cloud)) >= 20
    assert sum(bool(family.looks_like) for family in benign) >= 10
    assert sum(len(family.chain) >= 3 for family in attacks) >= 10


@pytest.mark.parametrize("telemetry", [Telemetry.FLOW_LOGS, Telemetry.API_CALLS, Telemetry.SYSTEM_LOGS])
@pytest.mark.parametrize("split", list(Split))
def test_every_split_has_attacks_and_benign_work(telemetry, split):
    kinds = {family.is_attack for family in families(telemetry, split)}
    assert kinds == {True, False}
    if telemetry == Telemetry.API_CALLS:
        assert {(family.cloud, family.is_attack) for family in families(telemetry, split)} == {
            ("aws", True),
            ("aws", False),
            ("azure", True),
            ("azure", False),
        }


def test_no_split_shares_a_family():
    seen = [set(families(split=split)) for split in Split]
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]
    assert not seen[0] & seen[2]


def test_training_attacks_contain_no_held_out_call():
    for family, scenario in scenarios_by_family().items():
        if family.split is not Split.TEST:
            assert not attack_operations(scenario) & HELD_OUT_OPERATIONS, family.name


def test_drawn_attacks_keep_off_what_validation_and_test_consist_of():
    assert reserved() >= HELD_OUT_OPERATIONS
    for cloud in ("aws", "azure"):
        for verdict in catalogue(cloud).sensitive:
            drawn = {
                call for seed in range(60) for call in operations(drawn_attack(verdict, cloud, random.Random(seed), reserved()))
            }
            assert drawn
            assert not drawn & reserved()


@pytest.mark.parametrize("name", ["audit/extortion", "audit/azure-role-grant", "audit/any-impact"])
def test_a_control_differs_in_nothing_but_what_was_done(name):
    family = named(name)
    for seed in range(6):
        attack, control = attack_story(family, seed), attack_story(family, seed, control=True)
        begin = next(number for number, line in enumerate(attack) if line.label != "benign")
        calls = [line.record for line in attack]
        assert {line.label for line in control} == {"benign"}
        time = "eventTime" if family.cloud == "aws" else "time"
        assert calls[0][time] == control[0].record[time]
        assert abs(len(calls) - len(control)) <= 30
        if not any(stage.innocent for stage in scenarios_by_family()[family].chain) and "any-" not in name:
            assert calls[:begin] == [line.record for line in control][:begin]


def _programs(stories):
    """Share of stories in which more than one class of program calls."""
    shown = [set(np.ascontiguousarray(story.rows).view(ROW)[:, 0]["agent"].tolist()) - {0} for story in stories]
    return sum(len(programs) > 1 for programs in shown) / len(shown)


def test_another_program_tells_attacks_controls_and_benign_principals_not_apart():
    attacked, controls, calm = [], [], []
    for family in AUDIT:
        for seed in range(4 if family.is_attack else 6):
            told = attack_story(family, seed) if family.is_attack else benign_story(family, seed)
            stories = record_stories(told, family.name)
            (attacked if family.is_attack else calm).extend(story for story in stories if story.attack == family.is_attack)
            if family.is_attack:
                controls += record_stories(attack_story(family, seed, control=True), family.name)
    assert 0.1 < _programs(attacked) < 0.35
    assert abs(_programs(controls) - _programs(attacked)) < 0.06
    assert abs(_programs(calm) - _programs(attacked)) < 0.08


@pytest.mark.parametrize("family", ATTACKS, ids=lambda family: family.name)
def test_who_is_no_thief_keeps_the_program_and_a_control_has_that_of_its_attack(family):
    stolen = scenarios_by_family()[family].stolen or "any-" in family.name
    for seed in range(4):
        told, control = attack_story(family, seed), attack_story(family, seed, control=True)
        if not stolen:
            assert len(_agents(told)) == 1
        if family.verdict != "initial_access":  # whose own calls come from a browser
            assert _agents(told) == _agents(control)


def _agents(told):
    """What records say of the program, but for sign-ins, which always come from a browser."""
    records = [line.record for line in told if line.record.get("eventType") != "AwsConsoleSignIn"]
    of_aws = {record["userAgent"] for record in records if "userAgent" in record}
    return of_aws | {record["identity"]["claims"]["appid"] for record in records if "identity" in record}


@pytest.mark.parametrize("family", ATTACKS, ids=lambda family: family.name)
def test_something_benign_stands_before_every_attack(family):
    for seed in range(8):
        for story in record_stories(attack_story(family, seed), family.name):
            if story.attack:
                assert story.labels[0] == 0


def test_a_principal_can_be_watched_for_days():
    told = benign_days(named("audit/developer"), 3, days=4, calls_a_day=20)
    days = {line.record["eventTime"][:10] for line in told}
    assert len(days) >= 4
    assert {line.label for line in told} == {"benign"}


def test_a_script_says_which_word_is_wrong():
    with pytest.raises(ValueError, match="iam-CreateUser"):
        list(play("iam:ListUsers iam-CreateUser", random.Random(1)))
    with pytest.raises(ValueError, match="'everyone' is no grant"):
        list(play("iam:PutRolePolicy@everyone", random.Random(1)))


def test_a_script_repeats_and_refuses_as_written():
    calls = list(play("iam:ListUsers*3!1 iam:GetUser?0", random.Random(1)))
    assert [(call.operation, call.denied) for call in calls] == [("ListUsers", True)] * 3


def test_a_script_holds_calls_of_both_clouds():
    calls = list(play("Microsoft.Compute/virtualMachines/start/action*2 entra:Add_user@admin", random.Random(1)))
    assert [call.name for call in calls] == ["Microsoft.Compute/virtualMachines/start/action"] * 2 + ["entra:Add_user"]
    assert calls[-1].grant == "admin"
