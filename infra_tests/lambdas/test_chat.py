"""A notice in a chat: one thread for a case, and nothing of what a finding says is read as mark-up there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.lambdas.account import Account
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import respond, triage_findings
from lambdas.adapters.chat import custom_notification
from response.notices import notice

NAME = "chat"


@pytest.fixture
def told(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account whose operator has a topic that the chat listens on, and a queue in the chat's place."""
    sns, sqs = account.clients("sns"), account.clients("sqs")
    topic = sns.create_topic(Name=NAME)["TopicArn"]
    queue = sqs.create_queue(QueueName=NAME)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    account.settings = replace(account.settings, chat_topic_arn=topic)
    for module in (triage_findings, respond):
        account.install(monkeypatch, module)
    return account


def taken(account: Account) -> list[dict[str, Any]]:
    sqs = account.clients("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def isolate(account: Account) -> None:
    vpc = account.vpc()
    contain(account, account.instance(vpc, [account.group(vpc, "web")]))


def test_all_of_one_case_has_one_thread(told: Account) -> None:
    isolate(told)
    sent = taken(told)
    assert len(sent) > 1
    assert {(each["version"], each["source"]) for each in sent} == {("1.0", "custom")}
    (thread,) = {each["metadata"]["threadId"] for each in sent}
    assert thread == told.journal()[-1].case
    assert any(each["content"]["title"].startswith("Contained: instance") for each in sent)
    assert len(told.take("notices")) == len(sent), "the other topic is told the same"


def test_another_case_has_another(told: Account) -> None:
    one, other = (replace(notice(f"s/{case}", "Contained", ["x"], "c"), case=case) for case in ("case-1", "case-2"))
    alone = notice("s/3", "Contained", ["x"], "c")
    threads = [custom_notification(each)["metadata"]["threadId"] for each in (one, other, alone)]
    assert threads == ["case-1", "case-2", "s/3"]


def test_nothing_of_what_a_finding_says_is_mark_up() -> None:
    said = "<!channel> ``` [sign in](https://evil.example) *now* & <https://evil.example|here>"
    content = custom_notification(notice("s/1", said, [said, "x" * 5000], "c"))["content"]
    before, text, after = content["description"].split("```")
    assert (before, after) == ("", "")
    assert len(text) < 3000
    assert not set("<>`&") & set(text + content["title"])


def test_links_that_open_the_plan_are_the_next_step() -> None:
    asked = replace(notice("s/1", "Approve?", ["x"], "c"), link="https://page.example/p/1?a=1&b=2", case="case-1")
    steps = custom_notification(asked)["content"]["nextSteps"]
    assert steps[0].endswith("https://page.example/p/1?a=1&b=2")
    assert "breakwater show case-1" in steps[1]


def test_a_topic_that_is_gone_holds_nothing_up(told: Account) -> None:
    told.clients("sns").delete_topic(TopicArn=told.settings.chat_topic_arn)
    isolate(told)
    assert "notice not delivered" in told.log.getvalue()
    assert [entry.step for entry in told.journal()][-1] == "VERIFIED"
