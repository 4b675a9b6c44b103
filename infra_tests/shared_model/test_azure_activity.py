"""Activity log records: every category, every caller, three shapes, and which record of an operation counts."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_tests.shared_model.test_audit_detection import detect
from shared_model.events import ApiCall, Entity, EntityKind, Rejected
from shared_model.memory import InProcessMemory
from shared_model.parsers.azure_activity import is_begun, parse_azure_activity
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.parsers.azure_fields import folded
from training.data_root import data_root

EVENTS = Path(__file__).parents[1] / "events" / "azure"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
USER = "aaaaaaaa-0000-0000-0000-000000000001"
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/shop/providers/microsoft.compute/virtualmachines/web-1"
needs_data = pytest.mark.skipif(data_root() is None, reason="recorded data is absent: set BREAKWATER_DATA to its folder")


def records() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((EVENTS / "activity_log.json").read_text())["records"]
    return loaded


def only(record: object) -> ApiCall | Rejected:
    (result,) = parse_azure_activity(record, source="test")
    return result


def call(record: object) -> ApiCall:
    result = only(record)
    assert isinstance(result, ApiCall), result
    return result


def named(operation: str) -> ApiCall:
    return next(call(record) for record in records() if record["operationName"].lower().endswith(operation) and not begun(record))


def begun(record: dict[str, Any]) -> bool:
    return is_begun(folded(record))


def test_a_user_is_known_by_object_id_and_the_token_is_the_session():
    result = named("runcommand/action")
    assert result.principal == Entity(EntityKind.PRINCIPAL, USER, SUBSCRIPTION)
    assert result.session == Entity(EntityKind.SESSION, f"{USER}:kINdgmA35kmIMsXXinoXAA", SUBSCRIPTION)
    assert result.aliases == (Entity(EntityKind.PRINCIPAL, USER, "99999999-8888-7777-6666-555555555555"),)
    assert (result.caller_kind, result.mfa, result.session_issued_ms) == ("User", True, 1772442000000)
    assert (result.service, result.operation) == ("microsoft.compute", "virtualmachines/runcommand/action")
    assert (result.succeeded, result.read_only, result.source_address) == (True, None, "198.51.100.7")
    assert (result.targets, result.account, result.provider) == ((MACHINE,), SUBSCRIPTION, "azure")


def test_the_answer_counts_once_and_the_beginning_does_not():
    start, accepted, succeeded = records()[:3]
    assert list(parse_azure_activity([start], source="test")) == []
    first, second = call(accepted), call(succeeded)
    assert first.event_id == second.event_id
    assert call(accepted | {"correlationId": "other"}).event_id != first.event_id


def test_the_success_after_the_acceptance_is_dropped_where_events_are_remembered():
    accepted, succeeded = (call(record) for record in records()[1:3])
    memory = InProcessMemory()
    first = detect([accepted], memory)
    memory.store(first.states, now_ms=succeeded.time_ms)
    second = detect([succeeded], memory)
    assert (first.duplicates, second.duplicates, second.scores) == (0, 1, ())


def test_each_failure_counts_for_itself():
    (failed,) = (record for record in records() if record["resultType"] == "Failure")
    again = failed | {"time": "2026-03-02T09:03:05Z"}
    assert call(failed).event_id != call(again).event_id
    assert call(failed).event_id == call(copy.deepcopy(failed)).event_id


def test_a_refused_call_of_a_machine_names_the_machine_and_the_reason():
    result = named("vaults/delete")
    assert (result.caller_kind, result.instance_id) == ("ManagedIdentity", MACHINE)
    assert (result.succeeded, result.error_code, result.read_only) == (False, "AuthorizationFailed", False)
    assert result.mfa is False


def test_a_role_assignment_names_whom_the_role_was_given_to():
    result = named("roleassignments/write")
    assert result.caller_kind == "ServicePrincipal"
    assert result.targets[1] == "abababab-0000-0000-0000-000000000007"
    assert result.targets[2].endswith("8e3af657-a8ff-443c-a75c-2fe8c4bcb635")


def test_an_extension_resource_belongs_to_its_own_provider():
    result = named("diagnosticsettings/delete")
    assert (result.service, result.operation) == ("microsoft.insights", "diagnosticsettings/delete")
    assert (result.caller_kind, result.mfa) == ("Guest", False)


def test_every_category_is_read_and_the_platform_is_a_service():
    results = {record["category"]: call(record) for record in records() if not begun(record)}
    assert set(results) == {
        "Administrative",
        "Security",
        "ServiceHealth",
        "Alert",
        "Autoscale",
        "Recommendation",
        "Policy",
        "ResourceHealth",
    }
    platform = [result for category, result in results.items() if category != "Administrative"]
    assert {result.caller_kind for result in platform} == {"Service"}
    assert all(result.principal.id == result.source_address == result.service for result in platform)


@pytest.mark.parametrize(
    ("change", "created"),
    [
        ({"resultSignature": "Succeeded.Created"}, True),
        ({"resultSignature": "201"}, True),
        ({"resultSignature": "OK."}, False),
        ({"resultSignature": "Succeeded.", "properties": {"statusCode": "OK"}}, False),
        ({"resultSignature": "Accepted.Accepted"}, None),
        ({"resultSignature": "Succeeded."}, None),
    ],
)
def test_whether_a_write_made_something_new_stands_in_the_status(change: dict[str, Any], created: bool | None):
    assert call(records()[2] | {"properties": {}} | change).created is created


def test_a_caller_without_a_token_but_with_an_address_is_not_the_platform():
    record = records()[2]
    del record["identity"]
    assert call(record).caller_kind == "Unknown"


def test_the_shape_of_the_api_reads_like_the_shape_of_the_hub():
    document = json.loads((EVENTS / "activity_log_rest.json").read_text())
    result = only(document)
    assert isinstance(result, ApiCall)
    assert (result.service, result.operation) == ("microsoft.network", "networksecuritygroups/securityrules/write")
    assert (result.source_address, result.principal.id, result.account) == ("2001:db8::7", USER, SUBSCRIPTION)
    assert result == only(document["value"])


def test_a_row_of_the_table_reads_alike():
    row = json.loads((EVENTS / "exported_tables.json").read_text())["records"][2]
    result = call(row)
    assert (result.service, result.operation, result.account) == ("microsoft.compute", "snapshots/delete", SUBSCRIPTION)
    assert (result.principal.id, result.mfa) == (USER, True)
    del row["Claims_d"]  # an older export has the claims as text only
    assert call(row) == result


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"resultType": "Success"}, ""),
        ({"resultType": "Succeeded", "level": "Error"}, ""),
        ({"resultType": "Failed", "resultSignature": "403"}, "403"),
        ({"resultType": "Failure", "resultSignature": "Failed.Conflict"}, "Conflict"),
        ({"resultType": "Canceled", "resultSignature": ""}, "canceled"),
        ({"resultType": "", "resultSignature": "404"}, "404"),
        ({"resultType": "", "resultSignature": "200"}, ""),
        ({"resultType": "", "resultSignature": "", "level": "Error"}, "failure"),
    ],
)
def test_what_counts_as_failure(change: dict[str, str], error: str):
    result = call(records()[2] | {"properties": {}} | change)
    assert (result.succeeded, result.error_code) == (error == "", error)


@pytest.mark.parametrize(
    ("field", "value", "named_field"),
    [
        ("time", None, "time"),
        ("time", "yesterday", "time"),
        ("operationName", "", "operationName"),
        ("operationName", ["a"], "operationName"),
    ],
)
def test_a_wrong_field_rejects_the_record_and_names_it(field: str, value: object, named_field: str):
    results = list(parse_azure_activity({"records": [records()[2] | {field: value}, records()[2]]}, source="hub"))
    assert isinstance(results[0], Rejected)
    assert (results[0].source, results[0].record, results[0].field) == ("hub", 1, named_field)
    assert isinstance(results[1], ApiCall)


def test_a_principal_that_is_too_long_rejects_its_own_record_only():
    long = copy.deepcopy(records()[2])
    long["identity"]["claims"]["uti"] = "u" * 1024
    wrong, good = parse_azure_activity([long, records()[2]], source="test")
    assert isinstance(wrong, Rejected)
    assert wrong.field == "identity.claims.uti"
    assert isinstance(good, ApiCall)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["identity", "claims", "properties", "value", "resourceId", "category", "operationName", "time", "records"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "identity",
        "properties",
        "callerIpAddress",
        "correlationId",
        "resultSignature",
        "level",
        "location",
        "resourceId",
        "category",
    ]
)


def count(document: object) -> int:
    """How many records a document holds."""
    if isinstance(document, list):
        return sum(count_in(item) for item in document)
    return count_in(document)


def count_in(item: object) -> int:
    if isinstance(item, dict):
        inner = next((item[key] for key in ("records", "Records", "value") if isinstance(item.get(key), list)), None)
        return 1 if inner is None else len(inner)
    return 1


@given(JSON)
def test_any_json_gives_calls_and_rejects_that_add_up(document: object):
    for parse in (parse_azure_activity, parse_audit_records):
        results = list(parse(document, source="test"))
        assert len(results) == count(document)


@given(st.lists(st.sampled_from([*records(), {"a": 1}, "text"]), max_size=8))
def test_every_record_is_a_call_a_reject_or_a_beginning(some: list[Any]):
    results = list(parse_azure_activity({"records": some}, source="test"))
    good = [record for record in some if isinstance(record, dict) and "operationName" in record]
    assert sum(isinstance(result, ApiCall) for result in results) == sum(not begun(record) for record in good)
    assert sum(isinstance(result, Rejected) for result in results) == len(some) - len(good)


@given(FIELDS, JSON)
def test_any_value_in_an_optional_field_leaves_the_call_standing(field: str, value: object):
    result = call(records()[2] | {field: value})
    assert result.principal.id


def test_half_a_surrogate_pair_cannot_reach_a_hash():
    result = call(records()[2] | {"correlationId": "a\ud800b", "location": "\udfff"})
    assert result.region == "?"


def test_nesting_without_end_is_rejected():
    deep: Any = {}
    for _ in range(60):
        deep = {"properties": deep}
    result = only(records()[2] | {"properties": deep})
    assert isinstance(result, Rejected)
    assert "nested" in result.reason


@needs_data
def test_the_recorded_sample_only_says_that_an_operation_began():
    root = data_root()
    assert root is not None
    document = json.loads((root / "azure_activity" / "activity_log_fixtures.json").read_text())
    assert list(parse_azure_activity(document, source="test")) == []
    document["records"][0]["resultType"] = "Success"
    result = only(document)
    assert isinstance(result, ApiCall)
    assert result.principal.id == "95fdefa0-a7b8-47a3-b969-046862c9a979"
    assert result.session is not None
    assert (result.caller_kind, result.mfa, result.source_address) == ("User", False, "111.93.54.106")
