"""What an action may do: what it declares, on what the policy names for it, and nothing where that names nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdk.names import kebab
from infra_tests.cdk.conftest import ACCOUNT, REGION
from infra_tests.cdk.templates import Templates, allowed, many
from lambdas.actions.catalogue import ACTIONS, CONFIGURED, UNDO_GROUP
from lambdas.registry import Group

GOLDEN_OF_THE_EXAMPLE = Path(__file__).parent / "golden" / "roles-of-the-example.json"


@pytest.fixture(scope="module")
def configured(synthesise: Callable[..., Templates]) -> Templates:
    """With a policy that gives every action the settings that it takes."""
    return synthesise(policy_file="policy/example-enforcing.yaml")


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_an_action_gets_what_it_declares_in_its_group_and_its_undo_is_another_identity(
    configured: Templates, action: Any
) -> None:
    roles, name = configured.role_statements(), kebab(action.name)
    assert allowed(roles[f"breakwater-{action.group}-{REGION}"][f"contain-{name}"]) == set(action.permissions)
    assert allowed(roles[f"breakwater-{UNDO_GROUP}-{REGION}"][f"undo-{name}"]) == set(action.undo_permissions)
    for other in {*Group} - {action.group, UNDO_GROUP}:
        assert f"contain-{name}" not in roles[f"breakwater-{other}-{REGION}"]


def test_an_action_works_on_what_the_policy_names_and_on_nothing_else(configured: Templates) -> None:
    roles = configured.role_statements()
    ip_set = "arn:aws:wafv2:eu-central-1:123456789012:regional/ipset/blocked-by-breakwater/11111111-2222-4333-8444-555555555555"
    function = "arn:aws:lambda:eu-central-1:123456789012:function:contain-host"
    changed = {
        permission: set(many(s["Resource"]))
        for policies in roles.values()
        for statements in policies.values()
        for s in statements
        for permission in many(s["Action"])
        if s["Effect"] == "Allow" and permission in ("wafv2:UpdateIPSet", "lambda:InvokeFunction")
    }
    assert changed == {"wafv2:UpdateIPSet": {ip_set}, "lambda:InvokeFunction": {function}}
    instances = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*"
    keys = {"ForAllValues:StringEquals": {"aws:TagKeys": ["incident"]}, "Null": {"aws:TagKeys": "false"}}
    for group, name in ((Group.NETWORK, "contain"), (UNDO_GROUP, "undo")):
        for s in roles[f"breakwater-{group}-{REGION}"][f"{name}-quarantine-instance"]:
            if {"ec2:CreateTags", "ec2:DeleteTags"} & set(many(s["Action"])) and instances in many(s["Resource"]):
                assert s["Condition"] == keys
            if "ec2:ModifyInstanceAttribute" in many(s["Action"]):
                attributes = ["DisableApiTermination", "InstanceInitiatedShutdownBehavior"]
                assert s["Condition"] == {"StringEqualsIgnoreCase": {"ec2:Attribute": attributes}}


def test_a_snapshot_of_a_volume_is_shared_by_an_undo_alone(templates: Templates) -> None:
    roles = templates.role_statements()
    conditions = {
        name: [
            s.get("Condition")
            for s in roles[f"breakwater-{group}-{REGION}"][f"{name}-unshare-snapshot"]
            if "ec2:ModifySnapshotAttribute" in many(s["Action"])
        ]
        for group, name in ((Group.DATA, "contain"), (UNDO_GROUP, "undo"))
    }
    shares_with_nobody = {"Null": {"ec2:Add/group": "true", "ec2:Add/userId": "true"}}
    assert conditions == {"contain": [shares_with_nobody], "undo": [None]}


def test_without_settings_nothing_is_granted_for_them(templates: Templates) -> None:
    """The default policy names no IP set and no function, and asks for no snapshots and tags."""
    roles = templates.role_statements()
    all_of_them = {name for policies in roles.values() for name in policies}
    assert all_of_them.isdisjoint(
        {f"{verb}-{name}" for verb in ("contain", "undo") for name in ("block-address-in-waf", "invoke-function")}
    )
    granted = {name for policies in roles.values() for statements in policies.values() for name in allowed(statements)}
    assert granted.isdisjoint({"ec2:CreateSnapshots", "ec2:DeleteTags", "lambda:InvokeFunction", "wafv2:UpdateIPSet"})


def test_what_is_granted_for_the_settings_of_the_example_is_as_reviewed(configured: Templates) -> None:
    """Golden file: the proof of least privilege reads it (infra_tests/lambdas/granted.py). UPDATE_GOLDEN=1 writes it anew."""
    named = {f"{verb}-{kebab(action.name)}" for action in CONFIGURED for verb in ("contain", "undo")}
    by_role = {
        role: {name: statements for name, statements in policies.items() if name in named}
        for role, policies in configured.role_statements().items()
    }
    now = json.dumps({role: policies for role, policies in by_role.items() if policies}, indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN_OF_THE_EXAMPLE.write_text(now)
    assert json.loads(GOLDEN_OF_THE_EXAMPLE.read_text()) == json.loads(now)
