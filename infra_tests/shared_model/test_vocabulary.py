"""The words of the audit vocabulary."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model import vocabulary, vocabulary_aws
from shared_model.vocabulary import (
    AGENTS,
    CALLERS,
    ERRORS,
    OBJECTS,
    ORIGINS,
    OUTCOMES,
    SERVICES,
    VERBS,
    Operation,
    agent_of,
    caller_of_aws,
    code,
    error_of,
    is_read_only,
    operation_of_aws,
    origin_of,
    service_of_process,
)
from shared_model.vocabulary_page import digest, page

BLOCKS = (SERVICES, VERBS, OBJECTS, OUTCOMES, ERRORS, CALLERS, ORIGINS, AGENTS)


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        ("iam", "CreateAccessKey", ("identity", "create", "access_key")),
        ("iam", "AttachUserPolicy", ("identity", "add", "policy")),
        ("iam", "UpdateAssumeRolePolicy", ("identity", "update", "policy")),
        ("iam", "CreateLoginProfile", ("identity", "create", "login")),
        ("ec2", "GetPasswordData", ("compute", "get", "login")),
        ("ec2", "AuthorizeSecurityGroupIngress", ("compute", "grant", "security_group")),
        ("ec2", "DescribeRouteTables", ("compute", "describe", "route")),
        ("ec2", "DeleteFlowLogs", ("compute", "delete", "flow_log")),
        ("ec2", "ModifySnapshotAttribute", ("compute", "update", "snapshot")),
        ("rds", "ModifyDBSnapshotAttribute", ("database", "update", "snapshot")),
        ("rds", "AuthorizeDBSecurityGroupIngress", ("database", "grant", "security_group")),
        ("cloudtrail", "StopLogging", ("audit_log", "disable", "trail")),
        ("cloudtrail", "PutEventSelectors", ("audit_log", "put", "trail")),
        ("lambda", "UpdateFunctionCode20150331v2", ("function", "update", "code")),
        ("lambda", "GetFunction20150331v2", ("function", "get", "function")),
        ("lambda", "Invoke", ("function", "invoke", "function")),
        ("s3", "PutBucketPolicy", ("object_storage", "put", "policy")),
        ("s3", "GetObject", ("object_storage", "get", "file")),
        ("kms", "Decrypt", ("key", "decrypt", "key")),
        ("sts", "GetFederationToken", ("token", "assume", "session")),
        ("sts", "GetCallerIdentity", ("token", "get", "session")),
        ("ssm", "StartSession", ("management", "connect", "session")),
        ("health", "DescribeEventAggregates", ("monitoring", "describe", "alarm")),
        ("organizations", "LeaveOrganization", ("organization", "leave", "organization")),
    ],
)
def test_operations_read_as_service_verb_and_object(service: str, operation: str, expected: tuple[str, str, str]):
    assert operation_of_aws(service, operation) == Operation(*expected)


def test_a_verb_is_a_whole_word():
    assert operation_of_aws("x", "Settle").verb == "other"
    assert operation_of_aws("x", "SetThing").verb == "update"


def test_what_is_unknown_is_other_and_not_an_error():
    assert operation_of_aws("nothing-yet", "FrobnicateWidgets") == Operation("other", "other", "other")
    assert code(VERBS, "no such verb") == 0


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_has_a_place_in_every_block(first: str, second: str):
    operation = operation_of_aws(first, second)
    assert operation.service in SERVICES
    assert operation.verb in VERBS
    assert operation.object in OBJECTS
    assert error_of(first) in ERRORS
    assert caller_of_aws(first, second) in CALLERS
    assert origin_of(first) in ORIGINS
    assert agent_of(first) in AGENTS
    assert service_of_process(first) in SERVICES


def test_every_word_that_the_tables_use_is_a_level():
    assert set(vocabulary_aws.SERVICES_OF_AWS.values()) <= set(SERVICES)
    assert {verb for _, verb in vocabulary_aws.VERB_PREFIXES} <= set(VERBS)
    objects = {level for _, level in vocabulary_aws.OBJECT_WORDS} | set(vocabulary_aws.OBJECT_OF_SERVICE.values())
    assert objects <= set(OBJECTS)
    assert {verb for verb, _ in vocabulary_aws.OPERATIONS.values()} <= set(VERBS)
    assert {level for _, level in vocabulary_aws.OPERATIONS.values()} <= set(OBJECTS)
    assert set(vocabulary.PROCESSES.values()) <= set(SERVICES)


@pytest.mark.parametrize("levels", BLOCKS)
def test_codes_fit_a_byte_and_levels_are_distinct(levels: tuple[str, ...]):
    assert len(set(levels)) == len(levels) < 256
    assert [code(levels, level) for level in levels] == list(range(len(levels)))


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        ("", "none"),
        ("console.amazonaws.com", "console"),
        ("signin.amazonaws.com", "console"),
        ("cloudformation.amazonaws.com", "service"),
        ("AWS Internal", "service"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "browser"),
        ("aws-cli/2.15.30 Python/3.11.8", "cli"),
        ("Boto3/1.34 Python/3.12", "sdk"),
        ("stratus-red-team_39f95f43", "sdk"),
        ("my-deploy-tool/3", "sdk"),
    ],
)
def test_an_agent_counts_only_as_its_kind(agent: str, kind: str):
    assert agent_of(agent) == kind


def test_no_tool_of_attack_is_a_word():
    words = " ".join(word for levels in BLOCKS for word in levels) + page().lower()
    assert not [tool for tool in ("stratus", "red-team", "pacu", "kali", "parrot", "grimoire", "terraform") if tool in words]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("", "none"),
        ("redacted", "none"),
        ("AWS Internal", "service"),
        ("ec2.amazonaws.com", "service"),
        ("10.1.2.3", "private"),
        ("fd00::1", "private"),
        ("198.51.100.7", "public"),
        ("253.252.51.7", "public"),
        ("2001:db8::1", "public"),
    ],
)
def test_origin(source: str, kind: str):
    assert origin_of(source) == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("", "none"),
        ("AccessDenied", "denied"),
        ("Client.UnauthorizedOperation", "denied"),
        ("VpceAccessDenied", "denied"),
        ("FailedAuthentication", "authentication"),
        ("ThrottlingException", "throttled"),
        ("NoSuchEntityException", "not_found"),
        ("Client.InvalidRouteTableID.NotFound", "not_found"),
        ("InvalidDBInstanceStateFault", "conflict"),
        ("Client.VpcLimitExceeded", "limit"),
        ("InvalidParameterValueException", "invalid"),
        ("SomeErrorCode", "other"),
    ],
)
def test_error_classes(error: str, kind: str):
    assert error_of(error) == kind


def test_reading_is_taken_from_the_record_and_else_from_the_verb():
    assert is_read_only(None, "list")
    assert not is_read_only(None, "create")
    assert not is_read_only(False, "list")
    assert is_read_only(True, "decrypt")


@pytest.mark.parametrize(
    ("tag", "service"),
    [
        ("sshd", "remote_access"),
        ("sshd(pam_unix)", "remote_access"),
        ("su(pam_unix)", "privilege"),
        ("CRON", "scheduler"),
        ("postfix/smtpd", "email"),
        ("cupsd", "daemon"),
        ("", "other"),
    ],
)
def test_processes(tag: str, service: str):
    assert service_of_process(tag) == service


def test_a_changed_meaning_changes_the_digest(monkeypatch: pytest.MonkeyPatch):
    before = digest()
    assert re.fullmatch(r"[0-9a-f]{16}", before)
    monkeypatch.setitem(vocabulary_aws.OPERATIONS, ("iam", "GetUser"), ("get", "policy"))
    assert digest() != before


def test_the_page_is_what_the_tables_print():
    assert (Path(__file__).parents[2] / "docs" / "audit-vocabulary.md").read_text() == page()
