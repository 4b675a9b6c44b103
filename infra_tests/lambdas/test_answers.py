"""Answers to proposals, through the handler, in moto: who sent one is what SQS saw and IAM names."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, Account, sqs_event
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import answer_proposals, expire_containments, respond, triage_findings
from lambdas.adapters.callers import Callers, Impersonation
from response.answers import answer_body
from response.containment import fold
from response.journal import Step
from response.proposals import Proposal, digest


@pytest.fixture
def functions(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for module in (triage_findings, respond, answer_proposals, expire_containments):
        account.install(monkeypatch, module)
    account.set_policy(mode="approve")
    return account


@pytest.fixture
def alice(account: Account) -> tuple[str, str]:
    """A session of the on-call role: its id, as SQS sees it, and its ARN."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = account.clients("iam").create_role(RoleName="on-call", AssumeRolePolicyDocument=trust, Path="/people/")["Role"]
    return f"{role['RoleId']}:alice", f"arn:aws:sts::{ACCOUNT}:assumed-role/on-call/alice"


@pytest.fixture
def instance(functions: Account) -> str:
    vpc = functions.vpc()
    made = functions.instance(vpc, [functions.group(vpc, "web")])
    contain(functions, made)
    return made


def proposal_of(account: Account, instance: str) -> Proposal:
    (name,) = {entry.stream for entry in account.journal() if entry.stream.endswith(instance)}
    entries = [entry for entry in account.journal() if entry.stream == name]
    return next(iter(fold(name, entries).proposals.values()))


def answer(proposal: Proposal, caller: tuple[str, str], **changes: Any) -> dict[str, Any]:
    sender, by = caller
    fields: dict[str, Any] = {"approves": True, "by": by, "request": str(uuid.uuid4()), "plan": digest(proposal.plan)} | changes
    result: dict[str, Any] = answer_proposals.handler(sqs_event(answer_body(proposal.id, **fields), sender=sender), None)
    return result


def test_approved_it_is_contained_and_undone_by_the_same_id(functions: Account, instance: str, alice: tuple[str, str]) -> None:
    before = functions.groups_of(instance)
    proposal = proposal_of(functions, instance)
    assert answer(proposal, alice, reason="it mines") == {"batchItemFailures": []}
    assert functions.groups_of(instance) != before
    approved, applying, applied, verified = functions.journal()[-4:]
    assert [approved.step, applying.step, applied.step, verified.step] == [
        Step.APPROVED,
        Step.APPLYING,
        Step.APPLIED,
        Step.VERIFIED,
    ]
    assert (approved.actor, approved.detail["attested"]) == (alice[1], alice[0])
    functions.now_ms += 1
    undo = json.dumps({"undo": proposal.id, "approved_by": alice[1]})
    assert expire_containments.handler(sqs_event(undo, sender=alice[0]), None) == {"batchItemFailures": []}
    assert functions.groups_of(instance) == before


def test_denied_nothing_is_changed(functions: Account, instance: str, alice: tuple[str, str]) -> None:
    before = functions.groups_of(instance)
    answer(proposal_of(functions, instance), alice, approves=False, reason="a scanner of ours")
    assert functions.groups_of(instance) == before
    assert functions.journal()[-1].step is Step.DENIED


def test_what_someone_changed_meanwhile_is_proposed_anew(functions: Account, instance: str, alice: tuple[str, str]) -> None:
    (interface,) = functions.groups_of(instance)
    other = functions.group(functions.vpc(), "other")
    functions.clients("ec2").modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[other])
    answer(proposal_of(functions, instance), alice)
    assert functions.groups_of(instance) == {interface: [other]}
    last = functions.journal()[-1]
    assert last.step is Step.PROPOSED
    assert last.plan is not None
    assert last.plan["before"]["interfaces"][interface]["groups"] == [other]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "by"),
        ('{"by": "SELF"}', "approve"),
        ('{"by": "SELF", "approve": "a", "deny": "a"}', "approve"),
        ('{"by": "SELF", "approve": "a", "request": "r"}', "plan"),
        ('{"by": "SELF", "deny": "a", "request": "r"}', "reason"),
        ('{"by": "SELF", "deny": "a", "reason": "why"}', "request"),
        ('{"by": "SELF", "deny": "nobody", "reason": "why", "request": "r"}', "deny"),
        ('{"by": "SELF", "approve": "nobody", "plan": "p", "request": "r"}', "approve"),
    ],
)
def test_what_is_no_answer_is_buried_with_its_reason(functions: Account, alice: tuple[str, str], body: str, field: str) -> None:
    sent = body.replace("SELF", alice[1])
    assert answer_proposals.handler(sqs_event(sent, sender=alice[0]), None) == {"batchItemFailures": []}
    (message,) = functions.take("dead-letters")
    assert message["MessageAttributes"]["field"]["StringValue"] == field


