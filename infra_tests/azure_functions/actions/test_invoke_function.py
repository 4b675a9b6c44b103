"""Invoking a customer's function: what it is sent and by whom, what its answers mean, and what it is not asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from azure_functions.actions.invoke_function import InvokeFunction, read_function
from infra_tests.azure_functions.actions.cloud import Cloud
from infra_tests.azure_functions.actions.invoked import AUDIENCE, CustomersFunction
from infra_tests.response.world import verdict
from offline.azure.callers import read_caller
from offline.azure.web import Answer
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.containment import containment_id
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

TARGET = Entity(EntityKind.HOST, "db-1", "11111111-2222-3333-4444-555555555555")
VERDICT = verdict("", "v", Telemetry.SYSTEM_LOGS, entity=TARGET)


@pytest.fixture
def function(cloud: Cloud) -> CustomersFunction:
    return cloud.function


def action_for(cloud: Cloud, *understands: str) -> InvokeFunction:
    return InvokeFunction(cloud.clients, {**cloud.function.settings, "understands": list(understands)})


def planned(action: InvokeFunction) -> Plan:
    return Plan.from_json_value(action.plan(TARGET, VERDICT).to_json_value())


def test_the_plan_shows_what_will_be_sent_and_sends_nothing(cloud: Cloud, function: CustomersFunction) -> None:
    plan = planned(action_for(cloud, "verify", "undo"))
    assert (plan.refusal, function.asked) == ("", [])
    payload = plan.after["payload"]
    assert payload["version"] == 1
    assert payload["containment_id"] == containment_id("invoke_function", TARGET, VERDICT.id)
    assert payload["target"] == {"kind": "host", "id": "db-1", "account": TARGET.account}
    assert Verdict.from_json(json.dumps(payload["verdict"])) == VERDICT
    assert plan.before["payload"] is None
    assert function.address in plan.resources, "the never-touch list is compared with it"


def test_each_phase_is_asked_under_its_own_key_which_stays_when_it_is_asked_again(
    cloud: Cloud, function: CustomersFunction
) -> None:
    action = action_for(cloud, "verify", "undo")
    plan = planned(action)
    for _ in range(2):
        action.apply(plan)
    assert action.verify(plan) is Verification.VERIFIED
    assert action.undo(plan).restored == (f"{function.address} has taken back what it did",)
    name = plan.after["payload"]["containment_id"]
    keys = [f"{name}/{phase}" for phase in ("contain", "contain", "verify", "undo")]
    assert [each["idempotency_key"] for each in function.asked] == keys
    assert [each.headers["idempotency-key"] for each in function.sent] == keys
    assert {json.dumps(each["verdict"]) for each in function.asked} == {json.dumps(plan.after["payload"]["verdict"])}


def test_who_contains_asks_to_contain_and_who_undoes_to_take_back_each_with_a_token_for_the_function_alone(
    cloud: Cloud, function: CustomersFunction
) -> None:
    action = action_for(cloud, "verify", "undo")
    plan = planned(action)
    action.apply(plan)
    action.verify(plan)
    action.compare(plan)
    action.undo(plan)
    callers = [read_caller(each.headers["authorization"], (AUDIENCE,), now_s=0) for each in function.sent]
    data, undo = cloud.identities["data"], cloud.identities["undo"]
    assert [each.client_id for each in callers] == [data, data, undo, undo]


def test_what_it_does_not_understand_it_is_not_asked(cloud: Cloud, function: CustomersFunction) -> None:
    action = action_for(cloud)
    plan = planned(action)
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


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_what_it_answers_with_an_error_is_why_the_containment_failed(
    cloud: Cloud, function: CustomersFunction, status: int
) -> None:
    action = action_for(cloud, "verify", "undo")
    plan = planned(action)
    function.says = Answer(status, "the firewall said no")
    with pytest.raises(CannotApply, match=rf"contain\): {status} .*the firewall said no"):
        action.apply(plan)
    assert action.verify(plan) is Verification.UNREACHABLE
    assert "the firewall said no" in action.undo(plan).left[0]
    function.says = Answer(status, "x" * 9000)
    with pytest.raises(CannotApply) as error:
        action.apply(plan)
    assert len(str(error.value)) < 600, "it stands in the journal, and in a notice"


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_who_says_to_come_again_is_asked_again_by_the_queue_and_not_at_once(
    cloud: Cloud, function: CustomersFunction, status: int
) -> None:
    action = action_for(cloud, "undo")
    plan = planned(action)
    function.says = Answer(status, headers={"Retry-After": "1"})
    for step in (action.apply, action.undo):
        with pytest.raises(CloudUnavailable, match=str(status)):
            step(plan)
    assert [each["phase"] for each in function.asked] == ["contain", "undo"]


def test_an_answer_that_is_lost_is_asked_for_again_by_the_queue_and_not_at_once(
    cloud: Cloud, function: CustomersFunction
) -> None:
    action = action_for(cloud)
    plan = planned(action)
    function.faults.tear_off()
    with pytest.raises(CloudUnavailable):
        action.apply(plan)
    assert len(function.asked) == 1


@pytest.mark.parametrize("answer", ["perhaps", [1], {"contained": "perhaps"}, None])
def test_an_answer_that_says_nothing_is_no_answer(cloud: Cloud, function: CustomersFunction, answer: Any) -> None:
    action = action_for(cloud, "verify")
    plan = planned(action)
    function.says = Answer(200, answer)
    action.apply(plan)
    assert action.verify(plan) is Verification.UNREACHABLE


@pytest.mark.parametrize("status", [301, 307, 308])
def test_no_redirect_is_followed_with_the_token(cloud: Cloud, function: CustomersFunction, status: int) -> None:
    action = action_for(cloud)
    plan = planned(action)
    function.says = Answer(status, headers={"Location": f"{cloud.arm.url}/stolen"})
    since = len(cloud.calls)
    with pytest.raises(CannotApply, match=str(status)):
        action.apply(plan)
    assert [call.service for call in cloud.calls.calls(since=since)] == ["function"]


def test_who_is_not_let_in_is_told_so(cloud: Cloud, function: CustomersFunction) -> None:
    action = action_for(cloud, "undo")
    plan = planned(action)
    function.lets_in.clear()
    with pytest.raises(CannotApply, match="403 Forbidden"):
        action.apply(plan)
    assert "403 Forbidden" in action.undo(plan).left[0]
    assert function.asked == []


def test_without_a_token_it_is_refused_before_anything_is_done_and_keeps_no_verdict_waiting(
    cloud: Cloud, function: CustomersFunction
) -> None:
    cloud.identity.unknown.add(AUDIENCE)
    reason = planned(action_for(cloud)).refusal
    assert f"{function.address} cannot be invoked" in reason
    assert "docs/actions/azure/invoke_function.md" in reason
    assert "settings.function" in planned(InvokeFunction(cloud.clients)).refusal


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"function": None}, "function: give an address"),
        ({"function": "http://contain.example/api"}, "function: give an address"),
        ({"function": "https://contain.example/api?code=c2VjcmV0"}, "without a query or key"),
        ({"function": "https://ada:secret@contain.example/api"}, "function: give an address"),
        ({"function": "https://contain.example/api#top"}, "function: give an address"),
        ({"audience": None}, "audience: give the application id URI"),
        ({"audience": "https://management.azure.com"}, "audience: give the application id URI"),
        ({"audience": "https://graph.microsoft.com"}, "audience: give the application id URI"),
        ({"audience": "797f4846-ba00-4fd7-ba43-dac1f8f63013"}, "audience: give the application id URI"),
        ({"audience": "api://AzureADTokenExchange"}, "audience: give the application id URI"),
        ({"audience": "api://AzureADTokenExchangeUSGov"}, "audience: give the application id URI"),
        ({"understands": ["contain"]}, "understands: give a list of verify, undo"),
        ({"understands": "undo"}, "understands: give a list of verify, undo"),
        ({"undo": True}, "undo: there is no such setting"),
    ],
)
def test_settings_that_do_not_fit_say_what_does(changed: dict[str, Any], said: str) -> None:
    fitting = {"function": "https://contain.example/api/contain", "audience": AUDIENCE}
    assert read_function(fitting).understands == ()
    with pytest.raises(ValueError, match=r"undo|function|audience|understands") as error:
        read_function(fitting | changed)
    assert said in str(error.value)
