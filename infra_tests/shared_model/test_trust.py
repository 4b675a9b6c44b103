"""Trusts: whom a trust policy lets in from outside, what a CloudTrail record tells of it, and how a verdict names it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model.audit_descriptions import describe_call
from shared_model.events import ApiCall, Entity, EntityKind
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.trust import ANYONE, outsiders, read_trust, trust

ACCOUNT, OUTSIDE = "123456789012", "210987654321"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ops/web"


def statement(principal: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"} | more


def call(operation: str, parameters: dict[str, Any], **changes: Any) -> ApiCall:
    record = {
        "eventID": "e-1",
        "eventTime": "2026-09-21T14:13:20Z",
        "eventSource": "sts.amazonaws.com" if operation == "AssumeRole" else "iam.amazonaws.com",
        "eventName": operation,
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice", "accountId": ACCOUNT},
        "requestParameters": parameters,
    }
    (parsed,) = parse_cloudtrail(record | changes, source="test")
    assert isinstance(parsed, ApiCall), parsed
    return parsed


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        ([statement({"AWS": f"arn:aws:iam::{OUTSIDE}:root"})], (OUTSIDE,)),
        (statement({"AWS": [OUTSIDE, f"arn:aws-us-gov:sts::{OUTSIDE}:assumed-role/a/b"]}), (OUTSIDE,)),
        ([statement("*")], (ANYONE,)),
        ([statement({"AWS": "*"}, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})], ()),
        ([statement({"AWS": f"arn:aws:iam::{ACCOUNT}:role/ci", "Service": "ec2.amazonaws.com"})], ()),
        ([statement({"AWS": OUTSIDE}, Effect="Deny")], ()),
        ([statement({"AWS": "AIDAEXAMPLEEXAMPLE001"}), statement({"Federated": "accounts.google.com"})], ()),
        ([statement({"AWS": [OUTSIDE, "111122223333"]}), "no statement", statement(7)], ("111122223333", OUTSIDE)),
    ],
)
def test_whom_a_trust_policy_lets_in_from_outside(statements: Any, found: tuple[str, ...]):
    assert outsiders({"Version": "2012-10-17", "Statement": statements}, ACCOUNT) == found


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_document_is_read(document: object):
    assert outsiders({"Statement": document}, ACCOUNT) == outsiders({"Statement": document}, ACCOUNT)
    assert outsiders(document, ACCOUNT) == () or isinstance(document, dict)


@pytest.mark.parametrize("outsider", [OUTSIDE, ANYONE])
def test_a_trust_is_read_back(outsider: str):
    assert read_trust(trust(ROLE, outsider, ACCOUNT)) == (ROLE, outsider)


@pytest.mark.parametrize(
    "entity",
    [
        Entity(EntityKind.PRINCIPAL, f"{ROLE} lets in {OUTSIDE}", ACCOUNT),
        Entity(EntityKind.TRUST, f"{ROLE} lets in 12", ACCOUNT),
        Entity(EntityKind.TRUST, ROLE, ACCOUNT),
    ],
)
def test_what_is_no_trust_is_none(entity: Entity):
    assert read_trust(entity) == ("", "")


LETS_IN = json.dumps({"Statement": [statement({"AWS": OUTSIDE})]})


@pytest.mark.parametrize(
    ("operation", "parameters", "changes", "role"),
    [
        ("UpdateAssumeRolePolicy", {"roleName": "web", "policyDocument": LETS_IN}, {}, f"arn:aws:iam::{ACCOUNT}:role/web"),
        (
            "CreateRole",
            {"roleName": "web", "assumeRolePolicyDocument": LETS_IN},
            {"responseElements": {"role": {"arn": ROLE}}},
            ROLE,
        ),
        (
            "AssumeRole",
            {"roleArn": ROLE},
            {"userIdentity": {"type": "AWSAccount", "accountId": OUTSIDE, "principalId": "AIDA"}},
            ROLE,
        ),
    ],
)
def test_who_lets_an_account_in_and_who_comes_in_names_the_trust(
    operation: str, parameters: dict[str, Any], changes: dict[str, Any], role: str
):
    made = call(operation, parameters, **changes)
    assert made.trusts == (trust(role, OUTSIDE, ACCOUNT),)
    assert describe_call(made).peer == made.trusts, "named where the call weighs in a verdict"


@pytest.mark.parametrize(
    ("operation", "parameters", "changes"),
    [
        ("UpdateAssumeRolePolicy", {"roleName": "web", "policyDocument": LETS_IN}, {"errorCode": "AccessDenied"}),
        ("UpdateAssumeRolePolicy", {"roleName": "web", "policyDocument": LETS_IN[:-9]}, {}),
        ("UpdateAssumeRolePolicy", {"roleName": "web"}, {}),
        ("AssumeRole", {"roleArn": ROLE}, {}),
        (
            "AssumeRole",
            {"roleArn": f"arn:aws:iam::{OUTSIDE}:role/theirs"},
            {"userIdentity": {"type": "AWSAccount", "accountId": OUTSIDE}},
        ),
        ("PutRolePolicy", {"roleName": "web", "policyDocument": LETS_IN}, {}),
    ],
)
def test_what_lets_nobody_in_names_none(operation: str, parameters: dict[str, Any], changes: dict[str, Any]):
    assert call(operation, parameters, **changes).trusts == ()
