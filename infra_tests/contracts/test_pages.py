"""Every action of every cloud has its page in docs/actions, and what the page says of rights and costs is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from azure_functions.actions import leaves as azure_leaves
from azure_functions.actions.catalogue import ACTIONS as AZURE_ACTIONS
from infra_tests.contracts import subjects
from infra_tests.contracts.subjects import Subject
from infra_tests.lambdas.account import ROOT
from lambdas.actions import leaves as aws_leaves
from lambdas.actions.catalogue import ACTIONS as AWS_ACTIONS
from response.actions import Action

STEPS = ("plan", "check", "apply", "verify", "compare", "undo")
HEADINGS = ("What it changes", "What it does not stop", "Undo", "What it may do", "What it costs")
_PAGES = ROOT / "docs" / "actions"
_ROW = re.compile(r"\| " + r" \| ".join(STEPS) + r" \|\n\|(?:---\|)+\n\| " + r" \| ".join([r"(\d+)"] * len(STEPS)) + r" \|")
_RIGHT = re.compile(r"`([^`]+)`")

ON = {"aws": AWS_ACTIONS, "azure": AZURE_ACTIONS}
every_action = pytest.mark.parametrize(
    ("cloud", "action"),
    [(cloud, action) for cloud, actions in ON.items() for action in actions],
    ids=lambda each: getattr(each, "name", each),
)


def page(cloud: str, action: str) -> dict[str, str]:
    """The sections of an action's page by their headings; what stands before the first has the heading ``""``."""
    text = (_PAGES / cloud / f"{action}.md").read_text(encoding="utf-8")
    first, *rest = re.split(r"^## ", text, flags=re.MULTILINE)
    return {"": first, **{heading: body for heading, _, body in (section.partition("\n") for section in rest)}}


@every_action
def test_an_action_has_a_page_that_says_what_it_leaves(cloud: str, action: type[Action]) -> None:
    sections = page(cloud, action.name)
    assert [heading for heading in HEADINGS if not sections.get(heading, "").strip()] == []
    assert sections[""].startswith(f"# `{action.name}` on {'AWS' if cloud == 'aws' else 'Azure'}\n")


@every_action
def test_a_page_names_each_right_that_the_action_declares(cloud: str, action: type[Action]) -> None:
    said = page(cloud, action.name)["What it may do"]
    for heading, declared in (("To contain", action.permissions), ("To undo", action.undo_permissions)):
        (row,) = [line for line in said.splitlines() if line.startswith(f"- {heading}:")]
        assert _RIGHT.findall(row) == sorted(declared), heading


def test_there_is_no_page_of_what_is_no_action() -> None:
    for cloud, actions in ON.items():
        assert {path.stem for path in (_PAGES / cloud).iterdir()} == {action.name for action in actions}


def test_who_approves_is_told_what_each_action_leaves() -> None:
    assert set(aws_leaves.LEAVES) == {action.name for action in AWS_ACTIONS}
    assert set(azure_leaves.LEAVES) == {action.name for action in AZURE_ACTIONS}


@pytest.mark.parametrize("make", [*subjects.ON_AWS, *subjects.ON_AZURE], ids=lambda make: make.__name__)
def test_each_step_makes_as_many_calls_as_the_page_says(make: Any, request: pytest.FixtureRequest) -> None:
    cloud, fixture = ("aws", "account") if make in subjects.ON_AWS else ("azure", "cloud")
    subject: Subject = make(request.getfixturevalue(fixture))
    rows = _ROW.findall(page(cloud, subject.action.name)["What it costs"])  # several where it changes several kinds of things
    costs, start = [], subject.calls()
    plan = subject.action.plan(subject.target, subject.verdict)
    for step in STEPS:
        if step != "plan":
            getattr(subject.action, step)(plan)
        costs.append(subject.calls() - start)
        start = subject.calls()
    assert tuple(map(str, costs)) in rows, f"{Path(cloud) / subject.action.name}: {costs}"
