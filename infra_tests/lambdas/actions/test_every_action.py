"""What every AWS action declares."""

from __future__ import annotations

import re

import pytest

from infra_tests.lambdas.account import Account
from lambdas.actions.catalogue import ACTIONS, GROUPS, KNOWN, make_actions
from response.actions import Action


def test_no_action_may_delete_more_than_what_undo_takes_away() -> None:
    declared = {name for action in ACTIONS for name in (*action.permissions, *action.undo_permissions)}
    assert {name for name in declared if ":Delete" in name or "*" in name} == {
        "ec2:DeleteNetworkAclEntry",
        "ec2:DeleteTags",  # of a key that the policy names (cdk/permissions.py)
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DeleteUserPolicy",
    }
    assert not any(":Delete" in name for action in ACTIONS for name in action.permissions)
    assert {"iam:PutRolePolicy", "iam:PutUserPolicy"}.isdisjoint(name for action in ACTIONS for name in action.undo_permissions)


def test_every_action_has_a_group_and_the_name_of_its_key(account: Account) -> None:
    made = make_actions(lambda group: account.clients)
    assert set(made) == set(GROUPS) == set(KNOWN)
    assert all(action.name == name and KNOWN[name].handles == action.handles for name, action in made.items())


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_permissions_are_named_once_and_in_full(action: type[Action]) -> None:
    for declared in (action.permissions, action.undo_permissions):
        assert len(set(declared)) == len(declared)
        assert all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", name) for name in declared)
