"""What every AWS action declares."""

from __future__ import annotations

from lambdas.actions.catalogue import ACTIONS


def test_no_action_may_delete_more_than_what_undo_takes_away() -> None:
    declared = {name for action in ACTIONS for name in (*action.permissions, *action.undo_permissions)}
    assert {name for name in declared if ":Delete" in name or "*" in name} == {"iam:DeleteRolePolicy"}
