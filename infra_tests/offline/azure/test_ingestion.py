"""The Logs Ingestion sink through the real SDK."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceResponseError
from azure.identity import ManagedIdentityCredential
from azure.monitor.ingestion import LogsIngestionClient
from hypothesis import given
from hypothesis import strategies as st

from azure_infra.columns import COLUMNS
from offline.azure.ingestion import BREAKWATER_STREAM, RULE_ID, row_problems
from offline.azure.services import Services

ROW = {"TimeGenerated": "2026-11-01T08:00:00Z", "Kind": "verdict", "Probability": 0.97, "Ocsf": {"class_uid": 2004}}


@pytest.fixture
def logs(services: Services) -> LogsIngestionClient:
    credential = ManagedIdentityCredential(client_id=services.identities["respond"].client_id)
    return LogsIngestionClient(services.logs.url, credential, retry_total=3)


def test_rows_are_kept_in_order(services, logs):
    rows: list[Any] = [ROW, {**ROW, "Kind": "action", "DecisionMs": 3, "Account": None}]
    logs.upload(RULE_ID, BREAKWATER_STREAM, rows)
    assert services.logs.rows() == rows
    [call] = services.calls.calls()
    assert (call.client_id, call.operation) == (services.identities["respond"].client_id, "Microsoft.Insights/Telemetry/Write")


def test_more_than_a_megabyte_comes_in_several_uploads(services, logs):
    rows: list[Any] = [{**ROW, "VerdictTitle": f"{number:06}" * 5000} for number in range(80)]
    logs.upload(RULE_ID, BREAKWATER_STREAM, rows)
    assert services.logs.rows() == rows
    assert len(services.calls) > 1


@pytest.mark.parametrize(
    ("rule", "stream", "row", "status", "words"),
    [
        (RULE_ID, BREAKWATER_STREAM, {**ROW, "Verdict": "x"}, 400, "Verdict is no declared column"),
        (RULE_ID, BREAKWATER_STREAM, {**ROW, "Probability": "0.9"}, 400, "Probability is no real"),
        (RULE_ID, BREAKWATER_STREAM, {**ROW, "TimeGenerated": "yesterday"}, 400, "TimeGenerated is no datetime"),
        (RULE_ID, BREAKWATER_STREAM, {"Kind": "verdict"}, 400, "TimeGenerated is missing"),
        (RULE_ID, "Custom-Other_CL", ROW, 400, "InvalidStream"),
        ("dcr-other", BREAKWATER_STREAM, ROW, 404, "dcr-other"),
    ],
)
def test_what_nobody_would_find_again_is_refused(services, logs, rule, stream, row, status, words):
    with pytest.raises(HttpResponseError, match=words) as refused:
        logs.upload(rule, stream, [row])
    assert refused.value.status_code == status
    assert services.logs.rows() == []


def test_an_identity_without_the_right_is_refused(services, logs):
    services.grants.allow(services.identities["respond"].client_id, ["Microsoft.Network/*"])
    with pytest.raises(HttpResponseError, match="does not have access to ingest data"):
        logs.upload(RULE_ID, BREAKWATER_STREAM, [ROW])


def test_throttling_is_weathered(services, logs):
    services.logs.faults.throttle(2)
    logs.upload(RULE_ID, BREAKWATER_STREAM, [ROW])
    assert [call.status for call in services.calls.calls()] == [429, 429, 204]


def test_rows_whose_acknowledgement_is_lost_are_there_and_come_twice_when_sent_again(services, logs):
    services.logs.faults.tear_off()
    with pytest.raises(ServiceResponseError):  # a POST is not sent again by itself
        logs.upload(RULE_ID, BREAKWATER_STREAM, [ROW])
    logs.upload(RULE_ID, BREAKWATER_STREAM, [ROW])
    assert services.logs.rows() == [ROW, ROW]  # as in Azure: the service knows no row twice


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists)


@given(st.dictionaries(st.sampled_from(sorted(COLUMNS)) | st.text(), json_values))
def test_any_row_is_judged(row):
    problems = row_problems(row, COLUMNS)
    undeclared = {name for name in row if name not in COLUMNS}
    assert {f"{name} is no declared column" for name in undeclared} <= set(problems)
    if not problems:
        assert isinstance(row["TimeGenerated"], str)
