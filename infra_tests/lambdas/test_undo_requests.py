"""Requests to the function that undoes: look first, and write over what was changed since only when told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.ec2.models import ec2_backends

from infra_tests.lambdas.account import ACCOUNT, ON_CALL, ON_CALL_ID, Account, sqs_event
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import expire_containments, respond, triage_findings
from response.journal import Step


def ask(account: Account, **how: Any) -> None:
    request = {"undo": account.journal()[-1].containment_id, "approved_by": ON_CALL, **how}
    assert expire_containments.handler(sqs_event(json.dumps(request)), None) == {"batchItemFailures": []}


def test_nobody_undoes_in_another_ones_name(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    contain(account, instance)
    contained, before = account.journal()[-1].containment_id, account.groups_of(instance)
    account.take("notices")
    for sender, said in (("AROAEXAMPLE:eve", ON_CALL), (ON_CALL_ID, f"arn:aws:iam::{ACCOUNT}:user/bob"), (ON_CALL_ID, "bob")):
        request = json.dumps({"undo": contained, "approved_by": said})
        assert expire_containments.handler(sqs_event(request, sender=sender), None) == {"batchItemFailures": []}
        (letter,) = account.take("dead-letters")
        assert letter["MessageAttributes"]["field"]["StringValue"] == "approved_by"
        (told,) = account.take("notices")
        assert contained in told["Body"]
        assert letter["MessageAttributes"]["reason"]["StringValue"] in json.loads(told["Body"])["Message"]
    assert (account.groups_of(instance), account.steps()[-1]) == (before, Step.VERIFIED)
    ask(account)
    assert account.journal()[-2].detail["requested_by"] == ON_CALL_ID


def test_look_leave_and_write_over(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    vpc = account.vpc()
    web, forensics = account.group(vpc, "web"), account.group(vpc, "forensics")
    instance = account.instance(vpc, [web], interfaces=2)
    before = account.groups_of(instance)
    contain(account, instance)
    first, *_ = before
    account.clients("ec2").modify_network_interface_attribute(NetworkInterfaceId=first, Groups=[forensics])
    changed = account.groups_of(instance)

    ask(account, dry_run="yes")  # whatever it says: who wanted to look must not change anything
    assert (account.journal()[-1].step, account.groups_of(instance)) == (Step.COMPARED, changed)
    assert [part.endswith("CHANGED SINCE") for part in account.journal()[-1].detail["parts"]].count(True) == 1
    ask(account)
    assert account.groups_of(instance) == {**before, first: [forensics]}
    ask(account, overwrite=True)
    assert account.groups_of(instance) == before


@pytest.mark.parametrize("how", [{}, {"overwrite": True}])
def test_a_quarantine_of_an_instance_that_is_gone_ends(
    account: Account, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    (eni,) = account.groups_of(instance)
    contain(account, instance)
    ec2 = account.clients("ec2")
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[instance])
    backend = ec2_backends[ACCOUNT][ec2.meta.region_name]
    del backend.enis[eni]  # moto leaves the interface, which goes with its instance, and the instance, which EC2 forgets
    for reservation in backend.reservations.values():
        reservation.instances = [each for each in reservation.instances if each.id != instance]

    ask(account, dry_run=True)
    assert sum("now the instance is gone" in part for part in account.journal()[-1].detail["parts"]) == 1
    ask(account, **how)
    undone = account.journal()[-1]
    assert undone.step is Step.UNDONE
    assert undone.detail["left"] == [f"{eni} is no longer attached to {instance}", f"{instance} is gone"]
    assert account.take("dead-letters") == []
