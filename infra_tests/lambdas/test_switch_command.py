"""``breakwater disarm`` and ``arm`` on the deployed functions, in moto."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import pytest

from console import switch
from infra_tests.lambdas.account import ON_CALL, Account, sqs_event
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import expire_containments, respond, triage_findings
from lambdas.adapters.journal import DynamoJournal
from response.journal import Step
from response.switch import STREAM

ALICE = "arn:aws:sts::123456789012:assumed-role/on-call/alice"


@dataclass(frozen=True, slots=True)
class Where:
    journal: DynamoJournal

    def operator(self) -> str:
        return ALICE


class Command:
    def __init__(self, account: Account) -> None:
        self.where = Where(DynamoJournal(account.clients, "journal"))
        self.printed: list[str] = []

    def __call__(self, *arguments: str) -> int:
        self.printed.clear()
        parser = argparse.ArgumentParser()
        switch.add_to(parser.add_subparsers(required=True))
        options = parser.parse_args(arguments)
        return int(options.run(self.where, options, self.printed.append))


@pytest.fixture
def command(account: Account, monkeypatch: pytest.MonkeyPatch) -> Command:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    return Command(account)


def test_disarmed_the_deployed_responder_refuses_and_says_who(account: Account, command: Command) -> None:
    assert command("disarm", "--reason", "drill") == 0
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    before = account.groups_of(instance)
    contain(account, instance)
    assert account.groups_of(instance) == before
    refused = account.journal()[-1]
    assert (refused.step, ALICE in refused.detail["reason"]) == (Step.REFUSED, True)
    printed: list[str] = []
    switch.warn(command.where, printed.append)
    assert printed == [refused.detail["reason"]]


def test_disarmed_a_person_still_undoes(account: Account, command: Command) -> None:
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    before = account.groups_of(instance)
    contain(account, instance)
    contained = account.journal()[-1].containment_id
    command("disarm", "--reason", "drill")
    request = json.dumps({"undo": contained, "approved_by": ON_CALL})
    assert expire_containments.handler(sqs_event(request), None) == {"batchItemFailures": []}
    assert account.groups_of(instance) == before


def test_armed_again_it_contains(account: Account, command: Command) -> None:
    command("disarm", "--reason", "drill")
    assert command("arm") == 0
    assert [entry.step for entry in command.where.journal.stream(STREAM)] == [Step.DISARMED, Step.ARMED]
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    contain(account, instance)
    assert account.journal()[-1].step is Step.VERIFIED


def test_nobody_disarms_without_a_reason(command: Command) -> None:
    assert command("disarm", "--reason", " ") == 1
    assert command.where.journal.stream(STREAM) == []