@pytest.mark.parametrize(
    "said",
    [
        f"arn:aws:sts::{ACCOUNT}:assumed-role/on-call/bob",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/alice",
        f"arn:aws:iam::{ACCOUNT}:user/bob",
        "bob",
    ],
)
def test_nobody_answers_in_another_ones_name(functions: Account, instance: str, alice: tuple[str, str], said: str) -> None:
    functions.clients("iam").create_user(UserName="bob")
    functions.take("notices")
    answer(proposal_of(functions, instance), (alice[0], said))
    (message,) = functions.take("dead-letters")
    assert message["MessageAttributes"]["field"]["StringValue"] == "by"
    (told,) = functions.take("notices")
    assert "Answer refused" in told["Body"]
    assert functions.journal()[-1].step is Step.PROPOSED


def test_a_user_and_a_session_are_named_as_iam_knows_them(account: Account, alice: tuple[str, str]) -> None:
    callers = Callers(account.clients, ACCOUNT)
    person = callers.person(*alice)
    assert (person.attested, person.shared_names) == (alice[0], (f"arn:aws:iam::{ACCOUNT}:role/people/on-call",))
    user = account.clients("iam").create_user(UserName="carol")["User"]
    assert callers.person(user["UserId"], user["Arn"]).id == user["UserId"]
    with pytest.raises(Impersonation):
        callers.person("", alice[1])


ELSEWHERE = "210987654321"
DAVE = f"arn:aws:sts::{ELSEWHERE}:assumed-role/on-call/dave"


def test_an_operator_of_another_account_is_named_as_said_beside_the_attested_id(account: Account) -> None:
    callers = Callers(account.clients, ACCOUNT, other_accounts=[ELSEWHERE])
    session = callers.person("AROAELSEWHERE:dave", DAVE)
    assert (session.name, session.id, session.shared_names) == (DAVE, "AROAELSEWHERE:dave", ())
    erin = f"arn:aws:iam::{ELSEWHERE}:user/erin"
    assert callers.person("AIDAELSEWHERE", erin).id == "AIDAELSEWHERE"


@pytest.mark.parametrize("accounts", [[], [""], ["333344445555"]])
def test_an_account_that_has_no_operators_is_nobodys_to_name(account: Account, accounts: list[str]) -> None:
    with pytest.raises(Impersonation, match=f"account {ELSEWHERE}, whose people do not answer here"):
        Callers(account.clients, ACCOUNT, other_accounts=accounts).person("AROAELSEWHERE:dave", DAVE)


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("AROAELSEWHERE:mallory", DAVE),
        ("AROAELSEWHERE", DAVE),
        ("AIDAELSEWHERE:dave", f"arn:aws:iam::{ELSEWHERE}:user/dave"),
        (ACCOUNT, f"arn:aws:iam::{ELSEWHERE}:user/root"),
        (f"{ACCOUNT}:dave", DAVE),
    ],
    ids=["another session", "no session", "a session as a user", "the root user", "a federated user"],
)
def test_an_id_that_does_not_fit_the_name_is_refused(account: Account, sender: str, said: str) -> None:
    with pytest.raises(Impersonation, match=f"but {sender} sent it"):
        Callers(account.clients, ACCOUNT, other_accounts=[ELSEWHERE]).person(sender, said)


def test_nobody_of_this_account_takes_a_name_of_another(account: Account, alice: tuple[str, str]) -> None:
    """Else whom a verdict is about could approve what is to be done about him, in the name of somebody unknown."""
    iam = account.clients("iam")
    mallory = iam.create_user(UserName="mallory")["User"]["UserId"]
    callers = Callers(account.clients, ACCOUNT, other_accounts=[ELSEWHERE])
    with pytest.raises(Impersonation, match=f"{mallory}, of account {ACCOUNT}, sent it"):
        callers.person(mallory, f"arn:aws:iam::{ELSEWHERE}:user/erin")
    with pytest.raises(Impersonation, match=f"of account {ACCOUNT}, sent it"):
        callers.person(alice[0], f"arn:aws:sts::{ELSEWHERE}:assumed-role/on-call/alice")


def test_whom_the_verdict_is_about_does_not_approve_as_somebody_of_another_account(
    functions: Account, instance: str, alice: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    functions.settings = replace(functions.settings, operator_accounts=ELSEWHERE)
    proposal = proposal_of(functions, instance)
    functions.install(monkeypatch, answer_proposals)
    answer(proposal, (alice[0], f"arn:aws:sts::{ELSEWHERE}:assumed-role/on-call/alice"))
    (message,) = functions.take("dead-letters")
    assert f"of account {ACCOUNT}, sent it" in message["MessageAttributes"]["reason"]["StringValue"]
    assert functions.journal()[-1].step is Step.PROPOSED
    answer(proposal, ("AROAELSEWHERE:dave", DAVE))
    assert functions.journal()[-1].step is Step.VERIFIED
