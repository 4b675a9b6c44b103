"""``policy explain`` on the shipped policy."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from console import explain
from console.aws.stack import Deployment
from console.deployment import NotPossible
from infra_tests.response.world import NOW_MS, IsolateMachine, Site, verdict
from response.journal import Step
from response.policy import Rule
from shared_model.errors import CloudUnavailable
from shared_model.events import EntityKind, Telemetry
from shared_model.verdicts import Verdict

DEFAULT = Path(__file__).parents[2] / "policy" / "default.yaml"
HERE = Deployment("breakwater")


def run(*arguments: str) -> list[str]:
    parser, printed = argparse.ArgumentParser(), list[str]()
    explain.add_to(parser.add_subparsers())
    options = parser.parse_args(["explain", "--policy", str(DEFAULT), "--at", str(NOW_MS), "--offline", *arguments])
    assert options.run(HERE, options, printed.append) == 0
    return printed


def test_it_says_rule_guard_and_end(tmp_path: Path) -> None:
    file = tmp_path / "verdict.json"
    file.write_text(verdict("i-0a", "v", Telemetry.FLOW_LOGS).to_json(), encoding="utf-8")
    printed = run(str(file))
    assert printed[0] == "→ quarantine-instance: quarantine_instance, observe for 24h, then ask"
    assert any("corroboration: refused until a second signal" in line for line in printed)
    assert any(line.startswith("    observed once that signal is there: quarantine_instance on instance") for line in printed)
    assert "  revoke-role: revoke_sessions, observe for 12h, then undo: does not apply" in printed
    assert any(line.startswith("    plan: not read (no cloud was asked)") for line in printed)


@pytest.mark.parametrize(
    ("text", "at", "says"), [("[" * 100_000, NOW_MS, "give one verdict"), (None, 10**20, "milliseconds since")]
)
def test_what_cannot_be_explained_is_said(tmp_path: Path, text: str | None, at: int, says: str) -> None:
    file = tmp_path / "verdict.json"
    file.write_text(verdict("i-0a", "v", Telemetry.FLOW_LOGS).to_json() if text is None else text, encoding="utf-8")
    with pytest.raises(NotPossible, match=says):
        run(str(file), "--at", str(at))


class Unread(Deployment):
    """A deployment that whoever runs the command may not read."""

    @property
    def journal(self) -> Any:
        raise CloudUnavailable("journal: AccessDenied")

    def plan(self, *_: Any) -> Any:
        raise CloudUnavailable("ec2: UnauthorizedOperation")


def test_what_could_not_be_read_is_said_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "verdict.json"
    file.write_text(verdict("i-0a", "v", Telemetry.FLOW_LOGS).to_json(), encoding="utf-8")
    printed = list[str]()
    parser = argparse.ArgumentParser()
    explain.add_to(parser.add_subparsers())
    options = parser.parse_args(["explain", str(file), "--policy", str(DEFAULT), "--at", str(NOW_MS)])
    assert options.run(Unread("breakwater"), options, printed.append) == 0
    assert printed[0] == "The journal was not read, and in it the master switch: journal: AccessDenied"
    assert any(line.startswith("    plan: not read (ec2: UnauthorizedOperation)") for line in printed)


class _Quarantine(IsolateMachine):
    name: ClassVar[str] = "quarantine_instance"


def test_what_stands_is_named_before_what_was_undone(tmp_path: Path) -> None:
    """The responder notes what a containment in force covers, and asks for what was undone only where none does."""
    site = Site()
    site.actions = {"quarantine_instance": _Quarantine(site.world)}
    site.policy = replace(
        site.policy,
        rules=(Rule("quarantine-instance", "quarantine_instance", EntityKind.INSTANCE),),
        actions={"quarantine_instance": site.policy.of("isolate")},
    )

    class Read(Unread):
        @property
        def journal(self) -> Any:
            return site.journal

    def said(piece: Verdict) -> list[str]:
        file, printed, parser = tmp_path / "verdict.json", list[str](), argparse.ArgumentParser()
        file.write_text(piece.to_json(), encoding="utf-8")
        explain.add_to(parser.add_subparsers())
        options = parser.parse_args(["explain", str(file), "--policy", str(DEFAULT), "--at", str(site.now_ms)])
        assert options.run(Read("breakwater"), options, printed.append) == 0
        return printed

    old = verdict("i-1", "old", Telemetry.FLOW_LOGS, time_ms=NOW_MS - 1)
    first = site.contain("i-1").decisions[0].containment_id
    site.now_ms += 60_000
    site.undo(first)
    assert not any("already contained" in line for line in said(old))
    (again,) = site.respond(verdict("i-1", "again", Telemetry.FLOW_LOGS, time_ms=site.now_ms)).decisions
    assert again.step is Step.APPLIED
    second = again.containment_id
    printed = said(old)
    (stands,) = [number for number, line in enumerate(printed) if f"already contained by {second}: what that covers" in line]
    (refused,) = [number for number, line in enumerate(printed) if f"belongs to containment {first}" in line]
    assert stands < refused
    (decision,) = site.respond(old).decisions
    assert (decision.step, decision.reason) == (Step.NOOP, f"already contained by {second}")


@pytest.mark.parametrize("content", [None, "{}", "no JSON"])
def test_what_is_no_verdict_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "verdict.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(NotPossible, match=r"verdict\.json"):
        run(str(file))
