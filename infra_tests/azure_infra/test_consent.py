"""The printed consent: exactly what the actions declare, in commands that a shell understands, and nothing done."""

from __future__ import annotations

import re
import subprocess

import pytest

from azure_functions.actions.catalogue import ACTIONS, GROUPS, UNDO_GROUP
from azure_infra import consent as page
from azure_infra.__main__ import main
from azure_infra.consent import PermissionUnexplained, consent
from azure_infra.permissions import GRAPH


def declared() -> set[tuple[str, str]]:
    both = [(GROUPS[action.name], action.permissions) for action in ACTIONS]
    both += [(UNDO_GROUP, action.undo_permissions) for action in ACTIONS]
    return {(str(group), name.removeprefix(GRAPH)) for group, names in both for name in names if name.startswith(GRAPH)}


def test_every_permission_of_graph_that_an_action_declares_is_asked_for_and_no_other() -> None:
    asked = re.findall(r"^grant (\w+) ([\w.]+)  # .+$", consent(), re.MULTILINE)
    assert len(asked) == len(set(asked))
    assert set(asked) == declared()
    assert declared()


def test_it_can_be_read_by_a_shell() -> None:
    assert subprocess.run(["sh", "-n"], input=consent(), text=True, check=False).returncode == 0


def test_it_is_printed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["consent"]) == 0
    assert capsys.readouterr().out == consent()


def test_a_permission_that_nobody_explained_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(page.MEANING, "User.Read.All")  # type: ignore[attr-defined]
    with pytest.raises(PermissionUnexplained, match=r"User\.Read\.All"):
        consent()
