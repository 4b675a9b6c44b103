"""Sign-ins and directory changes of Entra ID, from a hub and from exported tables."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_tests.shared_model.test_azure_activity import JSON, count
from shared_model.audit_descriptions import describe_call
from shared_model.events import ApiCall, Entity, EntityKind, Rejected
from shared_model.parsers.azure_audit import parse_audit_records, read_audit_records
from shared_model.parsers.entra import parse_entra
from training.data_root import data_root

EVENTS = Path(__file__).parents[1] / "events" / "azure"
TENANT = "99999999-8888-7777-6666-555555555555"
USER = "aaaaaaaa-0000-0000-0000-000000000001"
APPLICATION = "bbbbbbbb-0000-0000-0000-000000000002"
needs_data = pytest.mark.skipif(data_root() is None, reason="recorded data is absent: set BREAKWATER_DATA to its folder")


def records(name: str = "entra") -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((EVENTS / f"{name}.json").read_text())["records"]
    return loaded


def calls() -> list[ApiCall]:
    results = list(parse_entra(records(), source="test"))
    assert all(isinstance(result, ApiCall) for result in results), results
    return [result for result in results if isinstance(result, ApiCall)]


def test_a_sign_in_with_a_second_factor():
    result = calls()[0]
    assert (result.service, result.operation, result.caller_kind) == ("entra", "SignIn", "User")
    assert result.principal == Entity(EntityKind.PRINCIPAL, USER, TENANT)
    assert (result.mfa, result.succeeded, result.session) == (True, True, None)
    assert (result.source_address, result.user_agent) == ("198.51.100.7", "Mozilla/5.0 (X11; Linux x86_64)")
    assert result.targets[0] == "797f4846-ba00-4fd7-ba43-dac1f8f63013"
    assert result.event_id == "5f5f5f5f-0000-0000-0000-000000000001"


def test_a_wrong_password_is_a_failure_without_a_second_factor():
    result = calls()[1]
    assert (result.succeeded, result.error_code, result.mfa) == (False, "50126", False)


def test_a_user_that_does_not_exist_is_watched_under_the_name_that_was_tried():
    result = calls()[2]
    assert result.principal.id == "root@example.com"
    assert result.error_code == "50034"


def test_a_refreshed_token_of_a_guest():
    result = calls()[3]
    assert (result.operation, result.caller_kind, result.read_only) == ("NonInteractiveUserSignIn", "Guest", True)
    assert result.user_agent == "appid/04b07795-8ddb-461a-bbee-02f9e1bf7b46"


def test_an_application_is_its_service_principal_and_shows_its_credential():
    result = calls()[4]
    assert (result.caller_kind, result.principal.id) == ("ServicePrincipal", APPLICATION)
    assert result.access_key_id == "abcabcab-0000-0000-0000-000000000001"
    assert (result.mfa, result.error_code) == (None, "7000215")


def test_a_managed_identity_names_its_machine():
    result = calls()[5]
    assert result.caller_kind == "ManagedIdentity"
    assert result.instance_id.endswith("/virtualmachines/web-1")
    machine = Entity(EntityKind.INSTANCE, result.instance_id, "11111111-2222-3333-4444-555555555555")
    assert describe_call(result).related == (machine,)  # where it lies, not in the directory that saw the sign-in


def test_a_sign_in_that_conditional_access_refused_shows_no_second_factor():
    result = calls()[6]
    assert (result.succeeded, result.error_code, result.mfa) == (False, "53003", False)


def test_conditional_access_refuses_also_where_no_number_says_so():
    record = records()[0]
    record["properties"]["conditionalAccessStatus"] = "failure"
    (result,) = parse_entra(record, source="test")
    assert isinstance(result, ApiCall)
    assert result.error_code == "conditionalAccess"


def test_a_change_of_the_directory_names_who_and_whom():
    role, secret, refused, by_rule = calls()[7:11]
    assert (role.operation, role.principal.id, role.source_address) == ("Add member to role", USER, "198.51.100.7")
    assert role.targets == ("abababab-0000-0000-0000-000000000007", "f0f0f0f0-0000-0000-0000-000000000001")
    assert secret.operation == "Update application – Certificates and secrets management"
    assert (secret.caller_kind, secret.principal.id) == ("ServicePrincipal", APPLICATION)
    assert (refused.succeeded, refused.error_code) == (False, "Insufficient privileges to complete the operation.")
    assert (by_rule.caller_kind, by_rule.principal.id) == ("Service", "dynamic group processing")


def test_rows_of_tables_have_their_details_beside_the_rest():
    change, sign_in, _ = parse_audit_records(records("exported_tables"), source="test")
    assert isinstance(change, ApiCall)
    assert isinstance(sign_in, ApiCall)
    assert (change.operation, change.principal, change.targets) == (
        "Disable account",
        Entity(EntityKind.PRINCIPAL, USER, TENANT),
        (USER,),
    )
    assert (sign_in.operation, sign_in.error_code, sign_in.source_address) == ("SignIn", "50074", "2001:db8::9")
    assert sign_in.targets == ("04b07795-8ddb-461a-bbee-02f9e1bf7b46",)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"category": "RiskyUsers"}, "category"),
        ({"properties": {"createdDateTime": 7}}, "createddatetime"),
        ({"properties": {"userId": "u" * 1025, "createdDateTime": "2026-03-02T10:30:00Z"}}, "properties.userId"),
    ],
)
def test_a_record_that_cannot_be_used_is_rejected_and_the_rest_stands(change: dict[str, Any], field: str):
    wrong, good = parse_entra([records()[0] | change, records()[0]], source="hub")
    assert isinstance(wrong, Rejected)
    assert (wrong.source, wrong.record, wrong.field) == ("hub", 1, field)
    assert isinstance(good, ApiCall)


def test_one_event_may_mix_logs_and_a_category_that_is_not_read_says_so():
    activity = json.loads((EVENTS / "activity_log.json").read_text())["records"][2]
    document = {"records": [activity, records()[0], {"time": "2026-03-02T10:00:00Z", "category": "StorageRead"}]}
    first, second, third = parse_audit_records(document, source="hub")
    assert isinstance(first, ApiCall)
    assert first.service == "microsoft.compute"
    assert isinstance(second, ApiCall)
    assert second.service == "entra"
    assert isinstance(third, Rejected)
    assert third.record == 3
    assert "'storageread'" in third.reason
    assert "diagnostic setting" in third.reason


def test_an_archive_is_read_line_by_line_and_counts_its_records():
    lines = "\n".join([json.dumps(records()[0]), "{broken", json.dumps(records()[7])])
    results = list(read_audit_records(io.BytesIO(lines.encode()), source="archive"))
    assert [type(result) for result in results] == [ApiCall, Rejected, ApiCall]
    assert isinstance(results[1], Rejected)
    assert results[1].record == 2


@given(st.binary(max_size=400))
def test_any_bytes_never_raise(data: bytes):
    for result in read_audit_records(io.BytesIO(data), source="test"):
        assert isinstance(result, ApiCall | Rejected)


@given(JSON)
def test_any_json_gives_calls_and_rejects_that_add_up(document: object):
    assert len(list(parse_entra(document, source="test"))) == count(document)


@given(
    st.integers(0, 10),
    st.sampled_from(
        ["status", "initiatedBy", "targetResources", "additionalDetails", "location", "mfaDetail", "resourceId", "appId"]
    ),
    JSON,
)
def test_any_value_in_an_optional_field_leaves_the_call_standing(place: int, field: str, value: object):
    record = records()[place]
    record["properties"][field] = value
    (result,) = parse_entra(record, source="test")
    assert isinstance(result, ApiCall)
    assert result.principal.id


@needs_data
def test_the_recorded_golden_saml_attack_parses():
    root = data_root()
    assert root is not None
    archive = zipfile.ZipFile(root / "azure_goldensaml_otrf" / "AADAuditEvents.Zip")
    results = list(read_audit_records(io.BytesIO(archive.read("AADAuditEvents.json")), source="test"))
    assert [result.operation for result in results if isinstance(result, ApiCall)] == [
        "Update application – Certificates and secrets management",
        "Update application – Certificates and secrets management",
        "Update application",
        "Add delegated permission grant",
    ]
    assert len({result.event_id for result in results if isinstance(result, ApiCall)}) == 3  # one was exported twice


@needs_data
def test_recorded_panther_cases_parse_or_name_the_field():
    yaml = pytest.importorskip("yaml", reason="reading Panther's cases needs PyYAML")
    root = data_root()
    assert root is not None
    good, rejects = 0, []
    for folder in ("azure_activity_rules", "azure_signin_rules"):
        for path in sorted((root / "panther" / folder).glob("*.yml")):
            for case in yaml.safe_load(path.read_text()).get("Tests", []):
                for result in parse_audit_records(case["Log"], source=path.name):
                    good += isinstance(result, ApiCall)
                    rejects += [result.field] if isinstance(result, Rejected) else []
    assert (good, rejects) == (165, ["category"] * 8)  # data-plane records of storage accounts
