"""Azure's records in the words of the vocabulary, beside the same deeds on AWS."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model import vocabulary_azure, vocabulary_entra
from shared_model.azure_words import agent_of_azure, caller_of_azure, error_of_azure, operation_of_azure, origin_of_azure
from shared_model.call_words import words_of
from shared_model.encoders.audit import ROW, encode_api_calls, encode_system_events
from shared_model.events import ApiCall, SystemEvent
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.parsers.azure_system_logs import parse_azure_system_logs
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.system_logs import read_system_logs
from shared_model.vocabulary import AGENTS, CALLERS, ERRORS, OBJECTS, ORIGINS, SERVICES, VERBS, code, operation_of_aws

EVENTS = Path(__file__).parents[1] / "events"
M = "microsoft."
#: Calls and events under ``events/``, and the digest of their rows as the shipped models were trained on them.
GOLDEN = (16, 448, "4c6f7c859ac198dd")


@pytest.mark.parametrize(
    ("azure", "aws"),
    [
        ((M + "authorization", "roleassignments/write"), ("iam", "AttachUserPolicy")),
        ((M + "authorization", "elevateaccess/action"), ("iam", "AttachUserPolicy")),
        (("entra", "Add member to role"), ("iam", "AttachUserPolicy")),
        (("entra", "Consent to application"), ("iam", "AttachRolePolicy")),
        (("entra", "Update application – Certificates and secrets management"), ("iam", "CreateAccessKey")),
        (("entra", "Add service principal credentials"), ("iam", "CreateAccessKey")),
        (("entra", "Add user"), ("iam", "CreateUser")),
        (("entra", "Add member to group"), ("iam", "AddUserToGroup")),
        (("entra", "Reset user password"), ("iam", "UpdateLoginProfile")),
        (("entra", "Disable Strong Authentication"), ("iam", "DeactivateMFADevice")),
        (("entra", "Set domain authentication"), ("iam", "CreateSAMLProvider")),
        (("entra", "SignIn"), ("signin", "ConsoleLogin")),
        (("entra", "ManagedIdentitySignIn"), ("sts", "AssumeRole")),
        (("entra", "NonInteractiveUserSignIn"), ("sts", "GetSessionToken")),
        ((M + "compute", "virtualmachines/runcommand/action"), ("ssm", "SendCommand")),
        ((M + "compute", "virtualmachines/write"), ("ec2", "RunInstances")),
        ((M + "compute", "virtualmachines/read"), ("ec2", "DescribeInstances")),
        ((M + "compute", "virtualmachines/delete"), ("ec2", "TerminateInstances")),
        ((M + "compute", "virtualmachines/deallocate/action"), ("ec2", "StopInstances")),
        ((M + "compute", "virtualmachines/start/action"), ("ec2", "StartInstances")),
        ((M + "compute", "snapshots/write"), ("ec2", "CreateSnapshot")),
        ((M + "compute", "snapshots/delete"), ("ec2", "DeleteSnapshot")),
        ((M + "network", "networksecuritygroups/securityrules/write"), ("ec2", "AuthorizeSecurityGroupIngress")),
        ((M + "network", "networkwatchers/flowlogs/delete"), ("ec2", "DeleteFlowLogs")),
        ((M + "network", "virtualnetworks/delete"), ("ec2", "DeleteVpc")),
        ((M + "insights", "diagnosticsettings/delete"), ("cloudtrail", "DeleteTrail")),
        ((M + "insights", "diagnosticsettings/write"), ("cloudtrail", "UpdateTrail")),
        ((M + "security", "pricings/write"), ("guardduty", "UpdateDetector")),
        ((M + "keyvault", "vaults/secrets/getsecret/action"), ("secretsmanager", "GetSecretValue")),
        ((M + "keyvault", "vaults/delete"), ("kms", "ScheduleKeyDeletion")),
        ((M + "storage", "storageaccounts/delete"), ("s3", "DeleteBucket")),
        ((M + "operationalinsights", "workspaces/delete"), ("logs", "DeleteLogGroup")),
        ((M + "managedidentity", "userassignedidentities/write"), ("iam", "CreateRole")),
        ((M + "resources", "subscriptions/resourcegroups/write"), ("cloudformation", "CreateStack")),
    ],
)
def test_the_same_deed_has_the_same_words_on_both_clouds(azure: tuple[str, str], aws: tuple[str, str]):
    assert operation_of_azure(*azure) == operation_of_aws(*aws)


@pytest.mark.parametrize(
    ("service", "operation", "words"),
    [
        (M + "storage", "storageaccounts/listkeys/action", ("object_storage", "get", "secret")),
        (M + "storage", "storageaccounts/fileservices/shares/delete", ("file_storage", "delete", "bucket")),
        (M + "compute", "disks/begingetaccess/action", ("compute", "copy", "volume")),
        (M + "compute", "virtualmachines/unheardof/action", ("compute", "other", "instance")),
        (M + "containerservice", "managedclusters/listclusteradmincredential/action", ("container", "get", "secret")),
        (M + "automation", "automationaccounts/webhooks/action", ("management", "other", "command")),
        (M + "unheardof", "widgets/write", ("other", "create", "other")),
        ("contoso.widgets", "widgets/frobnicate/action", ("other", "other", "other")),
        ("entra", "Frobnicate widgets", ("identity", "other", "other")),
    ],
)
def test_what_an_operation_means(service: str, operation: str, words: tuple[str, str, str]):
    assert operation_of_azure(service, operation) == words


@pytest.mark.parametrize(
    ("operation", "created", "verb"),
    [
        ("virtualmachines/write", True, "create"),
        ("virtualmachines/write", None, "create"),
        ("virtualmachines/write", False, "update"),
        ("virtualmachines/extensions/write", False, "invoke"),
    ],
)
def test_a_write_that_made_nothing_new_is_a_change(operation: str, created: bool | None, verb: str):
    assert operation_of_azure(M + "compute", operation, created).verb == verb
    assert operation_of_azure(M + "authorization", "roleassignments/write", created).verb == "add"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("", "none"),
        ("AuthorizationFailed", "denied"),
        ("Forbidden", "denied"),
        ("403", "denied"),
        ("RequestDisallowedByPolicy", "denied"),
        ("Insufficient privileges to complete the operation.", "denied"),
        ("ExpiredAuthenticationToken", "authentication"),
        ("50126", "authentication"),
        ("50076", "authentication"),
        ("50034", "not_found"),
        ("ResourceNotFound", "not_found"),
        ("53003", "denied"),
        ("429", "throttled"),
        ("QuotaExceeded", "limit"),
        ("Conflict", "conflict"),
        ("BadRequest", "invalid"),
        ("failed", "other"),
    ],
)
def test_error_classes(error: str, kind: str):
    assert error_of_azure(error) == kind


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        ("", "none"),
        ("appid/c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "console"),
        ("appid/04b07795-8ddb-461a-bbee-02f9e1bf7b46", "cli"),
        ("appid/00000000-0000-0000-0000-000000000000", "sdk"),
        ("AZURECLI/2.79.0 (RPM) Python/3.12.9", "cli"),
        ("Mozilla/5.0 (Windows NT; en-US) WindowsPowerShell/5.1.17763.1971", "cli"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "browser"),
        ("python-requests/2.28.1", "sdk"),
    ],
)
def test_an_agent_counts_only_as_its_kind(agent: str, kind: str):
    assert agent_of_azure(agent) == kind


def test_callers_and_origins():
    assert [caller_of_azure(kind) for kind in ("User", "Guest", "ManagedIdentity", "Service", "Unknown")] == [
        "user",
        "federated",
        "role",
        "service",
        "unknown",
    ]
    assert [origin_of_azure(source) for source in ("198.51.100.7", "10.0.0.1", "microsoft.advisor", "")] == [
        "public",
        "private",
        "service",
        "none",
    ]


@given(st.sampled_from([M + "compute", M + "network", "entra", "x"]) | st.text(max_size=12), st.text(max_size=30))
def test_any_text_has_a_place_in_every_block(first: str, second: str):
    operation = operation_of_azure(first, second)
    assert operation.service in SERVICES
    assert operation.verb in VERBS
    assert operation.object in OBJECTS
    assert error_of_azure(second) in ERRORS
    assert caller_of_azure(first) in CALLERS
    assert origin_of_azure(second) in ORIGINS
    assert agent_of_azure(second) in AGENTS


def test_every_word_that_the_tables_use_is_a_level():
    services = {*vocabulary_azure.SERVICES_OF_AZURE.values(), *(group for _, _, group in vocabulary_azure.SERVICES_OF_TYPES)}
    verbs = {
        *vocabulary_azure.VERB_OF_WRITE.values(),
        *vocabulary_azure.VERB_OF_DELETE.values(),
        *(verb for _, verb in vocabulary_azure.ACTION_PREFIXES),
        *(verb for verb, _ in vocabulary_azure.OPERATIONS_OF_AZURE.values()),
        *vocabulary_entra.VERBS_OF_ENTRA.values(),
        *(verb for _, verb, _ in vocabulary_entra.ACTIVITIES_OF_ENTRA if verb),
    }
    objects = {
        *vocabulary_azure.OBJECT_OF_TYPE.values(),
        *vocabulary_azure.OBJECT_OF_PROVIDER.values(),
        *(level for _, level in vocabulary_azure.OPERATIONS_OF_AZURE.values() if level),
        *(level for _, _, level in vocabulary_entra.ACTIVITIES_OF_ENTRA),
    }
    assert services <= set(SERVICES)
    assert verbs <= set(VERBS)
    assert objects <= set(OBJECTS)
    assert set(vocabulary_azure.CALLERS_OF_AZURE.values()) <= set(CALLERS)
    assert set(vocabulary_azure.AGENTS_OF_APPLICATIONS.values()) <= set(AGENTS)
    assert {level for level, _ in vocabulary_azure.ERROR_PATTERNS_OF_AZURE} <= set(ERRORS)
    assert set(vocabulary_entra.ERRORS_OF_SIGN_IN.values()) <= set(ERRORS)
    assert (
        vocabulary_azure.VERB_OF_WRITE.keys() | vocabulary_azure.VERB_OF_DELETE.keys() <= vocabulary_azure.OBJECT_OF_TYPE.keys()
    )


def test_rows_of_azures_calls_hold_the_codes_of_their_words():
    document = json.loads((EVENTS / "azure" / "activity_log.json").read_text())
    calls = [call for call in parse_audit_records(document, source="test") if isinstance(call, ApiCall)]
    rows = np.ascontiguousarray(encode_api_calls(calls)).view(ROW)[:, 0]
    for row, call in zip(rows, calls, strict=True):
        words = words_of(call)
        assert (row["service"], row["verb"]) == (code(SERVICES, words.operation.service), code(VERBS, words.operation.verb))
        assert (row["caller"], row["agent"]) == (code(CALLERS, words.caller), code(AGENTS, words.agent))
    assert rows["operation"][0] == rows["operation"][1]  # the case of a name does not count


def test_a_failed_logon_of_windows_is_encoded_like_one_of_linux():
    document = json.loads((EVENTS / "azure" / "system_logs.json").read_text())
    events = [event for event in parse_azure_system_logs(document, source="t", now_ms=0) if isinstance(event, SystemEvent)]
    rows = np.ascontiguousarray(encode_system_events(events)).view(ROW)[:, 0]
    names = ["service", "verb", "object", "outcome", "error", "caller", "origin"]
    assert rows[4][names].tolist() == rows[0][names].tolist()


def test_what_records_of_aws_encode_to_has_not_changed():
    calls = [
        call
        for path in sorted((EVENTS / "cloudtrail").glob("*.json"))
        for call in parse_cloudtrail(json.loads(path.read_text()), source="test")
        if isinstance(call, ApiCall)
    ]
    events = [
        event
        for path in sorted((EVENTS / "system_logs").iterdir())
        for event in read_system_logs(io.BytesIO(path.read_bytes()), source="test", now_ms=1_772_500_000_000)
        if isinstance(event, SystemEvent)
    ]
    rows = (encode_api_calls(calls), encode_system_events(events))
    assert not any(each[:, 32:].any() for each in rows)  # what a principal's past is compared with is not in a record
    digest = hashlib.sha256(b"".join(each[:, :32].tobytes() for each in rows))
    assert (len(calls), len(events), digest.hexdigest()[:16]) == GOLDEN
