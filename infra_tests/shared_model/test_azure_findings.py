"""Sentinel incidents and exported alerts: entities, telemetry, technique, severity, samples, and our own verdicts coming back."""

from __future__ import annotations

import csv
import json
import lzma
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_tests.shared_model.test_azure_activity import JSON, count
from shared_model.audit_descriptions import describe_call
from shared_model.events import ApiCall, Entity, EntityKind, Finding, Rejected, Telemetry
from shared_model.memory import InProcessMemory
from shared_model.parsers.azure_activity import parse_azure_activity
from shared_model.parsers.azure_alert_types import severity_of, technique_of, telemetry_of
from shared_model.parsers.defender import parse_exported_alerts
from shared_model.parsers.sentinel import parse_sentinel_incident
from shared_model.triage import triage
from training.data_root import data_root

EVENTS = Path(__file__).parents[1] / "events" / "azure"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
USER = "aaaaaaaa-0000-0000-0000-000000000001"
SHOP = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/shop/providers"
MACHINE = Entity(EntityKind.INSTANCE, f"{SHOP}/microsoft.compute/virtualmachines/web-1", SUBSCRIPTION)
needs_data = pytest.mark.skipif(data_root() is None, reason="recorded data is absent: set BREAKWATER_DATA to its folder")


def incident() -> Any:
    return json.loads((EVENTS / "sentinel_incident.json").read_text())


def alerts() -> list[Any]:
    loaded: list[Any] = json.loads((EVENTS / "exported_alerts.json").read_text())["records"]
    return loaded


def found(document: object) -> Finding:
    (result,) = parse_sentinel_incident(document, source="test")
    assert isinstance(result, Finding), result
    return result


def exported(document: object) -> Finding:
    (result,) = parse_exported_alerts(document, source="test")
    assert isinstance(result, Finding), result
    return result


def test_an_incident_names_the_machine_then_the_user_in_both_places_then_the_rest():
    result = found(incident())
    assert result.entities == (
        MACHINE,
        Entity(EntityKind.PRINCIPAL, USER, SUBSCRIPTION),
        Entity(EntityKind.PRINCIPAL, USER, TENANT),
        Entity(EntityKind.INTERFACE, f"{SHOP}/microsoft.network/networkinterfaces/web-1-nic", SUBSCRIPTION),
    )
    assert (result.remote_addresses, result.local_addresses) == (("198.51.100.9",), ("10.0.1.4",))


def test_an_incident_says_what_it_was_drawn_from_and_how_bad_it_is():
    result = found(incident())
    assert (result.product, result.type, result.technique) == ("sentinel", "Rule/CredentialAccess", "T1110")
    assert result.telemetry is Telemetry.SYSTEM_LOGS  # its rule's query reads Syslog
    assert (result.severity, result.count, result.sample, result.time_ms) == (8.0, 1, False, 1772454060100)
    assert result.finding_id == incident()["object"]["id"]  # comments are written under it


def test_an_incident_and_calls_in_another_subscription_share_a_name():
    """The workspace of Sentinel often lies in a subscription of its own: what joins the two signals is the directory."""
    record = json.loads((EVENTS / "activity_log.json").read_text())["records"][2]
    record["resourceId"] = record["resourceId"].replace(SUBSCRIPTION, "22222222-2222-3333-4444-555555555555")
    (call,) = parse_azure_activity(record, source="test")
    assert isinstance(call, ApiCall)
    named = set(describe_call(call).related)
    assert named & set(found(incident()).entities) == {Entity(EntityKind.PRINCIPAL, USER, TENANT)}


def test_a_principal_goes_by_where_it_happened_then_by_its_directory_then_by_the_workspace():
    """An action takes the first: the roles to remove are where it happened, not where Sentinel is."""
    text = json.dumps(incident()).replace(SUBSCRIPTION, "33333333-2222-3333-4444-555555555555")
    document = json.loads(
        text.replace("33333333-2222-3333-4444-555555555555/resourceGroups/shop", f"{SUBSCRIPTION}/resourceGroups/shop")
    )
    owners = [entity.account for entity in found(document).entities if entity.kind is EntityKind.PRINCIPAL]
    assert owners == [SUBSCRIPTION, TENANT, "33333333-2222-3333-4444-555555555555"]
    assert found(document).account == "33333333-2222-3333-4444-555555555555"


