"""A long never-touch list is denied on as many policies as it takes, and one that no role can carry stops the synthesis."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdk.groups import RoleTooLong
from cdk.policy import read_policy
from infra_tests.cdk.conftest import ACCOUNT, REGION
from infra_tests.cdk.templates import Templates, many
from lambdas.actions.catalogue import UNDO_GROUP
from lambdas.registry import Group
from response.policy import PolicyError

MACHINES = [f"i-{number:08x}" for number in range(200)]
GROUPS = [group for group in Group if group is not UNDO_GROUP]


def policy(folder: Path, *, tags: list[str] | None = None, instances: list[str] | None = None, **more: Any) -> Path:
    never = {"tags": tags or ["break-glass"], "instances": instances or []}
    file = folder / "policy.yaml"  # JSON is YAML
    file.write_text(json.dumps({"version": 1, "never_touch": never, **more}), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def long_list(synthesise: Callable[..., Templates], tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """A list that no inline policy has room for."""
    file = policy(tmp_path_factory.mktemp("policy"), tags=[f"keep-{number}" for number in range(12)], instances=MACHINES)
    return synthesise(policy_file=str(file))


def characters(document: dict[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def attached(templates: Templates, group: Group) -> list[dict[str, Any]]:
    """Managed policies of a group's role, but for its boundary."""
    role = templates.named("AWS::IAM::Role", "RoleName", f"breakwater-{group}-{REGION}")
    every = templates.resources("AWS::IAM::ManagedPolicy")
    return [every[arn["Ref"]]["Properties"] for arn in role.get("ManagedPolicyArns", ())]


def test_every_machine_of_a_long_list_is_denied_to_who_could_change_it(long_list: Templates) -> None:
    statements = [s for p in attached(long_list, Group.NETWORK) for s in p["PolicyDocument"]["Statement"]]
    inline = long_list.role_statements()[f"breakwater-{Group.NETWORK}-{REGION}"]["never-touch"]
    denied = {arn for s in (*inline, *statements) for arn in many(s["Resource"])}
    assert all(s["Effect"] == "Deny" for s in statements)
    assert {f"arn:*:ec2:*:*:instance/{machine}" for machine in MACHINES} <= denied


@pytest.mark.parametrize("group", GROUPS)
def test_no_policy_of_a_role_is_longer_than_iam_takes(long_list: Templates, group: Group) -> None:
    policies = attached(long_list, group)
    assert 1 <= len(policies) <= 10
    assert all(characters(each["PolicyDocument"]) <= 6_144 for each in policies)
    inline = long_list.role_statements()[f"breakwater-{group}-{REGION}"].values()
    assert sum(characters({"Version": "2012-10-17", "Statement": statements}) for statements in inline) <= 10_240


def test_who_undoes_is_denied_none_of_it(long_list: Templates) -> None:
    assert attached(long_list, UNDO_GROUP) == []


def test_our_own_roles_cannot_change_what_they_are_denied_by(long_list: Templates) -> None:
    (pattern,) = {
        arn
        for s in long_list.role_statements()[f"breakwater-{Group.IDENTITY}-{REGION}"]["never-itself"]
        for arn in many(s["Resource"])
        if arn.endswith("never-touch-*")
    }
    names = [each["ManagedPolicyName"] for group in GROUPS for each in attached(long_list, group)]
    assert names
    assert all(name.startswith(pattern.rpartition("/")[2].removesuffix("*")) for name in names)


def test_a_list_that_no_role_can_carry_stops_the_synthesis_with_what_is_too_much(tmp_path: Path) -> None:
    file = policy(tmp_path, tags=[f"keep-{number}" for number in range(200)])
    with pytest.raises(PolicyError, match=r"policy\.yaml: never_touch: IAM has no room for \d+ of .*'network'.*tag keep-\d+"):
        read_policy(file)


def test_a_policy_that_no_parameter_holds_says_by_how_much(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"policy\.yaml: as JSON it is \d+ bytes, \d+ more than a parameter"):
        read_policy(policy(tmp_path, instances=[f"i-{number:017x}" for number in range(400)]))


def test_more_settings_than_a_role_can_be_granted_stop_the_synthesis_too(
    synthesise: Callable[..., Templates], tmp_path: Path
) -> None:
    sets = [
        f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/ipset/{'b' * 126}{number:02}/11111111-2222-4333-8444-{number:012}"
        for number in range(10)
    ]
    tags = {f"{'k' * 126}{number:02}": "incident" for number in range(10)}
    actions = {
        "block_address_in_waf": {"settings": {"ip_sets": sets}},
        "quarantine_instance": {"settings": {"snapshots": True, "tags": tags}},
    }
    with pytest.raises(RoleTooLong, match=r"'network' are \d+ characters longer .*contain-block-address-in-waf has"):
        synthesise(policy_file=str(policy(tmp_path, actions=actions)))
