"""Invoking a customer's function: what it is sent, what its answers mean, and what it does not understand it is not asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.actions.invoked import FUNCTION, CustomersFunction
from infra_tests.response.world import verdict
from lambdas.actions.invoke_function import InvokeFunction, read_function
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.containment import containment_id
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

TARGET = Entity(EntityKind.HOST, "db-1", ACCOUNT)
VERDICT = verdict("", "v", Telemetry.SYSTEM_LOGS, entity=TARGET)


def action_for(account: Account, *understands: str) -> InvokeFunction:
    return InvokeFunction(account.clients, {"function": FUNCTION, "understands": list(understands)})


def test_the_plan_shows_what_will_be_sent_and_sends_nothing(account: Account) -> None:
    function = CustomersFunction(account.clients)
    plan = action_for(account, "verify", "undo").plan(TARGET, VERDICT)
    assert function.asked == []
    payload = plan.after["payload"]
    assert payload["version"] == 1
    assert payload["containment_id"] == containment_id("invoke_function", TARGET, VERDICT.id)
    assert payload["target"] == {"kind": "host", "id": "db-1", "account": ACCOUNT}
    assert Verdict.from_json(json.dumps(payload["verdict"])) == VERDICT
    assert plan.before["payload"] is None
    assert FUNCTION in plan.resources, "the never-touch list is compared with it"


def test_each_phase_is_asked_under_its_own_key_which_stays_when_it_is_asked_again(account: Account) -> None:
    function = CustomersFunction(account.clients)
    action = action_for(account, "verify", "undo")
    plan = Plan.from_json_value(action.plan(TARGET, VERDICT).to_json_value())
    for _ in range(2):
        action.apply(plan)
    assert action.verify(plan) is Verification.VERIFIED
    assert action.undo(plan).restored == (f"{FUNCTION} has taken back what it did",)
    name = plan.after["payload"]["containment_id"]
    assert [(each["phase"], each["idempotency_key"]) for each in function.asked] == [
        ("contain", f"{name}/contain"),
        ("contain", f"{name}/contain"),
        ("verify", f"{name}/verify"),
        ("undo", f"{name}/undo"),
    ]
    assert {json.dumps(each["verdict"]) for each in function.asked} == {json.dumps(plan.after["payload"]["verdict"])}


def test_what_it_does_not_understand_it_is_not_asked(account: Account) -> None:
    function = CustomersFunction(account.clients)
    action = action_for(account)
    plan = action.plan(TARGET, VERDICT)
    assert [text.partition(":")[0] for text in plan.touches[1:]] == [
        "nobody can look afterwards whether it holds",
        "it cannot be undone from here",
    ]
    action.apply(plan)
    assert action.verify(plan) is Verification.UNREACHABLE
    result = action.undo(plan)
    assert result.restored == ()
    assert "understands no undo" in result.left[0]
    assert [each["phase"] for each in function.asked] == ["contain"]


def test_what_it_raises_is_why_the_containment_failed(account: Account) -> None:
    function = CustomersFunction(account.clients)
    action = action_for(account, "verify", "undo")
    plan = action.plan(TARGET, VERDICT)
    function.raises = "the firewall said no"
    with pytest.raises(CannotApply, match="RuntimeError: the firewall said no"):
        action.apply(plan)
    assert action.verify(plan) is Verification.UNREACHABLE
    assert "the firewall said no" in action.undo(plan).left[0]
    function.raises = "x" * 9000
    with pytest.raises(CannotApply) as error:
        action.apply(plan)
    assert len(str(error.value)) < 600, "it stands in the journal, and in a notice"


@pytest.mark.parametrize("answer", [b"", b"no JSON", b"[1]", b'{"contained": "perhaps"}'])
def test_an_answer_that_says_nothing_is_no_answer(account: Account, answer: bytes) -> None:
    function = CustomersFunction(account.clients)
    action = action_for(account, "verify")
    plan = action.plan(TARGET, VERDICT)
    function.answers = answer
    action.apply(plan)
    assert action.verify(plan) is Verification.UNREACHABLE


def test_a_function_that_does_not_answer_in_time_is_asked_again_by_the_queue_and_not_at_once(account: Account) -> None:
    function = CustomersFunction(account.clients)
    action = action_for(account)
    plan = action.plan(TARGET, VERDICT)
    asked = []

    def slow(**_: Any) -> None:
        asked.append(1)
        raise ReadTimeoutError(endpoint_url="https://example.invalid")

    client = account.clients("lambda", "eu-central-1", once=True)
    client.meta.events.register_first("before-call.lambda.Invoke", slow)
    with pytest.raises(CloudUnavailable, match="Read timeout"):
        action.apply(plan)
    assert len(asked) == 1
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert function.asked == []


def test_a_function_that_is_not_there_is_refused(account: Account) -> None:
    reason = action_for(account).plan(TARGET, VERDICT).refusal
    assert f"{FUNCTION} cannot be invoked" in reason
    assert "ResourceNotFoundException" in reason
    assert "settings.function" in InvokeFunction(account.clients).plan(TARGET, VERDICT).refusal


def test_a_function_that_may_not_be_invoked_is_refused_and_keeps_no_verdict_waiting(account: Account) -> None:
    CustomersFunction(account.clients)

    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not for you"}}, "Invoke")

    account.clients("lambda", "eu-central-1", once=True).meta.events.register_first("before-call.lambda.Invoke", denied)
    assert f"{FUNCTION} cannot be invoked" in action_for(account).plan(TARGET, VERDICT).refusal


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "function: give the ARN of a function"),
        ({"function": "contain"}, "function: give the ARN of a function"),
        ({"function": FUNCTION.replace("contain", "*")}, "function: give the ARN of a function"),
        ({"function": FUNCTION, "understands": ["contain"]}, "understands: give a list of verify, undo"),
        ({"function": FUNCTION, "understands": "undo"}, "understands: give a list of verify, undo"),
        ({"function": FUNCTION, "undo": True}, "undo: there is no such setting"),
    ],
)
def test_settings_that_do_not_fit_say_what_does(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"undo|function") as error:
        read_function(settings)
    assert said in str(error.value)


def test_an_alias_may_be_named() -> None:
    assert read_function({"function": f"{FUNCTION}:live"}).arn == f"{FUNCTION}:live"
