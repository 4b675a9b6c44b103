"""What the commands about containments print, ask for and return: the same on both clouds."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import ClassVar

import pytest

from console.__main__ import main
from infra_tests.console.conftest import Console
from infra_tests.response.world import IsolateMachine, Site, verdict
from response.actions import Plan, UndoResult
from response.journal import SequenceTaken, Step
from shared_model.events import Entity, EntityKind, Telemetry

STREAM = "isolate#123456789012/instance/i-1"


@pytest.fixture
def site(console: Console) -> Site:
    made = Site()
    made.journal = console.journal()  # type: ignore[assignment]
    return made


def test_status_show_and_undo(console: Console, site: Site) -> None:
    assert console("status") == 0
    (line,) = console.printed
    assert line.startswith("nothing is contained (")
    before = dict(site.world["i-1"])
    contained = site.contain("i-1").decisions[0].containment_id

    assert console("status") == 0
    (line,) = console.printed
    assert line.split()[:2] == [contained, "APPLIED"]
    assert "lock i-1" in line

    assert console("show", contained) == 0
    assert [text.split()[1] for text in console.printed] == [Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    assert json.dumps(before) in console.printed[0]

    assert console("undo", contained) == 0
    (request,) = console.take()
    assert request["undo"] == contained
    assert request["approved_by"].startswith(console.engineer)
    assert request["approved_by"] in console.printed[0]
    site.undo(request["undo"])
    console("status")
    assert console.printed == [line for line in console.printed if line.startswith("nothing is contained")]
    console("status", "--all")
    assert [line.split()[1] for line in console.printed] == [Step.UNDONE]


class _Refused(IsolateMachine):
    """Gives nothing back, since the cloud refuses it."""

    gives_back: ClassVar[str] = "its network to a machine"

    def undo(self, plan: Plan) -> UndoResult:
        return UndoResult.holding("the cloud refused it")


def test_what_an_undo_left_held_stays_in_every_list_until_one_gives_it_back(console: Console, site: Site) -> None:
    site.actions = {"isolate": _Refused(site.world)}
    contained = site.contain("i-1").decisions[0].containment_id
    case = site.journal.stream(STREAM)[0].case
    site.undo(contained)
    console("status")
    line, why = console.printed
    assert line.split()[:2] == [contained, "UNDONE"]
    assert line.endswith("and still holds: undo it once more")
    assert why.strip() == "STILL CONTAINED: the cloud refused it"
    console("cases")
    assert any(line.split()[:2] == [contained, "UNDONE"] and "still holds" in line for line in console.printed)
    for meant in (("--entity", "instance:i-1"), (case,)):
        assert console("undo", *meant) == 0
        assert [request["undo"] for request in console.take()] == [contained]
    site.actions = {"isolate": site.action}
    site.undo(contained)
    console("status")
    assert not [line for line in console.printed if contained in line]
    console("cases")
    assert not [line for line in console.printed if contained in line]
    assert console("undo", "--entity", "instance:i-1") == 1
    assert console.printed[-1] == "all of instance:i-1 was undone before"


@pytest.mark.parametrize("command", ["show", "undo"])
def test_an_unknown_containment_is_said_so_and_nothing_is_sent(console: Console, command: str) -> None:
    assert console(command, "0" * 32) == 1
    assert console.printed[0].startswith(f"the journal has no containment {'0' * 32} (")
    assert console.take() == []


def test_what_was_undone_before_is_not_asked_for_again(console: Console, site: Site) -> None:
    contained = site.contain("i-1").decisions[0].containment_id
    site.undo(contained)
    assert console("undo", contained) == 1
    assert console.printed == [f"{contained} was undone before: nothing was sent; see: breakwater show {contained}"]
    assert console.take() == []


def test_what_was_never_carried_out_has_nothing_to_undo(console: Console, site: Site) -> None:
    site.contain("i-1")
    applying = site.journal.stream(STREAM)[0]
    asked = replace(
        applying, stream=STREAM.replace("i-1", "i-9"), sequence=1, step=Step.PROPOSED, containment_id="e" * 32, previous=""
    )
    site.journal.append(asked)
    assert console("undo", "e" * 32) == 1
    assert console.printed[-1].startswith(
        f"{'e' * 32} was never carried out (PROPOSED), and there is nothing to undo: nothing was sent"
    )
    assert console.take() == []


@pytest.mark.parametrize("command", [("show",), ("undo", "--dry-run"), ("approve",), ("deny", "--reason", "no")])
@pytest.mark.parametrize("nothing", ["", " "])
def test_an_empty_id_is_a_variable_that_is_not_set(
    console: Console, command: tuple[str, ...], nothing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console(*command, nothing) == 1
    assert "breakwater: say w" in capsys.readouterr().err
    assert console.take() == []


@pytest.mark.parametrize("command", ["show", "undo"])
def test_what_a_killed_function_left_of_a_containment_is_none(console: Console, site: Site, command: str) -> None:
    site.contain("i-1")
    first = site.journal.stream(STREAM)[0]
    with contextlib.suppress(SequenceTaken):  # on Azure the index is written before the entry
        site.journal.append(replace(first, containment_id="f" * 32))
    assert console(command, "f" * 32) == 1
    assert console.take() == []


def test_the_cloud_may_be_said_before_the_command_or_behind_it(console: Console) -> None:
    printed: list[str] = []
    assert main(["status", "--cloud", console.cloud], out=printed.append) == 0
    console("status")
    assert printed == console.printed


def test_a_case_is_listed_shown_and_undone_as_one(console: Console, site: Site) -> None:
    assert console("cases") == 0
    assert console.printed[0].startswith("no case is open (")
    role = Entity(EntityKind.PRINCIPAL, "arn:aws:iam::123456789012:role/web", "123456789012")
    for machine in ("i-1", "i-3"):
        for telemetry in (Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS):
            site.respond(verdict(machine, f"{machine}-{telemetry}", telemetry, related=(role,)))
    entries = (entry for m in ("i-1", "i-3") for entry in site.journal.stream(f"isolate#123456789012/instance/{m}"))
    first, second = [entry.containment_id for entry in entries if entry.step is Step.APPLIED]
    other = site.contain("i-2").decisions[0].containment_id
    case = site.journal.stream(STREAM)[0].case
    assert console("cases") == 0
    (line,) = [line for line in console.printed if line.startswith(case)]
    assert "4 verdicts" in line
    assert any(line.split()[:2] == [second, "APPLIED"] for line in console.printed)

    assert console("show", case) == 0
    assert {entry.split()[0] for entry in console.printed} == {STREAM, STREAM.replace("i-1", "i-3")}
    assert console("undo", case) == 0
    assert {request["undo"] for request in console.take()} == {first, second}
    site.undo(first)
    site.undo(second)
    assert console("undo", case) == 1
    assert console.printed[-1] == f"all of case {case} was undone before"
    assert console("cases") == 0
    assert not [line for line in console.printed if line.startswith(case)]
    assert console("cases", "--all") == 0
    assert [line for line in console.printed if line.startswith(case)]
    assert console("undo", "--entity", "instance:I-2") == 0
    assert [request["undo"] for request in console.take()] == [other]


def test_what_nobody_ordered_to_be_undone_stays_listed(console: Console, site: Site) -> None:
    contained = site.contain("i-1").decisions[0].containment_id
    stream = site.stream("i-1")
    forged = stream.entry(Step.UNDONE, stream.containments[contained], now_ms=site.now_ms, detail={"restored": ["eni-a"]})
    site.journal.append(forged)
    for command in (("status",), ("cases",)):
        assert console(*command) == 0
        assert any(contained in line and "APPLIED" in line for line in console.printed)
        assert any(f"NOT BELIEVED: {forged.id} says UNDONE" in line for line in console.printed)
    for shown in (contained, forged.case):
        assert console("show", shown) == 0
        assert ["NOT BELIEVED" in entry for entry in console.printed][-2:] == [False, True]
    assert console("undo", forged.case) == 0
    assert [request["undo"] for request in console.take()] == [contained]
    assert console("journal", "verify", forged.case) == 1
    assert any(line.startswith(f"UNORDERED  {forged.id}: ") for line in console.printed)
    site.undo(contained)
    assert console("status") == 0
    assert [line.split()[0] for line in console.printed] == ["nothing"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("undo",), "say what to undo"),
        (("undo", "c", "--entity", "instance:i-1"), "say what to undo"),
        (("undo", "--entity", "i-1"), "kinds are"),
        (("undo", "--entity", "instance:i-9"), "no containment of instance:i-9"),
        (("undo", "case-20260921-1340-00000000"), "no containment of case case-"),
        (("show", "case-20260921-1340-00000000"), "no case case-"),
    ],
)
def test_what_is_meant_must_be_there(
    console: Console, site: Site, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    site.contain("i-1")
    assert console(*arguments) == 1
    assert said in "\n".join([*console.printed, capsys.readouterr().err])
    assert console.take() == []


def test_a_dry_run_and_an_overwrite_are_asked_for_as_such(
    console: Console, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    contained = site.contain("i-1").decisions[0].containment_id
    for flag, asked in (("--dry-run", {"dry_run": True}), ("--overwrite", {"overwrite": True})):
        assert console("undo", contained, flag) == 0
        (request,) = console.take()
        assert {key: request[key] for key in ("undo", *asked)} == {"undo": contained, **asked}
    assert console("undo", contained, "--dry-run", "--overwrite") == 1
    assert "changes nothing" in capsys.readouterr().err
    assert console.take() == []


@pytest.mark.parametrize("entity", ["i-1", "instances:i-1", "instance:"])
def test_what_is_no_entity_is_not_looked_for(console: Console, capsys: pytest.CaptureFixture[str], entity: str) -> None:
    """Where nothing was ever contained, a slip of the pen read as if the entity was not contained."""
    assert console("undo", "--entity", entity) == 1
    assert "say kind and id" in capsys.readouterr().err
