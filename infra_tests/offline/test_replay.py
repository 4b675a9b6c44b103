"""Recordings become the seeded account's telemetry: order, gaps and formats stay; whose it is and when it was changes."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from offline.replay import activity, calls, flows, guessing, vnet_recording
from offline.replay.replayed import ReplayedFlows
from offline.report.record import Provenance
from offline.seed import Instance, Role, World
from shared_model.addresses import to_text
from shared_model.events import ApiCall, Entity, EntityKind, FlowBatch
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.syslog_lines import parse_syslog
from shared_model.parsers.vnet_flow_logs import read_flows as read_vnet_flows
from shared_model.parsers.vpc_flow_logs import read_flows
from training.data_root import data_root
from training.loaders.compressed import read_xz_text
from training.loaders.zeek import iot23_connections
from training.scenarios.vnet_flow_log import FlowLog, document

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)


def _machine(name: str, number: int) -> Instance:
    return Instance(name, f"i-{number:017x}", (f"eni-{number:017x}", f"eni-{number + 99:017x}"), f"10.20.1.{number}")


MACHINE = _machine("web-3", 30)
NAMES = ("web-1", "web-2", "database", "bastion")
WORLD = World("vpc-0abc1234567890def", (), {}, {name: _machine(name, 10 + n) for n, name in enumerate(NAMES)}, {}, "")
ROLE = Role("shop-web", "arn:aws:iam::123456789012:role/shop-web", "AROAEXAMPLEEXAMPLE01")
SESSION = f"{ROLE.id}:{MACHINE.id}"
TECHNIQUE = "aws.lateral-movement.ec2-serial-console-send-ssh-public-key"


PERSON = activity.Person(
    "5e471e1a-0000-4000-8000-0000000000aa",
    "mallory",
    "72f988bf-0000-4000-8000-000000000000",
    "11111111-2222-4333-8444-555555555555",
    "token",
)

_NETWORKS = f"/subscriptions/{PERSON.subscription_id}/resourceGroups/shop/providers/Microsoft.Network"
FLOW_LOG = FlowLog(f"{_NETWORKS}/networkWatchers/watcher/flowLogs/shop", f"{_NETWORKS}/virtualNetworks/shop")


@pytest.fixture
def root() -> Path:
    found = data_root()
    if found is None:
        pytest.skip("the recordings are not here: set BREAKWATER_DATA")
    return found


@pytest.fixture
def no_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (activity, flows, calls, guessing, vnet_recording):
        monkeypatch.setattr(module, "data_root", lambda: None)


def _beacons() -> ReplayedFlows:
    return flows.recorded_capture(
        WORLD, MACHINE, AT, capture="8-1", label="command_and_control", minutes=25, instead="beacon-odd-port", held_out=True
    )


def _activity(replayed: activity.ReplayedOperations) -> list[ApiCall]:
    """The calls that the detecting function makes of the records; it can use them all."""
    records = [*replayed.history, *replayed.attack]
    made = [each for each in parse_audit_records({"records": records}, source="test") if isinstance(each, ApiCall)]
    assert len(made) == len(records)
    return made


def _ends(batch: FlowBatch) -> list[tuple[str, str]]:
    sides = ((to_text(*words.tolist()) for words in column) for column in (batch.source, batch.destination))
    return list(zip(*sides, strict=True))


def _parsed(text: bytes) -> tuple[FlowBatch, int]:
    (read,) = read_flows(io.BytesIO(text), source="test")
    return read.batch, len(read.rejected)


def test_a_capture_becomes_the_machines_traffic_and_ends_now(root: Path) -> None:
    replayed = _beacons()
    batch, rejected = _parsed(replayed.text)
    assert rejected == 0
    own = np.flatnonzero([to_text(*source) == MACHINE.private_address for source in batch.source.tolist()])
    assert len(own) > 100
    assert {batch.interfaces[batch.interface[n]].instance_id for n in own if batch.local_source[n]} == {MACHINE.id}
    assert AT_MS - 10_000 <= int(batch.end_ms[own].max()) <= AT_MS
    assert int(batch.end_ms.max()) <= AT_MS
    assert len({to_text(*source) for source in batch.source.tolist()}) > 2, "among the traffic of its neighbours"
    assert replayed.provenance is Provenance.RECORDED_MOVED


def test_order_and_gaps_of_the_capture_are_kept_to_the_second(root: Path) -> None:
    controller = "178.128.185.250"
    capture = iot23_connections(root, "8-1")
    first = next(each.start_ms for each in capture if each.label == "command_and_control")
    recorded: dict[int, int] = {}  # a port's retries are one record of an interval: its first packet is compared
    for each in capture:
        if each.destination == controller and first - 120_000 <= each.start_ms < first + 25 * 60_000:
            recorded.setdefault(each.source_port, each.start_ms)
    batch, _ = _parsed(_beacons().text)
    replayed: dict[int, int] = {}
    for flow in np.argsort(batch.start_ms, kind="stable").tolist():
        if to_text(*batch.destination[flow].tolist()) == controller:
            replayed.setdefault(int(batch.source_port[flow]), int(batch.start_ms[flow]))
    assert replayed.keys() == recorded.keys()
    assert len(recorded) > 15
    moved_by = [replayed[port] - recorded[port] for port in recorded]
    assert max(moved_by) - min(moved_by) <= 1000, "one amount for all; the log has whole seconds"


def test_the_same_recording_account_and_time_give_the_same_bytes(root: Path) -> None:
    assert _beacons() == _beacons()


def test_objects_hold_every_record_once_each_under_the_header(root: Path) -> None:
    whole = _beacons()
    header, *lines = whole.text.splitlines()
    parts = [part.splitlines() for part in whole.objects(5)]
    assert len(parts) == 5
    assert {part[0] for part in parts} == {header}
    assert [line for part in parts for line in part[1:]] == lines
    assert len(lines) == whole.records


def test_guesses_go_from_the_machine_to_its_target(root: Path) -> None:
    target = WORLD.instances["database"]
    batch, rejected = _parsed(flows.guessing_outward(WORLD, MACHINE, target, AT, rows=50).text)
    assert rejected == 0
    seen_by_machine = [batch.interfaces[number].instance_id == MACHINE.id for number in batch.interface.tolist()]
    ssh = np.flatnonzero((batch.destination_port == 22) & np.array(seen_by_machine))
    assert len(set(batch.source_port[ssh].tolist())) == 50
    assert {to_text(*batch.source[n].tolist()) for n in ssh} == {MACHINE.private_address}
    assert {to_text(*batch.destination[n].tolist()) for n in ssh} == {target.private_address}


def test_broken_lines_are_rejected_and_nothing_else_changes(root: Path) -> None:
    whole = flows.ordinary_traffic(WORLD, MACHINE, AT)
    broken = flows.with_broken_lines(whole, ["no record", "5 1 2"])
    before, after = _parsed(whole.text), _parsed(broken.text)
    assert (before[1], after[1]) == (0, 2)
    assert len(before[0]) == len(after[0])
    assert broken.records == whole.records + 2


def _calls(replayed: calls.ReplayedCalls) -> list[ApiCall]:
    read = [item for each in replayed.all for item in parse_cloudtrail(each, source="test")]
    assert all(isinstance(item, ApiCall) for item in read), "every record is readable"
    return [item for item in read if isinstance(item, ApiCall)]


def test_a_recorded_technique_becomes_the_sessions_own(root: Path) -> None:
    replayed = calls.stratus(TECHNIQUE, ROLE, MACHINE.id, AT, instead="serial-console")
    made = _calls(replayed)
    assert {call.session for call in made} == {Entity(EntityKind.SESSION, SESSION, "123456789012")}
    assert {(call.account, call.instance_id) for call in made} == {("123456789012", MACHINE.id)}
    assert [call.operation for call in made[-4:]] == ["EnableSerialConsoleAccess"] + 3 * ["SendSerialConsoleSSHPublicKey"]
    assert len(replayed.history) >= 24
    assert [call.time_ms for call in made] == sorted(call.time_ms for call in made)
    assert made[-1].time_ms == AT_MS
    assert len({call.event_id for call in made}) == len(made)
    assert "stratus" not in json.dumps(replayed.all).lower(), "the tool's name would give it away"
    assert "held out" in replayed.source


def test_recorded_activity_becomes_one_session_of_the_seeded_person(root: Path) -> None:
    recorded = activity.recorded_operations(root)
    replayed = activity.blinding(PERSON, AT)
    made = _activity(replayed)
    assert {call.session for call in made} == {Entity(EntityKind.SESSION, PERSON.session, PERSON.subscription_id)}
    assert [call.operation for call in made[-4:]] == [
        "locks/delete",
        "networkwatchers/delete",
        "firewallpolicies/delete",
        "workspaces/delete",
    ]
    assert [call.time_ms for call in made] == sorted(call.time_ms for call in made)
    assert made[-1].time_ms < AT_MS
    assert len({call.event_id for call in made}) == len(made)
    assert replayed.provenance is Provenance.RECORDED_REHOSTED
    kept = {"operationName", "resultType", "category", "location"}
    for own, said in zip(replayed.attack, recorded, strict=True):
        assert {name: own[name] for name in kept} == {name: said[name] for name in kept}
        assert said["callerIpAddress"] not in json.dumps(own)


def test_a_recorded_flow_log_of_azure_becomes_the_machines(root: Path) -> None:
    kept = json.loads((root / "azure_flow_logs" / "blob_fixtures_vnetflowlogs.json").read_bytes())["records"][:4]
    (before,) = read_vnet_flows(io.BytesIO(json.dumps({"records": kept}).encode()), source="recorded")
    records = vnet_recording.recorded_minutes(FLOW_LOG, "000D3A000001", "10.20.1.40", AT)
    (after,) = read_vnet_flows(io.BytesIO(document(records)), source="moved")
    assert not before.rejected
    assert not after.rejected
    assert [each.interface_id for each in after.batch.interfaces] == ["000d3a000001"]
    assert {each.account for each in after.batch.interfaces} == {PERSON.subscription_id}
    assert records[-1].time_ms <= AT_MS
    assert (np.diff(after.batch.start_ms) == np.diff(before.batch.start_ms)).all()
    for column in ("source_port", "destination_port", "protocol", "packets_out", "bytes_in", "rejected", "two_way"):
        assert (getattr(after.batch, column) == getattr(before.batch, column)).all(), column
    was, now = (_ends(read.batch) for read in (before, after))
    assert [tuple("10.20.1.40" if each == "10.1.0.4" else each for each in ends) for ends in was] == now
    assert sum(len(record.labels) for record in records) == 83


def test_lines_of_a_guessed_host_keep_their_gaps_under_another_name(root: Path) -> None:
    recorded = read_xz_text(root / "system_logs" / "OpenSSH_2k.log.xz").splitlines()[-240:]
    replayed = guessing.openssh("web-6", AT)
    assert replayed.lines[-1][0] == max(time_ms for time_ms, _ in replayed.lines) == AT_MS
    first = [parse_syslog(line, now_ms=AT_MS).time_ms for line in recorded]
    moved = [parse_syslog(line, now_ms=AT_MS) for _, line in replayed.lines]
    assert {line.host for line in moved} == {"web-6"}
    assert np.diff([line.time_ms for line in moved]).tolist() == np.diff(first).tolist()
    assert [line.time_ms for line in moved] == [time_ms for time_ms, _ in replayed.lines]
    assert [line.message for line in moved] == [parse_syslog(line, now_ms=AT_MS).message for line in recorded]


@pytest.mark.usefixtures("no_recordings")
def test_without_recordings_the_same_formats_are_generated_and_say_so() -> None:
    told = [
        _beacons(),
        flows.guessing_outward(WORLD, MACHINE, WORLD.instances["database"], AT),
        flows.ordinary_traffic(WORLD, MACHINE, AT),
    ]
    for replayed in told:
        batch, rejected = _parsed(replayed.text)
        assert rejected == 0
        assert len(batch) > 20
        assert MACHINE.id in {interface.instance_id for interface in batch.interfaces}
        assert int(batch.end_ms.max()) <= AT_MS
    made = calls.stratus(TECHNIQUE, ROLE, MACHINE.id, AT, instead="serial-console")
    assert SESSION in {call.session.id for call in _calls(made) if call.session}
    assert vnet_recording.recorded_minutes(FLOW_LOG, "000D3A000001", "10.20.1.40", AT) == ()
    blinding = activity.blinding(PERSON, AT)
    assert [call.operation for call in _activity(blinding)[-4:]][-1] == "workspaces/delete"
    assert blinding.provenance is Provenance.GENERATED
    lines = guessing.openssh("web-6", AT)
    assert all(parse_syslog(line, now_ms=AT_MS).host == "web-6" for _, line in lines.lines)
    for each in (*told, made, lines):
        assert each.provenance is Provenance.GENERATED
        assert "generated" in each.source
