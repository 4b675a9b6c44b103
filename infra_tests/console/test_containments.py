"""What the commands about containments print, ask for and return: the same on both clouds."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest

from console.__main__ import main
from infra_tests.console.conftest import Console
from infra_tests.response.world import Site
from response.journal import SequenceTaken, Step

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


@pytest.mark.parametrize("command", ["show", "undo"])
def test_an_unknown_containment_is_said_so_and_nothing_is_sent(console: Console, command: str) -> None:
    assert console(command, "0" * 32) == 1
    assert console.printed[0].startswith(f"the journal has no containment {'0' * 32} (")
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
