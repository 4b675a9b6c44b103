"""One event of each trigger, followed by its correlation id to what it changed, and back by undo."""

from __future__ import annotations

import json
import uuid

import pytest

from azure_functions.actions.catalogue import ACTIONS, GROUPS
from azure_functions.registry import FINDINGS, Group
from infra_tests.offline.azure.following import Followed
from offline.azure.incident_bodies import GUESSING_ADDRESS, MASS_DOWNLOAD, PORT_PROBE, account, address
from offline.azure.rights import deployed_rights
from offline.azure.vault import GIVEN
from offline.replay.activity import blinding
from offline.replay.guessing import openssh
from offline.replay.vnet_stories import guessed_at
from shared_model.events import EntityKind

pytestmark = pytest.mark.e2e
QUARANTINE, INSTANCE = "quarantine_instance", EntityKind.INSTANCE


def test_a_flow_log_blob_to_an_isolated_machine_and_back(follow: Followed) -> None:
    machine = follow.fresh_machine()
    before = follow.stage.estate.groups_of(machine)
    follow.signal(machine)
    assert follow.stage.estate.groups_of(machine) == before, "one signal only notifies"
    follow.beacon(machine)
    blob = follow.cause(QUARANTINE, INSTANCE, machine.id)
    assert machine.macs[0] in blob
    assert "PT1H.json@" in blob
    assert follow.isolated(machine)
    follow.check_trace(blob, "detect_flows", QUARANTINE, INSTANCE, machine.id)
    follow.check_undo(QUARANTINE, INSTANCE, machine.id)
    assert follow.stage.estate.groups_of(machine) == before


def test_a_flow_log_blob_to_a_denied_address_and_back(follow: Followed) -> None:
    machine, outside, at = follow.fresh_machine(), "203.0.113.90", follow.stage.now()
    edge = follow.stage.estate.services.world.edge_group
    before = follow.stage.estate.rules_of(edge)
    follow.stage.incident(GUESSING_ADDRESS, [address(outside)], outside)
    follow.stage.flow_log(guessed_at(follow.stage.site(at, "ssh-patator", machine), machine.host, outside, at), machine)
    denied = {name: rule for name, rule in follow.stage.estate.rules_of(edge).items() if outside in rule}
    assert sorted(rule.split()[2] for rule in denied.values()) == ["inbound", "outbound"]
    assert all(name.startswith("breakwater-") and " Deny " in rule for name, rule in denied.items())
    blob = follow.cause("block_address", EntityKind.ADDRESS, outside)
    follow.check_trace(blob, "detect_flows", "block_address", EntityKind.ADDRESS, outside)
    follow.check_undo("block_address", EntityKind.ADDRESS, outside)
    assert follow.stage.estate.rules_of(edge) == before


def test_activity_records_to_revoked_sessions(follow: Followed) -> None:
    person, stage = follow.fresh_person(), follow.stage
    signed_in = stage.azure.services.graph.object(person.object_id)["signInSessionsValidFromDateTime"]
    stage.incident(MASS_DOWNLOAD, [account(person.object_id, person.name, person.tenant_id)], person.name)
    stage.operations(blinding(person, stage.now()).attack, "logs are taken away")
    assert stage.azure.services.graph.object(person.object_id)["signInSessionsValidFromDateTime"] > signed_in
    event = follow.cause("revoke_sessions", EntityKind.PRINCIPAL, person.object_id)
    assert event.startswith("api-calls/")
    steps = stage.operator.steps("revoke_sessions", EntityKind.PRINCIPAL, person.object_id)
    assert "VERIFIED" in steps
    assert {"verdict", "action"} == {row["Kind"] for row in follow.rows(event)}


def test_activity_records_are_told_before_an_incident_takes_the_rights_away_and_back(follow: Followed) -> None:
    person, stage = follow.fresh_person(), follow.stage
    before = stage.estate.rights_of(person.object_id)
    stage.operations(blinding(person, stage.now()).attack, "logs are taken away")
    assert stage.estate.rights_of(person.object_id) == before, "one signal only notifies"
    incident = stage.incident(MASS_DOWNLOAD, [account(person.object_id, person.name, person.tenant_id)], person.name)
    after = stage.estate.rights_of(person.object_id)
    assert (after["may sign in"], after["role assignments"]) == (False, [])
    for action in ("block_sign_in", "remove_role_assignments"):
        follow.check_trace(incident, "triage_findings", action, EntityKind.PRINCIPAL, person.object_id)
        follow.check_undo(action, EntityKind.PRINCIPAL, person.object_id)
    assert stage.estate.rights_of(person.object_id) == before


