"""The operator's command on AWS: a whole containment in moto, and what its errors say."""

from __future__ import annotations

import json

import pytest
from botocore.client import BaseClient

from infra_tests.console.conftest import Console
from infra_tests.lambdas.account import ON_CALL, Account, sqs_event
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import expire_containments, respond, triage_findings


def signed_in_as(arn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be somebody: of moto's own caller IAM knows nothing."""
    call = BaseClient._make_api_call

    def signed_in(self: BaseClient, operation: str, arguments: object) -> object:
        return {"Arn": arn} if operation == "GetCallerIdentity" else call(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", signed_in)


def test_a_quarantine_is_found_and_undone(account: Account, on_aws: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    before = account.groups_of(instance)
    contain(account, instance)
    signed_in_as(ON_CALL, monkeypatch)
    on_aws("status")
    (line,) = on_aws.printed
    assert instance in line
    assert on_aws("undo", line.split()[0]) == 0
    (request,) = on_aws.take()
    expire_containments.handler(sqs_event(json.dumps(request)), None)
    assert account.groups_of(instance) == before


@pytest.mark.parametrize("who", ["arn:aws:iam::123456789012:root", "arn:aws:sts::123456789012:federated-user/bob"])
def test_who_could_not_be_named_is_told_before_anything_is_sent(
    account: Account, on_aws: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], who: str
) -> None:
    account.install(monkeypatch, triage_findings)
    account.install(monkeypatch, respond)
    vpc = account.vpc()
    contain(account, account.instance(vpc, [account.group(vpc, "web")]))
    contained = account.journal()[-1].containment_id
    signed_in_as(who, monkeypatch)
    assert on_aws("undo", contained) == 1
    said = capsys.readouterr().err
    assert f"nothing was sent: the functions cannot attest {who}" in said
    assert "assume a role" in said
    assert on_aws.take() == []
    assert on_aws("undo", contained, "--dry-run") == 0
    assert [each["dry_run"] for each in on_aws.take()] == [True]
    assert on_aws("disarm", "--reason", "whoever it is, in an emergency") == 0


def test_a_deployment_that_is_not_there_says_what_to_look_at(on_aws: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_aws("status", "--name", "elsewhere") == 1
    said = capsys.readouterr().err
    assert "ResourceNotFoundException" in said
    assert "AWS_PROFILE" in said


def test_nobody_signed_in(on_aws: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert on_aws("status") == 1
    assert "AWS_PROFILE" in capsys.readouterr().err


def test_without_a_region(on_aws: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")  # Lambda's and the CLI's; boto3 does not read it
    assert on_aws("status") == 1
    assert "AWS_DEFAULT_REGION" in capsys.readouterr().err


def test_a_region_that_can_be_none(on_aws: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu central 1")
    assert on_aws("status") == 1
    assert "AWS_DEFAULT_REGION names the region that Breakwater was deployed to" in capsys.readouterr().err


def test_an_account_is_named_by_credentials_only(on_aws: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_aws("status", "--account", "breakwaterst") == 1
    assert "AWS_PROFILE" in capsys.readouterr().err


def test_the_policy_is_deployed_with_the_roles_that_it_limits(on_aws: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_aws("policy", "upload", "policy/default.yaml") == 1
    assert "cdk deploy --all" in capsys.readouterr().err


def test_a_queue_that_is_gone_is_told_as_such(
    account: Account, on_aws: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in_as(ON_CALL, monkeypatch)
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    for module in (triage_findings, respond):
        account.install(monkeypatch, module)
    contain(account, instance)
    on_aws("status")
    account.clients("sqs").delete_queue(QueueUrl=account.queues["containments"])
    assert on_aws("undo", on_aws.printed[0].split()[0]) == 1
    error, what_to_do = capsys.readouterr().err.splitlines()
    assert "containments queue: " in error
    assert "NonExistentQueue" in error
    assert "--name" in what_to_do
