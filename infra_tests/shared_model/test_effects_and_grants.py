"""What a call brings about follows from its words alone; what a request opens is read from what was asked, on either cloud."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model.azure_words import operation_of_azure
from shared_model.effects import EFFECTS, effects_of
from shared_model.grants import GRANTS, granted_by_aws, granted_by_azure
from shared_model.parsers.azure_activity import parse_azure_activity
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.vocabulary import OBJECTS, SERVICES, VERBS, Operation, operation_of_aws
from training.scenarios import generate, named

ACCOUNT = "123456789012"


def effect_of(operation: Operation) -> str:
    codes = (
        np.array([levels.index(word)], np.uint8)
        for levels, word in ((SERVICES, operation.service), (VERBS, operation.verb), (OBJECTS, operation.object))
    )
    return EFFECTS[int(effects_of(*codes)[0])]


@pytest.mark.parametrize(
    ("service", "operation", "effect"),
    [
        ("iam", "CreateAccessKey", "makes_credential"),
        ("iam", "DeactivateMFADevice", "makes_credential"),
        ("iam", "AttachRolePolicy", "changes_rights"),
        ("cloudtrail", "StopLogging", "blinds"),
        ("ec2", "DeleteFlowLogs", "blinds"),
        ("guardduty", "DeleteDetector", "blinds"),
        ("guardduty", "ArchiveFindings", "blinds"),
        ("securityhub", "BatchDisableStandards", "blinds"),
        ("cloudtrail", "CreateTrail", "sets_watch"),
        ("cloudtrail", "StartLogging", "sets_watch"),
        ("cloudtrail", "UpdateTrail", "sets_watch"),
        ("cloudtrail", "PutEventSelectors", "sets_watch"),
        ("guardduty", "CreateDetector", "sets_watch"),
        ("securityhub", "EnableSecurityHub", "sets_watch"),
        ("securityhub", "BatchEnableStandards", "sets_watch"),
        ("config", "StartConfigurationRecorder", "sets_watch"),
        ("ec2", "CreateFlowLogs", "sets_watch"),
        ("cloudtrail", "RemoveTags", "none"),
        ("logs", "DeleteLogGroup", "blinds"),
        ("s3", "PutBucketPolicy", "opens"),
        ("ec2", "ModifySnapshotAttribute", "opens"),
        ("ssm", "SendCommand", "runs_code"),
        ("kms", "ScheduleKeyDeletion", "destroys"),
        ("ec2", "RunInstances", "makes_machine"),
        ("signin", "ConsoleLogin", "signs_in"),
        ("secretsmanager", "GetSecretValue", "reads_secret"),
        ("ec2", "DescribeInstances", "none"),
        ("iam", "ListUsers", "none"),
        ("cloudtrail", "DescribeTrails", "none"),
    ],
)
def test_calls_of_aws_have_the_effect_that_they_have(service, operation, effect):
    assert effect_of(operation_of_aws(service, operation)) == effect


@pytest.mark.parametrize(
    ("service", "operation", "effect"),
    [
        ("microsoft.authorization", "roleassignments/write", "changes_rights"),
        ("microsoft.insights", "diagnosticsettings/delete", "blinds"),
        ("microsoft.insights", "diagnosticsettings/write", "sets_watch"),
        ("microsoft.security", "pricings/write", "sets_watch"),
        ("microsoft.security", "pricings/delete", "blinds"),
        ("microsoft.compute", "virtualmachines/runcommand/action", "runs_code"),
        ("microsoft.compute", "virtualmachines/delete", "destroys"),
        ("microsoft.storage", "storageaccounts/listkeys/action", "reads_secret"),
        ("entra", "Add service principal credentials", "makes_credential"),
        ("entra", "SignIn", "signs_in"),
    ],
)
def test_azure_has_the_same_effects(service, operation, effect):
    assert effect_of(operation_of_azure(service, operation)) == effect


def test_the_same_call_blinds_where_it_leaves_less_watched():
    codes = [
        np.array([levels.index(word)], np.uint8)
        for levels, word in zip((SERVICES, VERBS, OBJECTS), operation_of_aws("cloudtrail", "PutEventSelectors"), strict=True)
    ]
    found = {grant: EFFECTS[int(effects_of(*codes, np.array([GRANTS.index(grant)], np.uint8))[0])] for grant in GRANTS}
    assert found == dict.fromkeys(GRANTS, "sets_watch") | {"unwatched": "blinds"}


def test_reading_has_no_effect_but_where_secrets_leave():
    services, objects = np.meshgrid(np.arange(len(SERVICES)), np.arange(len(OBJECTS)))
    for verb in ("list", "describe", "search"):
        codes = effects_of(
            services.astype(np.uint8), np.full(services.shape, VERBS.index(verb), np.uint8), objects.astype(np.uint8)
        )
        assert not codes.any()


def test_codes_of_no_word_have_no_effect():
    strange = np.array([255], np.uint8)
    assert effects_of(strange, strange, strange).tolist() == [0]


PUBLIC_POLICY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]})
FOREIGN_POLICY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::210987654321:root"}}]})


@pytest.mark.parametrize(
    ("operation", "request_", "grant"),
    [
        (
            "AuthorizeSecurityGroupIngress",
            {"ipPermissions": {"items": [{"ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}},
            "public",
        ),
        ("AuthorizeSecurityGroupIngress", {"cidrIp": "198.51.100.0/24"}, ""),
        ("RevokeSecurityGroupIngress", {"cidrIp": "0.0.0.0/0"}, ""),
        ("ModifySnapshotAttribute", {"createVolumePermission": {"add": {"items": [{"userId": "210987654321"}]}}}, "foreign"),
        ("ModifySnapshotAttribute", {"createVolumePermission": {"remove": {"items": [{"userId": "210987654321"}]}}}, ""),
        ("ModifySnapshotAttribute", {"createVolumePermission": {"add": {"items": [{"userId": ACCOUNT}]}}}, ""),
        ("ModifyDBSnapshotAttribute", {"attributeName": "restore", "valuesToAdd": ["all"]}, "public"),
        ("PutBucketPolicy", {"bucketPolicy": json.loads(PUBLIC_POLICY)}, "public"),
        ("PutBucketPolicy", {"policy": FOREIGN_POLICY}, "foreign"),
        ("AttachUserPolicy", {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, "admin"),
        ("AttachUserPolicy", {"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}, ""),
        ("PutUserPolicy", {"policyDocument": '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'}, "admin"),
        ("PutUserPolicy", {"policyDocument": '{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'}, ""),
        ("PutUserPolicy", {"policyDocument": "{not JSON"}, ""),
        ("ModifyDBInstance", {"publiclyAccessible": True}, "public"),
        ("PutEventSelectors", {"eventSelectors": [{"includeManagementEvents": False}]}, "unwatched"),
        ("PutEventSelectors", {"eventSelectors": [{"includeManagementEvents": True}]}, ""),
        ("UpdateTrail", {"isMultiRegionTrail": False}, "unwatched"),
        ("CreateTrail", {"isMultiRegionTrail": False}, ""),
        ("UpdateDetector", {"enable": False}, "unwatched"),
        ("UpdateDetector", {"enable": True}, ""),
        ("UpdateFunction", {"enable": False}, ""),
        ("CreateFilter", {"action": "ARCHIVE"}, "unwatched"),
        ("CreateFilter", {"action": "NOOP"}, ""),
        ("CreateFunctionUrlConfig", {"authType": "NONE"}, "public"),
    ],
)
def test_what_a_request_to_aws_opens(operation, request_, grant):
    assert granted_by_aws(operation, request_, ACCOUNT) == grant


@pytest.mark.parametrize(
    ("asked", "grant"),
    [
        ({"properties": {"access": "Allow", "sourceaddressprefix": "*"}}, "public"),
        ({"properties": {"access": "Deny", "sourceaddressprefix": "*"}}, ""),
        ({"properties": {"access": "Allow", "sourceaddressprefix": "10.0.0.0/8"}}, ""),
        ({"properties": {"startipaddress": "0.0.0.0", "endipaddress": "255.255.255.255"}}, "public"),
        ({"properties": {"startipaddress": "0.0.0.0", "endipaddress": "0.0.0.0"}}, ""),
        ({"properties": {"allowblobpublicaccess": True}}, "public"),
        ({"properties": {"pricingtier": "Free"}}, "unwatched"),
        ({"properties": {"pricingtier": "Standard"}}, ""),
        ({"properties": {"autoprovision": "Off"}}, "unwatched"),
        ({"properties": {"roledefinitionid": "/x/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"}}, "admin"),
        ({"properties": {"roledefinitionid": "/x/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"}}, ""),
        ({"properties": {"remotevirtualnetwork": {"id": "/subscriptions/other/resourceGroups/x"}}}, "foreign"),
        ({}, ""),
    ],
)
def test_what_a_request_to_azure_opens(asked, grant):
    assert granted_by_azure(asked, "own") == grant


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=12), json_values, max_size=5))
def test_whatever_was_asked_gives_one_of_the_words(request_):
    assert granted_by_aws("Anything", request_, ACCOUNT) in GRANTS
    assert granted_by_azure(request_, "own") in GRANTS


def test_a_request_nested_without_end_is_let_be():
    request_: dict[str, object] = {}
    for _ in range(3000):
        request_ = {"policy": request_}
    assert granted_by_aws("PutBucketPolicy", request_, ACCOUNT) == ""


@pytest.mark.parametrize(
    ("family", "grant"),
    [
        ("audit/admin-policy-to-user", "admin"),
        ("audit/snapshot-shared", "foreign"),
        ("audit/bucket-made-public", "public"),
        ("audit/azure-role-grant", "admin"),
        ("audit/azure-network-opened", "public"),
        ("audit/event-selectors", "unwatched"),
        ("audit/trail-redirected", "unwatched"),
        ("audit/azure-logs-off", "unwatched"),
    ],
)
def test_what_scenarios_write_is_read(family, grant):
    seen = set()
    for scenario in generate(3, only=(named(family),), repeats=8):
        parse = parse_cloudtrail if scenario.family.cloud == "aws" else parse_azure_activity
        for record, label in zip(scenario.records, scenario.labels, strict=True):
            if label != "benign" and "/tenants/" not in str(record.get("resourceId", "")):
                seen |= {call.grant for call in parse(record, source="test")}
    assert grant in seen