def test_a_machine_that_can_be_contained_stands_before_one_that_only_has_a_name():
    document = incident()
    document["object"]["properties"]["relatedEntities"].insert(0, {"kind": "Host", "properties": {"hostName": "onprem-7"}})
    kinds = [entity.kind for entity in found(document).entities]
    assert kinds[:2] == [EntityKind.INSTANCE, EntityKind.HOST]


def test_an_incident_of_the_api_stands_without_alerts_and_entities():
    bare = incident()["object"]
    del bare["properties"]["alerts"], bare["properties"]["relatedEntities"]
    result = found({"value": [bare]})
    assert (result.entities, result.technique, result.severity) == ((), "T1110", 8.0)
    assert result == found(bare)


def test_what_is_drawn_from_our_own_verdicts_is_no_signal():
    document = incident()
    alert = document["object"]["properties"]["alerts"][0]
    alert["properties"]["additionalData"]["Query"] = "Breakwater_CL | where Kind == 'verdict'"
    assert found(document).sample
    # The query may be left out of the alert; what the rule hands on with it is not.
    alert["properties"]["additionalData"] = {"Custom Details": json.dumps({"VerdictId": ["0f"], "Detector": ["audit"]})}
    assert found(document).sample
    other = incident()["object"]["properties"]["alerts"][0]
    document["object"]["properties"]["alerts"].append(other)
    assert not found(document).sample
    assert found(document).telemetry is Telemetry.SYSTEM_LOGS


def test_an_alert_that_is_added_makes_another_verdict_and_a_delivery_again_does_not():
    def seen(document: Any) -> str:
        (verdict,) = triage(found(document), {}, InProcessMemory(), now_ms=0, correlation_id="c").verdicts
        return verdict.id

    document = incident()
    alerts = document["object"]["properties"]["alerts"]
    first = seen(document)
    document["object"]["properties"]["lastModifiedTimeUtc"] = "2026-03-02T13:00:00Z"
    document["object"]["properties"]["severity"] = "Low"
    assert seen(document) == first
    alerts.append(json.loads(json.dumps(alerts[0])))
    assert seen(document) == first  # the same alert twice
    alerts[1]["properties"]["systemAlertId"] = "a1e27000-0000-4000-8000-000000000002"
    second = seen(document)
    assert second != first
    alerts.reverse()
    assert seen(document) == second
    alerts.append(json.loads(json.dumps(alerts[0])))
    alerts[2]["properties"] |= {
        "systemAlertId": "a1e27000-0000-4000-8000-000000000003",
        "additionalData": {"Query": "Breakwater_CL | where Kind == 'verdict'"},
    }
    assert seen(document) == second  # our own verdict, come back
    assert found(document).finding_id == found(incident()).finding_id


def test_where_alerts_differ_the_finding_counts_as_drawn_from_what_a_detector_reads():
    document = incident()
    alert = document["object"]["properties"]["alerts"][0]
    second = json.loads(json.dumps(alert))
    second["properties"]["additionalData"]["Query"] = "SigninLogs | take 1"
    alert["properties"]["additionalData"]["Query"] = "DnsEvents | take 1"
    document["object"]["properties"]["alerts"] = [alert, second]
    result = found(document)
    assert result.telemetry is Telemetry.API_CALLS
    assert result.entities[0].kind is EntityKind.PRINCIPAL  # then it is about who called


def test_an_alert_of_defender_from_the_export():
    result = exported(alerts()[0])
    assert (result.product, result.type, result.severity) == ("defender", "VM_SuspectDownload", 5.0)
    assert result.entities == (MACHINE,)  # an account of the machine is nobody in the cloud
    assert (result.remote_addresses, result.telemetry) == (("203.0.113.44",), Telemetry.RUNTIME)
    assert (result.technique, result.account, result.count) == ("T1059", SUBSCRIPTION, 1)


def test_an_alert_of_defender_from_the_api():
    result = exported({"value": [alerts()[1]]})
    assert result.entities == (Entity(EntityKind.PRINCIPAL, USER, SUBSCRIPTION), Entity(EntityKind.PRINCIPAL, USER, TENANT))
    assert (result.telemetry, result.technique) == (Telemetry.API_CALLS, "T1552.001")
    assert result.finding_id == "2519_5f5f5f5f-0000-0000-0000-0000000000bb"


