"""Which detector sent a verdict: one that claims another's telemetry counts for nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cdk.names import sends_verdicts
from infra_tests.lambdas.account import DETECTORS, ON_CALL_ID, Account, sqs_event
from infra_tests.response.world import verdict
from lambdas import respond
from lambdas.adapters.senders import SPEAKS, Senders
from lambdas.registry import FUNCTIONS
from response.journal import Step
from shared_model.events import Telemetry
from shared_model.verdicts import Verdict

FLOWS = verdict("i-1", "flows", Telemetry.FLOW_LOGS)
CALLS = verdict("i-1", "calls", Telemetry.API_CALLS, detector="audit")
LINES = verdict("i-1", "lines", Telemetry.SYSTEM_LOGS, detector="audit")
FOUND = verdict("i-1", "found", Telemetry.DNS_LOGS, detector="guardduty")
ALL = (FLOWS, CALLS, LINES, FOUND)


@pytest.fixture
def senders(account: Account) -> Senders:
    return Senders(account.settings.verdict_senders)


def test_whoever_may_send_verdicts_speaks_for_something() -> None:
    assert set(SPEAKS) == {spec.name for spec in FUNCTIONS if sends_verdicts(spec)} == set(DETECTORS)


@pytest.mark.parametrize(
    ("function", "taken"),
    [("detect_flows", {FLOWS}), ("detect_api_calls", {CALLS}), ("detect_system_logs", {LINES}), ("triage_findings", {*ALL})],
)
def test_a_detector_speaks_for_its_own_telemetry_only(senders: Senders, function: str, taken: set[Verdict]) -> None:
    assert {each for each in ALL if not senders.objection(DETECTORS[function], each)} == taken


@pytest.mark.parametrize("sender", ["", ON_CALL_ID, "AROAEXAMPLE9999999999:breakwater-detect-flows", "123456789012", ":", "="])
def test_nobody_else_speaks_at_all_whatever_the_session_is_called(senders: Senders, sender: str) -> None:
    assert "is no detector" in senders.objection(sender, FLOWS)
    assert "is no detector" in Senders("").objection(sender, FLOWS)


def test_a_detector_under_another_ones_name_is_not_heard(senders: Senders) -> None:
    assert senders.objection(DETECTORS["detect_flows"], replace(FLOWS, detector="guardduty"))
    assert senders.objection(DETECTORS["triage_findings"], replace(FLOWS, telemetry=Telemetry.API_CALLS))


@pytest.mark.parametrize("forged", [CALLS, FOUND])
def test_a_stolen_detector_cannot_corroborate_itself(account: Account, monkeypatch: pytest.MonkeyPatch, forged: Verdict) -> None:
    account.settings = replace(account.settings, dead_letter_queue_url=account.queues["verdicts-dead-letters"])
    account.install(monkeypatch, respond)
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    before = account.groups_of(instance)

    def sent(each: Verdict, by: str) -> dict[str, Any]:
        about = replace(each, entity=replace(each.entity, id=instance))
        return sqs_event(about.to_json(), fifo_groups=(about.entity.key,), sender=DETECTORS[by])

    for each in (FLOWS, forged):
        assert respond.handler(sent(each, "detect_flows"), None) == {"batchItemFailures": []}
    assert account.groups_of(instance) == before
    assert account.steps() == [Step.REFUSED], "its own, for want of a second signal"
    (letter,) = account.take("verdicts-dead-letters")
    assert json.loads(letter["Body"])["id"] == forged.id
    reason = letter["MessageAttributes"]["reason"]["StringValue"]
    assert reason == f"detect_flows ({DETECTORS['detect_flows']}) sent it, and does not speak for {forged.detector} of " + str(
        forged.telemetry
    )
    told = [json.loads(each["Body"])["Message"] for each in account.take("notices")]
    assert any(reason in text for text in told)
    assert [line["reason"] for line in account.lines() if line["message"] == "dead letter"] == [reason]

    by = "detect_api_calls" if forged is CALLS else "triage_findings"
    assert respond.handler(sent(forged, by), None) == {"batchItemFailures": []}
    assert account.groups_of(instance) != before, "from whom it is, it is the second signal"


def test_a_flood_of_forged_verdicts_is_told_once_an_hour(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.settings = replace(account.settings, dead_letter_queue_url=account.queues["verdicts-dead-letters"])
    account.install(monkeypatch, respond)

    def send(number: int, sender: str) -> dict[str, Any]:
        about = replace(FOUND, id=f"forged-{number}", entity=replace(FOUND.entity, account=f"{number:012}"))
        event = sqs_event(about.to_json(), fifo_groups=(about.entity.key,), sender=sender)
        event["Records"][0]["messageId"] = f"message-{number}"
        assert respond.handler(event, None) == {"batchItemFailures": []}
        return event

    first = send(0, f"{DETECTORS['detect_flows']}:0")
    for number in range(1, 5):
        send(number, f"{DETECTORS['detect_flows']}:{number}")
    (told,) = account.take("notices")
    assert "within the hour is a dead letter too, and not told" in json.loads(told["Body"])["Message"]
    assert respond.handler(first, None) == {"batchItemFailures": []}
    assert len(account.take("notices")) == 1, "delivered again, it is told again"
    send(5, DETECTORS["detect_system_logs"])
    assert len(account.take("notices")) == 1, "another sender"
    account.now_ms += 3_600_000
    send(6, DETECTORS["detect_flows"])
    assert len(account.take("notices")) == 1
    letters = {json.loads(each["Body"])["id"] for each in account.take("verdicts-dead-letters")}
    assert letters == {f"forged-{number}" for number in range(7)}
