"""One case verified: all its streams, what vouches for each entry, and what is missing, wherever that may have stood."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.test_audit import Rewritable
from infra_tests.response.world import NOW_MS, Site, verdict
from response import orders
from response.anchors import anchor, as_copy, stream_of
from response.audit import Copy
from response.case_audit import CaseReport, verify_case
from response.chain import Fault
from response.journal import Step
from shared_model.events import Entity, EntityKind, Telemetry

ROLE = Entity(EntityKind.PRINCIPAL, "arn:aws:iam::123456789012:role/web", "123456789012")
FIRST, SECOND = (f"isolate#123456789012/instance/{machine}" for machine in ("i-1", "i-2"))
OTHER = "isolate#123456789012/instance/i-3"
DAY = stream_of(NOW_MS)


class Case:
    """An incident over two machines, one of them given back; and another one, of a third machine."""

    def __init__(self) -> None:
        site = Site()
        site.journal = self.journal = Rewritable()  # type: ignore[assignment]
        for machine in ("i-1", "i-2"):
            for telemetry in (Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS):
                site.respond(verdict(machine, f"{machine}-{telemetry}", telemetry, related=(ROLE,)))
        site.contain("i-3")
        anchor(self.journal, now_ms=NOW_MS)
        site.undo(next(iter(site.stream("i-1").containments)))
        anchor(self.journal, now_ms=NOW_MS + 300_000)
        self.id, self.other = (self.journal.stream(name)[0].case for name in (FIRST, OTHER))
        self.site = site

    def verified(self, case: str = "", copies: tuple[Copy, ...] = ()) -> CaseReport:
        return verify_case(self.journal, self.journal.names(), case or self.id, now_ms=NOW_MS + 600_000, copies=copies)


@pytest.fixture
def case() -> Case:
    return Case()


def faults(found: CaseReport) -> list[tuple[str, int, Fault]]:
    return [(each.stream, each.sequence, each.fault) for each in found.problems]


def test_a_sound_case_has_each_of_its_entries_held_by_the_first_anchor_after_it(case: Case) -> None:
    found = case.verified()
    assert (found.problems, found.elsewhere) == ((), ())
    assert {(part.stream, part.of_case, part.held) for part in found.parts} == {
        (name, len(case.journal.stream(name)), len(case.journal.stream(name)))
        for name in (FIRST, SECOND, orders.stream_of(NOW_MS))
    }
    assert len(found.entries) == sum(part.of_case for part in found.parts)
    late = {Step.ORDERED, Step.UNDOING, Step.UNDONE, Step.SETTLED}
    assert {(each.entry.step in late, each.anchor) for each in found.entries} == {(False, f"{DAY}/1"), (True, f"{DAY}/2")}


def test_what_came_since_the_last_anchor_is_not_held_yet(case: Case) -> None:
    case.site.undo(next(iter(case.site.stream("i-2").containments)))
    waiting = [each.entry.step for each in case.verified().entries if not each.anchor]
    assert set(waiting) == {Step.ORDERED, Step.UNDOING, Step.UNDONE, Step.SETTLED}


def test_an_entry_that_is_missing_at_the_end_is_named(case: Case) -> None:
    last = case.journal.stream(FIRST)[-1]
    case.journal.take(FIRST, last.sequence)
    assert faults(case.verified()) == [(FIRST, last.sequence, Fault.MISSING)]


def test_what_was_altered_and_made_to_fit_again_is_named(case: Case) -> None:
    case.journal.rewrite(SECOND, 2, lambda entry: replace(entry, actor="mallory"))
    assert [(stream, fault) for stream, _, fault in faults(case.verified())] == [(SECOND, Fault.ALTERED)]


def test_an_order_of_the_case_that_was_written_over_is_named(case: Case) -> None:
    day = orders.stream_of(NOW_MS)
    case.journal.rewrite(day, 1, lambda entry: replace(entry, actor="mallory"))
    assert {stream for stream, _, _ in faults(case.verified())} == {day}


def test_an_anchor_that_is_missing_is_a_finding_of_every_case(case: Case) -> None:
    case.journal.take(DAY, 1)
    for each in (case.id, case.other):
        assert (DAY, 1, Fault.MISSING) in faults(case.verified(each))


def test_what_is_wrong_with_another_case_is_not_of_this_one(case: Case) -> None:
    last = case.journal.stream(OTHER)[-1]
    case.journal.put(replace(last, sequence=last.sequence + 1, actor="mallory", previous="1:" + "0" * 64))
    found = case.verified()
    assert (found.problems, found.elsewhere) == ((), ())
    assert faults(case.verified(case.other)) != []


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_gone_elsewhere_may_have_been_of_this_case(case: Case, whole: bool) -> None:
    """An entry that is not there names no case, and a stream of which nothing is left belongs to none."""
    entries = case.journal.stream(OTHER)
    for entry in entries if whole else entries[-1:]:
        case.journal.take(OTHER, entry.sequence)
    found = case.verified()
    assert found.problems == ()
    assert {(each.stream, each.fault) for each in found.elsewhere} == {(OTHER, Fault.MISSING)}


def test_who_writes_case_and_anchors_anew_is_found_by_copies(case: Case) -> None:
    kept = tuple(Copy(each.stream, each.sequence, each.digest, each) for each in case.journal.stream(DAY))
    assert {as_copy(each.entry)["anchor"] for each in kept if each.entry} == {f"{DAY}/1", f"{DAY}/2"}
    case.journal.rewrite(FIRST, 1, lambda entry: replace(entry, actor="mallory"))
    case.journal._streams.pop(DAY)
    anchor(case.journal, now_ms=NOW_MS)
    anchor(case.journal, now_ms=NOW_MS + 300_000)
    assert case.verified().problems == ()
    assert {stream for stream, _, _ in faults(case.verified(copies=kept))} == {FIRST, DAY}
