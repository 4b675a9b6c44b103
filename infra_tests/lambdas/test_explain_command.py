"""``breakwater policy explain`` on AWS: which rule, which guard, and the very change, by the operator's own identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import __main__ as command
from console.aws.stack import Deployment
from infra_tests.lambdas.account import Account
from infra_tests.response.world import NOW_MS, verdict
from response.switch import turn
from shared_model.events import Telemetry

POLICY = """\
version: 1
rules:
  - {name: quarantine, action: quarantine_instance, target: instance, alone: true}
actions:
  quarantine_instance: {mode: enforce}
"""


@pytest.fixture
def where(account: Account, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    made = Deployment("breakwater", account.clients)
    account.rename_journal("breakwater-journal")
    monkeypatch.setattr(command, "open_deployment", lambda *_: made)
    return made


def explained(folder: Path, instance: str) -> list[str]:
    said, policy, printed = folder / "verdict.json", folder / "mine.yaml", list[str]()
    said.write_text(verdict(instance, "v", Telemetry.FLOW_LOGS, time_ms=NOW_MS).to_json(), encoding="utf-8")
    policy.write_text(POLICY, encoding="utf-8")
    arguments = ["policy", "explain", str(said), "--policy", str(policy), "--at", str(NOW_MS), "--cloud", "aws"]
    assert command.main(arguments, out=printed.append) == 0
    return printed


def test_it_shows_the_change_and_changes_nothing(account: Account, where: Deployment, tmp_path: Path) -> None:
    vpc = account.vpc()
    web = account.group(vpc, "web")
    instance = account.instance(vpc, [web])
    before = account.groups_of(instance)
    printed = explained(tmp_path, instance)
    assert printed[0] == "→ quarantine: quarantine_instance, enforce for 24h, then ask"
    assert "    master switch: armed" in printed
    assert any(line.startswith(f"    enforced: quarantine_instance on instance {instance}") for line in printed)
    assert any(line.startswith("    plan: ") and instance in line for line in printed)
    assert any(line.lstrip().startswith("-") and web in line for line in printed)
    assert (account.groups_of(instance), account.journal()) == (before, [])


def test_disarmed_it_says_who_and_that_it_would_be_refused(account: Account, where: Deployment, tmp_path: Path) -> None:
    turn(where.journal, armed=False, by="ada", reason="drill", now_ms=NOW_MS)
    vpc = account.vpc()
    printed = explained(tmp_path, account.instance(vpc, [account.group(vpc, "web")]))
    assert printed[0].startswith("disarmed by ada at ")
    assert any(line.startswith("    refused: disarmed by ada") for line in printed)


def test_an_instance_that_is_gone_is_refused_as_its_plan_says(account: Account, where: Deployment, tmp_path: Path) -> None:
    printed = explained(tmp_path, "i-0123456789abcdef0")
    assert any(line.startswith("    refused: ") and "i-0123456789abcdef0" in line for line in printed)