def test_a_row_of_the_table_keeps_its_lists_as_text():
    result = exported(alerts()[2])
    assert (result.product, result.type, result.technique) == ("sentinel", "Rule/InitialAccess", "T1078")
    assert result.entities == (Entity(EntityKind.PRINCIPAL, USER, SUBSCRIPTION),)
    assert (result.telemetry, result.remote_addresses) == (Telemetry.API_CALLS, ("198.51.100.77",))


def test_what_is_no_alert_says_so_and_the_others_stand():
    results = list(parse_exported_alerts({"records": [alerts()[3], alerts()[0], incident()]}, source="hub"))
    assert [type(result) for result in results] == [Rejected, Finding, Finding]
    assert isinstance(results[0], Rejected)
    assert "Microsoft.Security/assessments" in results[0].reason
    assert isinstance(results[2], Finding)
    assert results[2].product == "sentinel"


@pytest.mark.parametrize(
    ("title", "sample"),
    [
        ("[SAMPLE ALERT] Digital currency mining activity", True),
        ("Azure Security Center test alert (not a threat)", True),
        ("Sample of a rare process", False),
        ("Process (not a threat)", False),
    ],
)
def test_samples_are_told_by_the_titles_that_the_product_gives_them(title: str, sample: bool):
    assert exported(alerts()[0] | {"AlertDisplayName": title}).sample is sample


def test_a_rule_cannot_be_made_to_pose_as_a_sample():
    assert not exported(alerts()[2] | {"DisplayName": "[SAMPLE ALERT] x", "AlertDisplayName": "[SAMPLE ALERT] x"}).sample


@pytest.mark.parametrize(
    ("product", "kind", "query", "telemetry"),
    [
        ("Microsoft Defender for Cloud", "ARM_OperationFromSuspiciousIP", "", Telemetry.API_CALLS),
        ("Microsoft Defender for Cloud", "VM_SshBruteForceFailed", "", Telemetry.SYSTEM_LOGS),
        ("Microsoft Defender for Cloud", "K8S.NODE_ReverseShell", "", Telemetry.RUNTIME),
        ("Microsoft Defender for Cloud", "Storage.Blob_AnonymousAccess", "", Telemetry.DATA_EVENTS),
        ("Microsoft Defender for Cloud", "AzureDNS_DGADomain", "", Telemetry.DNS_LOGS),
        ("Microsoft Defender for Cloud", "PortScanning", "", Telemetry.FLOW_LOGS),
        ("Microsoft Defender Advanced Threat Protection MDATP", "WindowsDefenderAv", "", Telemetry.RUNTIME),
        ("Azure Active Directory Identity Protection IPC", "UnfamiliarLocation", "", Telemetry.API_CALLS),
        ("Azure Sentinel", "Rule", "NTANetAnalytics | take 1", Telemetry.FLOW_LOGS),
        ("Azure Sentinel", "Rule", "DeviceProcessEvents | take 1", Telemetry.RUNTIME),
        ("Azure Sentinel", "Rule", "_Im_NetworkSession(starttime=ago(1h))", Telemetry.FLOW_LOGS),
        ("Azure Sentinel", "Rule", "vimDnsAzureFirewall | take 1", Telemetry.DNS_LOGS),
        ("Azure Sentinel", "Rule", "imAuthentication | take 1", Telemetry.API_CALLS),
        ("Azure Sentinel", "Rule", "union Syslog, AzureActivity", Telemetry.API_CALLS),
        ("Azure Sentinel", "Rule", "Unheard_CL | take 1", Telemetry.API_CALLS),
        ("Somebody else", "", "", Telemetry.API_CALLS),
    ],
)
def test_what_an_alert_was_drawn_from(product: str, kind: str, query: str, telemetry: Telemetry):
    assert telemetry_of(product, kind, query, unknown=Telemetry.API_CALLS) is telemetry


