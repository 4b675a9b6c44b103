"""The operator's command on AWS: a whole containment in moto, and what its errors say."""

from __future__ import annotations

import json

import pytest

from infra_tests.console.conftest import Console
from infra_tests.lambdas.account import Account, sqs_event
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import expire_containments, respond, triage_findings


def test_a_quarantine_is_found_and_undone(account: Account, on_aws: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    before = account.groups_of(instance)
    contain(account, instance)
    on_aws("status")
    (line,) = on_aws.printed
    assert instance in line
    assert on_aws("undo", line.split()[0]) == 0
    (request,) = on_aws.take()
    expire_containments.handler(sqs_event(json.dumps(request)), None)
    assert account.groups_of(instance) == before


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


def test_an_account_is_named_by_credentials_only(on_aws: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_aws("status", "--account", "breakwaterst") == 1
    assert "AWS_PROFILE" in capsys.readouterr().err


def test_the_policy_is_deployed_with_the_roles_that_it_limits(on_aws: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_aws("policy", "upload", "policy/default.yaml") == 1
    assert "cdk deploy --all" in capsys.readouterr().err
