"""Actions that the policy gives settings, through respond with the roles of their groups, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, DETECTORS, NOW_MS, ON_CALL, Account, sqs_event
from infra_tests.lambdas.actions import waf
from infra_tests.lambdas.actions.invoked import FUNCTION, CustomersFunction
from infra_tests.response.world import verdict
from lambdas import expire_containments, respond
from lambdas.registry import Group
from response.journal import JournalEntry, Step
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

ATTACKER = Entity(EntityKind.ADDRESS, "203.0.113.9", ACCOUNT)
HOST = Entity(EntityKind.HOST, "db-1", ACCOUNT)


@pytest.fixture
def functions(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for module in (respond, expire_containments):
        account.install(monkeypatch, module)
    return account


def enforce(account: Account, action: str, target: EntityKind, **settings: Any) -> None:
    """One action alone is armed, and one signal is enough."""
    account.set_policy(
        rules=[{"name": "only", "action": action, "target": target, "alone": True}],
        actions={action: {"mode": "enforce", "settings": settings}},
    )
    account.now_ms += 60_001  # functions read the policy again


def about(target: Entity, number: int = 1) -> Verdict:
    return verdict("", f"v{number}", Telemetry.FLOW_LOGS, entity=target, time_ms=NOW_MS, completed_flow=True)


def deliver(account: Account, target: Entity, number: int = 1) -> list[JournalEntry]:
    one = about(target, number)
    assert respond.handler(sqs_event(one.to_json(), fifo_groups=(target.key,), sender=DETECTORS["triage_findings"]), None) == {
        "batchItemFailures": []
    }
    return account.journal()


def undo(account: Account, entry: JournalEntry) -> JournalEntry:
    asked = json.dumps({"undo": entry.containment_id, "approved_by": ON_CALL})
    assert expire_containments.handler(sqs_event(asked), None) == {"batchItemFailures": []}
    return account.journal()[-1]


def test_an_address_is_blocked_in_the_set_that_the_policy_names_and_let_in_again(functions: Account) -> None:
    name = waf.ip_set(functions, "blocked", "192.0.2.0/24")
    waf.web_acl(functions, waf.blocks_by(name))
    enforce(functions, "block_address_in_waf", EntityKind.ADDRESS, ip_sets=[name.arn])
    entries = deliver(functions, ATTACKER)
    assert [entry.step for entry in entries] == [Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    assert waf.blocks_of(functions, name) == ["192.0.2.0/24", "203.0.113.9/32"]
    assert undo(functions, entries[0]).step is Step.UNDONE
    assert waf.blocks_of(functions, name) == ["192.0.2.0/24"]


def test_a_change_of_the_settings_is_noticed_and_what_was_done_under_the_former_ones_is_undone(functions: Account) -> None:
    first, second = waf.ip_set(functions, "first"), waf.ip_set(functions, "second")
    waf.web_acl(functions, waf.blocks_by(first, "first"), waf.blocks_by(second, "second"))
    enforce(functions, "block_address_in_waf", EntityKind.ADDRESS, ip_sets=[first.arn])
    entries = deliver(functions, ATTACKER)
    enforce(functions, "block_address_in_waf", EntityKind.ADDRESS, ip_sets=[second.arn])
    deliver(functions, Entity(EntityKind.ADDRESS, "203.0.113.10", ACCOUNT), 2)
    assert (waf.blocks_of(functions, first), waf.blocks_of(functions, second)) == (["203.0.113.9/32"], ["203.0.113.10/32"])
    undo(functions, entries[0])
    assert waf.blocks_of(functions, first) == []


def test_a_function_is_asked_to_contain_to_look_and_to_take_back(functions: Account) -> None:
    function = CustomersFunction(*(module.ROOM._clients_of(Group.DATA) for module in (respond, expire_containments)))
    enforce(functions, "invoke_function", EntityKind.HOST, function=FUNCTION, understands=["verify", "undo"])
    entries = deliver(functions, HOST)
    assert [entry.step for entry in entries] == [Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    assert function.contained == {entries[0].containment_id: "db-1"}
    assert undo(functions, entries[0]).step is Step.UNDONE
    assert function.contained == {}
    assert [each["phase"] for each in function.asked] == ["contain", "verify", "verify", "undo"]  # what an undo would find


def test_what_a_function_raises_stands_in_the_journal_and_in_the_notice(functions: Account) -> None:
    CustomersFunction(respond.ROOM._clients_of(Group.DATA)).raises = "the firewall said no"
    enforce(functions, "invoke_function", EntityKind.HOST, function=FUNCTION)
    failed = deliver(functions, HOST)[-1]
    assert failed.step is Step.FAILED
    assert "RuntimeError: the firewall said no" in failed.detail["reason"]
    assert any("the firewall said no" in message["Body"] for message in functions.take("notices"))


def machine(account: Account) -> Entity:
    vpc = account.vpc()
    return Entity(EntityKind.INSTANCE, account.instance(vpc, [account.group(vpc, "web")]), ACCOUNT)


def deny(clients: Any, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "not this key"}}, call)

    for once in (False, True):
        monkeypatch.setattr(clients("ec2", once=once), call, denied)


def test_a_quarantine_whose_snapshots_are_denied_holds_and_its_undo_gives_back_what_there_was(
    functions: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = machine(functions)
    before = functions.groups_of(target.id)
    enforce(functions, "quarantine_instance", EntityKind.INSTANCE, snapshots=True)
    deny(respond.ROOM._clients_of(Group.NETWORK), monkeypatch, "create_snapshots")
    entries = deliver(functions, target)
    assert [entry.step for entry in entries] == [Step.APPLYING, Step.APPLIED, Step.DRIFTED]
    assert functions.groups_of(target.id) != before
    assert deliver(functions, target, 2)[-1].step in (Step.NOOP, Step.EXTENDED)
    assert undo(functions, entries[0]).step is Step.UNDONE
    assert functions.groups_of(target.id) == before


def test_a_quarantine_ends_also_where_its_tags_are_no_longer_granted(functions: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    target = machine(functions)
    before = functions.groups_of(target.id)
    enforce(functions, "quarantine_instance", EntityKind.INSTANCE, tags={"incident": "yes"})
    entries = deliver(functions, target)
    deny(expire_containments.ROOM._clients_of(Group.UNDO), monkeypatch, "delete_tags")
    undone = undo(functions, entries[0])
    assert undone.step is Step.UNDONE
    assert [left.partition(" (")[0] for left in undone.detail["left"]] == [f"{target.id} keeps its tags"]
    assert functions.groups_of(target.id) == before
