"""Who was contained cannot undo it: by the verdict that began it, that a person approved, or that extended it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra_tests.response.world import ACCOUNT, HOUR_MS, NOW_MS, Killed, Site, verdict
from response.actions import Mode
from response.ends import Ended
from response.expiry import expire
from response.journal import Step
from response.people import Person
from response.policy import FourEyes
from response.proposals import digest
from response.undoing import undo
from shared_model.events import Entity, EntityKind, Telemetry

SESSION = "AROAEXAMPLE:eve"
EVE = Entity(EntityKind.SESSION, SESSION, ACCOUNT)
#: Under a name that the verdict does not have: what the cloud attests is what counts.
LYING = Person("arn:aws:sts::123456789012:assumed-role/on-call/ada", SESSION)
ADA = Person("arn:aws:sts::123456789012:assumed-role/on-call/ada", "AROAEXAMPLE:ada")


def contained(site: Site, *, about: tuple[Entity, ...], time_ms: int = NOW_MS, number: str = "1") -> str:
    for telemetry in (Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS):
        outcome = site.respond(verdict("i-1", f"{telemetry}-{number}", telemetry, time_ms=time_ms, related=about))
    return outcome.decisions[0].containment_id


def assert_refused(site: Site, ended: Ended) -> None:
    assert ended.step is Step.REFUSED
    assert "who was contained cannot undo it: someone else must ask" in ended.reason
    assert (site.notices[-1].subject, set(site.world["i-1"].values())) == ("Undo refused: instance i-1", {"locked"})


@pytest.mark.parametrize("four_eyes", list(FourEyes))
def test_whom_the_verdict_is_about_cannot_undo_whatever_four_eyes_says(four_eyes: FourEyes) -> None:
    site = Site()
    site.policy = replace(site.policy, actions={"isolate": replace(site.policy.of("isolate"), four_eyes=four_eyes)})
    identifier = contained(site, about=(EVE,))
    assert_refused(site, site.undo(identifier, LYING))
    assert site.undo(identifier, ADA).step is Step.UNDONE
    assert site.stream("i-1").entries[-1].actor == ADA.name


def test_nor_what_another_approved() -> None:
    site = Site(mode=Mode.APPROVE)
    contained(site, about=(EVE,))
    approved = site.answer("i-1", ADA)
    assert_refused(site, site.undo(approved.proposal_id, LYING))
    assert site.undo(approved.proposal_id, ADA).step is Step.UNDONE


def test_nor_whom_a_further_verdict_named_that_extended_it() -> None:
    site = Site()
    identifier = contained(site, about=())
    site.now_ms += HOUR_MS // 2
    contained(site, about=(EVE,), time_ms=site.now_ms, number="2")
    assert Step.EXTENDED in site.steps("i-1")
    assert_refused(site, site.undo(identifier, LYING))
    assert site.undo(identifier, ADA).step is Step.UNDONE


def test_a_machine_of_which_nobody_is_named_is_anybodys_to_undo() -> None:
    site = Site()
    assert site.undo(contained(site, about=()), LYING).step is Step.UNDONE


def test_who_is_not_attested_is_sent_to_sign_in_where_one_can() -> None:
    site = Site()
    identifier = site.contain("i-1").decisions[0].containment_id
    room: Any = {"actions": site.actions, "journal": site.journal, "now_ms": site.now_ms, "notify": site.notices.append}
    refused = undo(identifier, approved_by=Person("bob"), attested_only=True, **room)
    told = site.notices[-1]
    assert (refused.step, told.proposal_id, told.undoes) == (Step.REFUSED, identifier, True)
    assert told.plan == digest(site.stream("i-1").containments[identifier].plan)
    assert set(site.world["i-1"].values()) == {"locked"}
    assert "Undo without a link" in told.text
    assert undo(identifier, approved_by=Person("ada", "directory#1"), attested_only=True, **room).step is Step.UNDONE
    assert all("unattested" not in entry.detail for entry in site.stream("i-1").entries)
    assert "nothing attests" not in site.notices[-1].text


def test_that_nothing_attests_who_asked_stands_in_the_journal_and_in_the_notice() -> None:
    site = Site()
    identifier = contained(site, about=())
    assert site.undo(identifier, Person("bob")).step is Step.UNDONE
    said = {entry.step: entry.detail for entry in site.stream("i-1").entries}
    assert (said[Step.UNDOING]["unattested"], said[Step.UNDONE]["unattested"]) == (True, True)
    assert "requested_by" not in said[Step.UNDOING]
    assert "Decided by bob: so the request said, nothing attests it" in site.notices[-1].text


@pytest.mark.parametrize("killed_after", [Step.ORDERED, Step.UNDOING])
def test_it_stands_there_too_where_the_schedule_goes_on_with_an_undo_of_one_that_was_killed(
    killed_after: Step,
) -> None:
    site = Site()
    identifier = contained(site, about=())
    site.journal.kill_after = killed_after
    with pytest.raises(Killed):
        site.undo(identifier, Person("bob"))
    site.now_ms += HOUR_MS // 3
    room: Any = {"actions": site.actions, "journal": site.journal, "now_ms": site.now_ms, "notify": site.notices.append}
    ((ended,), errors) = expire(policy=site.policy, **room)
    assert (ended.step, errors) == (Step.UNDONE, ())
    assert "nothing attests it" in site.notices[-1].text
