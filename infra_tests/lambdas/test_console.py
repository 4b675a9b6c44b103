"""The operator's command on a deployment in moto."""

from __future__ import annotations

import json

import pytest

from console.__main__ import main
from console.stack import Deployment
from infra_tests.lambdas.account import ACCOUNT, Account, sqs_event
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import expire_containments, respond, triage_findings
from response.journal import Step


class Console:
    def __init__(self, account: Account) -> None:
        self.deployment = Deployment(account.clients, "breakwater")
        self.printed: list[str] = []

    def __call__(self, *arguments: str) -> int:
        self.printed.clear()
        return main(arguments, deployment=self.deployment, out=self.printed.append)


@pytest.fixture
def console(account: Account, monkeypatch: pytest.MonkeyPatch) -> Console:
    account.rename_journal("breakwater-journal")
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    account.queues["containments"] = account.clients("sqs").create_queue(QueueName="breakwater-containments")["QueueUrl"]
    return Console(account)


def test_status_show_and_undo(account: Account, console: Console) -> None:
    assert console("status") == 0
    assert console.printed == ["nothing is contained"]
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    before = account.groups_of(instance)
    contain(account, instance)

    console("status")
    (line,) = console.printed
    containment, step, *_ = line.split()
    assert (step, instance in line) == ("APPLIED", True)

    assert console("show", containment) == 0
    assert [text.split()[1] for text in console.printed] == [Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    assert json.dumps(next(iter(before.values()))) in console.printed[0]

    assert console("undo", containment) == 0
    (request,) = account.take("containments")
    assert json.loads(request["Body"])["approved_by"].startswith(f"arn:aws:sts::{ACCOUNT}:")
    expire_containments.handler(sqs_event(request["Body"]), None)
    assert account.groups_of(instance) == before
    console("status")
    assert console.printed == ["nothing is contained"]
    console("status", "--all")
    assert [line.split()[1] for line in console.printed] == [Step.UNDONE]


@pytest.mark.parametrize("command", ["show", "undo"])
def test_an_unknown_containment_is_said_so_and_nothing_is_sent(account: Account, console: Console, command: str) -> None:
    assert console(command, "0" * 32) == 1
    assert console.printed == [f"the journal has no containment {'0' * 32}"]
    assert account.take("containments") == []


def test_a_deployment_that_is_not_there_is_an_error_and_no_traceback(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status"], deployment=Deployment(account.clients, "elsewhere")) == 1
    assert "ResourceNotFoundException" in capsys.readouterr().err
