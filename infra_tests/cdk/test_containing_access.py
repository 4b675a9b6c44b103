"""What who contains may change, and what of the customer's is denied to him once more by IAM."""

from __future__ import annotations

import pytest

from infra_tests.cdk.conftest import ACCOUNT, REGION
from infra_tests.cdk.templates import Templates, many
from infra_tests.cdk.test_access import CONTAINING
from lambdas.actions.catalogue import ACTIONS, UNDO_GROUP
from lambdas.actions.never_touch import denials
from lambdas.registry import Group
from response.policy import NeverTouch
from response.resources import ACCESS_KEY, ARM_ID, FORMS, OBJECT_ID, SIGN_IN_NAME, SUBNET, WEB_ADDRESS, form_of


@pytest.mark.parametrize("group", CONTAINING)
def test_who_contains_cannot_touch_what_the_policy_forbids(templates: Templates, group: Group) -> None:
    policies = templates.role_statements()[f"breakwater-{group}-{REGION}"]
    by_tag = [s for s in policies["never-touch"] if s["Sid"].startswith("NeverTouchTag")]
    assert {"aws:ResourceTag/breakwater:never-touch", "aws:ResourceTag/break-glass"} == {
        k for s in by_tag for k in s["Condition"]["Null"]
    }
    declared = {permission for action in ACTIONS if action.group is group for permission in action.permissions}
    changes = {p for p in declared if not p.partition(":")[2].startswith(("Describe", "Get", "List"))}
    assert all(s["Effect"] == "Deny" and set(many(s["Action"])) == changes for s in by_tag)
    by_name = [s for s in policies["never-touch"] if s.get("Sid") == "NeverTouchPrincipals"]
    if not any(name.startswith("iam:") for name in changes):
        assert not by_name
        return
    (principals,) = by_name
    assert {"arn:*:iam::*:role/*break-glass*", "arn:*:iam::*:user/*break-glass*"} <= set(principals["Resource"])


CHANGES = [
    *("ec2:ModifyInstanceAttribute", "iam:PutRolePolicy", "lambda:InvokeFunction", "rds:ModifyDBSnapshotAttribute"),
    *("s3:PutBucketPublicAccessBlock", "wafv2:UpdateIPSet", "wafv2:GetIPSet", "autoscaling:EnterStandby"),
]
LISTED = {
    "i-0ab*": "arn:*:ec2:*:*:instance/i-0ab*",
    "sg-0": "arn:*:ec2:*:*:security-group/sg-0",
    "sgr-0*": "arn:*:ec2:*:*:security-group-rule/sgr-0*",
    "eni-0*": "arn:*:ec2:*:*:network-interface/eni-0*",
    "acl-0*": "arn:*:ec2:*:*:network-acl/acl-0*",
    "snap-0*": "arn:*:ec2:*:*:snapshot/snap-0*",
    "ami-0*": "arn:*:ec2:*:*:image/ami-0*",
}
#: What IAM cannot deny by: no call of ours has it as its resource.
NOT_DENIED = ("AKIA*", "subnet-0*")


@pytest.mark.parametrize("pattern", [*(example for _, example in FORMS.values()), *LISTED, *NOT_DENIED])
def test_whatever_is_listed_is_denied_once_more_where_iam_can_say_it(pattern: str) -> None:
    form = form_of(pattern)
    made = [each.statement() for each in denials(NeverTouch(resources=(pattern,)), CHANGES)]
    if form in (ACCESS_KEY, SUBNET, ARM_ID, OBJECT_ID, SIGN_IN_NAME, WEB_ADDRESS, ""):
        assert made == []
        return
    (denied,) = made
    service = denied["Action"][0].partition(":")[0]
    assert (denied["Effect"], denied["Sid"]) == ("Deny", f"NeverTouch{service.title()}")
    of_ec2 = f"arn:*:ec2:*:*:{form.lower().replace(' ', '-')}/{pattern}"
    assert denied["Resource"] == [of_ec2 if service == "ec2" else pattern] == [LISTED.get(pattern, *denied["Resource"])]


def test_machines_and_groups_of_their_own_lists_are_denied_too() -> None:
    never = NeverTouch(instances=("i-0ab*",), security_groups=("sg-0",))
    (denied,) = [each.statement() for each in denials(never, CHANGES)]
    assert denied["Resource"] == [LISTED["i-0ab*"], LISTED["sg-0"]]


def test_interfaces_can_only_be_put_into_quarantine_groups(templates: Templates) -> None:
    statements = templates.role_statements()[f"breakwater-{Group.NETWORK}-{REGION}"]["contain-quarantine-instance"]
    groups = f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/*"
    for s in statements:
        if s["Effect"] == "Allow" and groups in many(s["Resource"]):
            assert s["Condition"], s


def test_who_contains_can_set_no_boundary_but_the_one_that_denies_everything(templates: Templates) -> None:
    roles = templates.role_statements()
    deny_all = {"StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AWSDenyAll"}}
    for name, change in (
        (f"breakwater-{Group.IDENTITY}-{REGION}", "iam:PutRolePermissionsBoundary"),
        (f"breakwater-{UNDO_GROUP}-{REGION}", "iam:DeleteRolePermissionsBoundary"),
    ):
        statements = [s for policy in roles[name].values() for s in policy if s["Effect"] == "Allow"]
        (only,) = [s for s in statements if change in many(s["Action"])]
        assert only["Condition"] == deny_all