def test_syslog_rows_to_an_isolated_machine_and_back(follow: Followed) -> None:
    machine = follow.fresh_machine()
    before = follow.stage.estate.groups_of(machine)
    follow.signal(machine)
    follow.stage.host_log(openssh(machine.name, follow.stage.now()), machine)
    event = follow.cause(QUARANTINE, INSTANCE, machine.id)
    assert event.startswith("system-logs/")
    follow.check_trace(event, "detect_system_logs", QUARANTINE, INSTANCE, machine.id)
    follow.check_undo(QUARANTINE, INSTANCE, machine.id)
    assert follow.stage.estate.groups_of(machine) == before


def test_an_incident_over_http_to_an_isolated_machine_with_comments_and_back(follow: Followed) -> None:
    machine = follow.fresh_machine()
    before = follow.stage.estate.groups_of(machine)
    told = follow.signal(machine, PORT_PROBE)
    incidents = follow.stage.azure.services.arm.incidents
    assert any("needs an independent second one" in comment for comment in incidents.comments(told))
    incident = follow.signal(machine)
    follow.check_trace(incident, "triage_findings", QUARANTINE, INSTANCE, machine.id)
    assert any(machine.id.lower() in comment for comment in incidents.comments(incident))
    follow.check_undo(QUARANTINE, INSTANCE, machine.id)
    assert follow.stage.estate.groups_of(machine) == before


def test_an_exported_alert_to_an_isolated_machine_and_back(follow: Followed) -> None:
    machine, stage = follow.fresh_machine(), follow.stage
    before = stage.estate.groups_of(machine)
    follow.signal(machine, PORT_PROBE)
    now = stage.now().isoformat().replace("+00:00", "Z")
    alert = {
        "VendorName": "Microsoft",
        "AlertType": "VM_SuspectDownload",
        "ProductName": "Microsoft Defender for Cloud",
        "ProductComponentName": "Servers",
        "SystemAlertId": str(uuid.uuid4()),
        "AlertDisplayName": "Detected suspicious file download",
        "Severity": "High",
        "Intent": "Execution",
        "ProcessingEndTime": now,
        "Entities": [{"$id": "1", "HostName": machine.name, "AzureID": machine.id, "Type": "host"}],
        "AzureResourceId": machine.id,
    }
    event = stage.event(FINDINGS, json.dumps({"records": [alert]}).encode(), "an exported alert")
    stage.timeline.drain()
    follow.check_trace(event, "triage_alerts", QUARANTINE, INSTANCE, machine.id)
    follow.check_undo(QUARANTINE, INSTANCE, machine.id)
    assert stage.estate.groups_of(machine) == before


def test_the_timer_ends_what_has_lived_long_enough(follow: Followed) -> None:
    machine, outside, stage, at = follow.fresh_machine(), "203.0.113.91", follow.stage, follow.stage.now()
    edge = stage.estate.services.world.edge_group
    before = stage.estate.rules_of(edge)
    stage.incident(GUESSING_ADDRESS, [address(outside)], outside)
    stage.flow_log(guessed_at(stage.site(at, "ssh-patator", machine), machine.host, outside, at), machine)
    during = stage.estate.rules_of(edge)
    assert during != before
    assert stage.azure.host.fire_timer("expire_containments").outcome.ok
    assert stage.estate.rules_of(edge) == during, "its time is not over"
    stage.operator.age("block_address", EntityKind.ADDRESS, outside, days=1)
    assert stage.azure.host.fire_timer("expire_containments").outcome.ok
    assert stage.estate.rules_of(edge) == before
    entries = stage.operator.journal("block_address", EntityKind.ADDRESS, outside)
    assert [str(entry.step) for entry in entries][-2:] == ["UNDOING", "UNDONE"]
    event = follow.cause("block_address", EntityKind.ADDRESS, outside)
    assert "PT1H.json@" in event
    assert entries[-1].correlation_id == event
    assert "UNDONE" in {row["Step"] for row in follow.rows(event) if row["Kind"] == "action"}


def test_every_identity_kept_to_what_the_templates_grant_it(follow: Followed) -> None:
    follow.contained(follow.fresh_machine())
    services, rights = follow.stage.azure.services, deployed_rights(armed=True)
    for group, identity in services.identities.items():
        # What the operator gives beside, on the key of the links: it is used where a person was asked before.
        allowed = (*rights.get(group, ()), *GIVEN.get(group, ()))
        assert services.calls.undeclared(identity.client_id, allowed) == set(), group
    assert services.calls.calls(services.identities[Group.NETWORK].client_id)
    assert {GROUPS[action.name] for action in ACTIONS} == {Group.NETWORK, Group.IDENTITY, Group.DATA}
