"""The commands about proposals, the same on both clouds: what waits, the plan's diff before the question, and what is sent."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest

from console import proposals
from infra_tests.console.conftest import Console
from infra_tests.response.world import Site
from response.actions import Mode
from response.answers import read_answer
from response.people import Person
from response.proposals import digest


@pytest.fixture
def site(console: Console, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(mode=Mode.APPROVE)
    made.journal = console.journal()  # type: ignore[assignment]
    monkeypatch.setattr(proposals, "_now_ms", lambda: made.now_ms)
    return made


def says(monkeypatch: pytest.MonkeyPatch, word: str) -> list[str]:
    asked: list[str] = []
    monkeypatch.setattr(proposals, "ask", lambda question: asked.append(question) or word)  # type: ignore[func-returns-value]
    return asked


def test_what_waits_is_listed_until_it_is_answered(console: Console, site: Site) -> None:
    assert console("proposals") == 0
    assert console.printed[0].startswith("nothing waits for an answer (")
    site.contain("i-1")
    console("proposals")
    (line,) = console.printed
    assert "lock i-1" in line
    site.answer("i-1", approves=False)
    console("proposals")
    assert console.printed[0].startswith("nothing waits")
    console("proposals", "--all")
    assert "denied by alice" in console.printed[0]


def test_approve_shows_the_diff_asks_and_sends_the_plan_that_was_shown(
    console: Console, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = site.contain("i-1").decisions[0].containment_id
    asked = says(monkeypatch, "y")
    assert console("approve", proposal, "--reason", "it scans") == 0
    assert [line.strip() for line in console.printed if line.strip().startswith(("-", "+"))][2:] == [
        '-  "eni-a": "open",',
        '-  "eni-b": "web"',
        '+  "eni-a": "locked",',
        '+  "eni-b": "locked"',
    ]
    assert len(asked) == 1
    (sent,) = console.answers()
    assert sent["by"].startswith(console.engineer)
    answer = read_answer(sent, Person(sent["by"]))
    shown = site.stream("i-1").proposals[proposal].plan
    assert (answer.proposal_id, answer.approves, answer.reason, answer.plan) == (proposal, True, "it scans", digest(shown))
    assert answer.beyond_budget is False
    assert site.answer("i-1", answer.by, **{name: getattr(answer, name) for name in ("request", "reason", "plan")}).reason == ""


@pytest.mark.parametrize("word", ["", "n", "what?"])
def test_without_a_yes_nothing_is_sent(console: Console, site: Site, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    proposal = site.contain("i-1").decisions[0].containment_id
    says(monkeypatch, word)
    assert console("approve", proposal) == 1
    assert console.answers() == []


def test_where_nobody_can_be_asked_nothing_is_sent(
    console: Console, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proposal = site.contain("i-1").decisions[0].containment_id
    monkeypatch.setattr("sys.stdin", StringIO(""))
    assert console("approve", proposal) == 1
    assert "nobody is there to ask" in capsys.readouterr().err
    assert console.answers() == []


def test_yes_skips_the_question_not_the_plan(console: Console, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = site.contain("i-1").decisions[0].containment_id
    asked = says(monkeypatch, "n")
    assert console("deny", proposal, "--reason", "ours", "--yes") == 0
    assert asked == []
    assert any("locked" in line for line in console.printed)
    (sent,) = console.answers()
    assert (sent["deny"], sent["reason"]) == (proposal, "ours")


def test_a_denial_needs_a_reason(console: Console, site: Site) -> None:
    proposal = site.contain("i-1").decisions[0].containment_id
    with pytest.raises(SystemExit):
        console("deny", proposal, "--yes")
    assert console("deny", proposal, "--reason", " ", "--yes") == 1
    assert console.answers() == []


def test_a_burst_is_answered_by_its_question(console: Console, site: Site) -> None:
    site.policy = replace(site.policy, containments_per_hour=0)
    for machine in ("i-1", "i-2", "i-3"):
        site.contain(machine)
    console("proposals")
    (question,) = {line.rpartition("question ")[2] for line in console.printed}
    site.answer("i-3", approves=False)
    assert console("approve", "--question", question, "--beyond-budget", "--yes") == 0
    sent = console.answers()
    assert len({each["approve"] for each in sent}) == 2
    assert all(each["beyond_budget"] for each in sent)


@pytest.mark.parametrize("arguments", [("0" * 32,), ("--question", "nobody"), ()])
def test_what_is_not_there_is_said_and_nothing_is_sent(console: Console, site: Site, arguments: tuple[str, ...]) -> None:
    assert console("approve", *arguments, "--yes") == 1
    assert console.printed[0].startswith("say which" if not arguments else "the journal has no proposal")
    assert console.answers() == []


def test_what_was_carried_out_without_a_question_is_no_proposal(console: Console, site: Site) -> None:
    site.policy = Site(mode=Mode.ENFORCE).policy
    contained = site.contain("i-1").decisions[0].containment_id
    assert console("approve", contained, "--yes") == 1
    assert console.printed[0].startswith(f"{contained} is no proposal (APPLYING, APPLIED, VERIFIED): nobody was asked; see: ")
    assert console.answers() == []


def test_what_cannot_be_answered_any_more_is_not_sent(console: Console, site: Site) -> None:
    proposal = site.contain("i-1").decisions[0].containment_id
    site.answer("i-1", approves=False)
    assert console("approve", proposal, "--yes") == 1
    assert "denied by alice" in console.printed[0]
    assert console.answers() == []
