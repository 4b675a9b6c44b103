"""A notice in a channel: its webhook's address is a SecureString, read when it is needed, and in no log."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from infra_tests.lambdas.account import Account
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import respond, triage_findings
from response import posting

SLACK = "https://hooks.slack.com/services/T000/B000/first"


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What reached a channel: address and subject."""
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(posting, "post_json", lambda to, body: sent.append((to, json.loads(body)["text"])))
    return sent


def keep(account: Account, address: str) -> None:
    account.clients("ssm").put_parameter(Name="/breakwater/slack", Value=address, Type="SecureString", Overwrite=True)


def machine(account: Account) -> str:
    vpc = account.vpc()
    return account.instance(vpc, [account.group(vpc, "web")])


@pytest.fixture
def functions(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    account.settings = replace(account.settings, slack_webhook_parameter="/breakwater/slack")
    for module in (triage_findings, respond):
        account.install(monkeypatch, module)
    return account


def test_what_is_contained_is_told_in_the_channel_and_by_the_topic(functions: Account, posted: list[tuple[str, str]]) -> None:
    keep(functions, SLACK)
    contain(functions, machine(functions))
    assert {to for to, _ in posted} == {SLACK}
    assert any(subject.startswith("Contained: instance") for _, subject in posted)
    assert len(functions.take("notices")) == len(posted)
    assert "B000" not in functions.log.getvalue()


def test_a_new_address_counts_within_five_minutes(functions: Account, posted: list[tuple[str, str]]) -> None:
    keep(functions, SLACK)
    contain(functions, machine(functions))
    keep(functions, f"{SLACK}-second")
    functions.now_ms += 300_000
    before = len(posted)
    contain(functions, machine(functions))
    assert {to for to, _ in posted[before:]} == {f"{SLACK}-second"}


def test_an_address_that_is_not_there_is_an_error_in_the_log_and_the_containment_stands(
    functions: Account, posted: list[tuple[str, str]]
) -> None:
    instance = machine(functions)
    before = functions.groups_of(instance)
    contain(functions, instance)
    assert functions.groups_of(instance) != before
    assert posted == []
    errors = [line for line in functions.lines() if line["message"] == "notice not delivered"]
    assert {line["channel"] for line in errors} == {"slack"}