@pytest.mark.parametrize(
    ("entities", "telemetry"),
    [
        ([{"Type": "host", "HostName": "web-1"}, {"Type": "ip", "Address": "198.51.100.9"}], Telemetry.SYSTEM_LOGS),
        ([{"Type": "account", "AadUserId": USER}, {"Type": "ip", "Address": "198.51.100.9"}], Telemetry.API_CALLS),
        ([{"Type": "ip", "Address": "198.51.100.9"}], Telemetry.FLOW_LOGS),
        ([], Telemetry.API_CALLS),
    ],
)
def test_what_is_unknown_counts_as_what_a_detector_would_have_seen_of_it(entities: list[Any], telemetry: Telemetry):
    """Else it would pass for a second signal beside a verdict on the same records."""
    row = alerts()[2] | {"ExtendedProperties": json.dumps({"Query": "Unheard_CL | take 1"}), "Entities": json.dumps(entities)}
    assert exported(row).telemetry is telemetry


@pytest.mark.parametrize(
    ("stated", "kind", "tactics", "technique"),
    [
        ('["T1110", "T1110.003"]', "", "", "T1110.003"),
        ("System Binary Proxy Execution (T1218)", "", "Execution", "T1218"),
        ("", "AzureDNS_CurrencyMining", "Exfiltration", "T1496"),
        ("", "Rule", '["LateralMovement"]', "T1021"),
        ("", "Rule", "Unheard, InitialAccess", "T1078.004"),
        ("", "Rule", "", ""),
    ],
)
def test_the_technique_is_stated_or_follows_type_and_tactic(stated: str, kind: str, tactics: str, technique: str):
    assert technique_of(stated, kind, tactics) == technique


def test_severities_keep_the_order_of_the_other_cloud():
    order = [severity_of(name) for name in ("Informational", "Low", "Medium", "High")]
    assert order == [1.0, 2.0, 5.0, 8.0]
    assert severity_of("Severe") is None


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("object", "properties", "severity"), "Severe", "object.properties.severity"),
        (("object", "properties", "title"), "", "object.properties.title"),
        (("object", "properties", "lastModifiedTimeUtc"), "soon", "object.properties.lastmodifiedtimeutc"),
    ],
)
def test_a_wrong_field_rejects_the_incident_and_names_it(path: tuple[str, ...], value: object, field: str):
    document = place = incident()
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    (result,) = parse_sentinel_incident(document, source="playbook")
    assert isinstance(result, Rejected)
    assert (result.source, result.record, result.field) == ("playbook", 1, field)


@pytest.mark.parametrize(
    ("change", "field"), [({"Severity": "7"}, "Severity"), ({"SystemAlertId": "", "ProviderAlertId": ""}, "SystemAlertId")]
)
def test_a_wrong_field_rejects_the_alert_and_names_it(change: dict[str, object], field: str):
    (result,) = parse_exported_alerts(alerts()[0] | change, source="hub")
    assert isinstance(result, Rejected)
    assert result.field == field


@given(JSON)
def test_any_json_gives_findings_and_rejects_that_add_up(document: object):
    for parse in (parse_sentinel_incident, parse_exported_alerts):
        assert len(list(parse(document, source="test"))) == count(document)


@given(
    st.sampled_from(["alerts", "relatedEntities", "additionalData", "labels", "owner", "incidentNumber"]),
    JSON,
    st.sampled_from(["Entities", "ResourceIdentifiers", "ExtendedProperties", "Intent", "AzureResourceId", "Techniques"]),
)
def test_any_value_in_an_optional_field_leaves_the_finding_standing(field: str, value: object, other: str):
    document = incident()
    document["object"]["properties"][field] = value
    assert found(document).title
    assert exported(alerts()[0] | {other: value}).title


@needs_data
def test_every_recorded_alert_parses():
    root = data_root()
    assert root is not None
    csv.field_size_limit(sys.maxsize)
    with lzma.open(root / "azure_alerts" / "msticpy_alertlist.csv.xz", "rt", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    results = [result for result in parse_exported_alerts(rows, source="test") if isinstance(result, Finding)]
    assert len(results) == len(rows) == 189
    assert Counter(result.sample for result in results)[True] == 5  # the alert that proves an installation
    assert sum(any(entity.kind is EntityKind.INSTANCE for entity in result.entities) for result in results) == 152
    assert sum(not result.entities for result in results) == 13
