"""Who may write the journal, and that nobody rewrites it."""

from __future__ import annotations

import json
from fnmatch import fnmatch

from cdk.tables import JOURNAL_FORBIDDEN
from infra_tests.cdk.conftest import ACCOUNT, REGION
from infra_tests.cdk.templates import Templates, many
from lambdas.registry import FUNCTIONS, Group
from response import orders


def test_nobody_rewrites_the_journal(templates: Templates) -> None:
    journal = templates.named("AWS::DynamoDB::Table", "TableName", "breakwater-journal")
    deny, ours = journal["ResourcePolicy"]["PolicyDocument"]["Statement"]
    assert (deny["Effect"], deny["Principal"], set(deny["Action"])) == ("Deny", {"AWS": "*"}, set(JOURNAL_FORBIDDEN))
    assert (ours["Effect"], ours["Principal"]) == ("Deny", {"AWS": "*"})
    assert set(ours["Action"]) == {"dynamodb:PutItem", "dynamodb:PartiQLInsert"}
    assert ours["Condition"] == {
        "ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["anchors#*", "undos#*"]},
        "ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/breakwater-expire-containments-{REGION}"},
    }
    assert {"dynamodb:DeleteItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"} <= set(JOURNAL_FORBIDDEN)


def test_only_who_undoes_writes_down_that_an_undo_was_decided_on(templates: Templates) -> None:
    """Whoever else could would have rights given back: the schedule carries out what stands there."""
    journal = templates.named("AWS::DynamoDB::Table", "TableName", "breakwater-journal")
    (deny,) = [s for s in journal["ResourcePolicy"]["PolicyDocument"]["Statement"] if "Condition" in s]
    patterns = deny["Condition"]["ForAnyValue:StringLike"]["dynamodb:LeadingKeys"]
    assert any(fnmatch(orders.stream_of(0), pattern) for pattern in patterns)
    assert not any(fnmatch("restrict_role#123456789012/principal/a", pattern) for pattern in patterns)
    (who,) = many(deny["Condition"]["ArnNotLike"]["aws:PrincipalArn"])
    (spec,) = [spec for spec in FUNCTIONS if Group.UNDO in spec.groups]
    assert who.endswith(f":role/breakwater-{spec.name.replace('_', '-')}-{REGION}")


def test_our_roles_cannot_take_away_the_journals_past_or_its_protection(templates: Templates) -> None:
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/breakwater-journal"
    boundary = templates.named("AWS::IAM::ManagedPolicy", "ManagedPolicyName", f"breakwater-boundary-{REGION}")
    (deny,) = [s for s in boundary["PolicyDocument"]["Statement"] if s.get("Sid") == "NeverRewriteTheJournal"]
    assert {table, f"{table}/backup/*"} <= set(deny["Resource"])
    protection = {"UpdateContinuousBackups", "DeleteBackup", "RestoreTable*", "PutResourcePolicy", "DeleteResourcePolicy"}
    assert {f"dynamodb:{name}" for name in protection} <= set(deny["Action"])
    # CloudFormation turns recovery on after the table, with its policy, is there.
    assert "dynamodb:UpdateContinuousBackups" not in JOURNAL_FORBIDDEN


def test_no_boundary_is_longer_than_iam_takes(templates: Templates) -> None:
    for boundary in templates.resources("AWS::IAM::ManagedPolicy").values():
        assert len(json.dumps(boundary["Properties"]["PolicyDocument"], separators=(",", ":"))) <= 6144


def test_no_role_is_allowed_to_change_or_delete_an_entry(templates: Templates) -> None:
    for name, policies in templates.role_statements().items():
        for statement in [s for statements in policies.values() for s in statements if s["Effect"] == "Allow"]:
            if "breakwater-journal" in json.dumps(statement["Resource"]):
                assert set(many(statement["Action"])) <= {"dynamodb:PutItem", "dynamodb:Query"}, name
