"""What was undone is not begun again by what had happened before, under whatever id; what happens afterwards is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.world import HOUR_MS, NOW_MS, Site, verdict
from response.actions import Mode
from response.containment import stream_name
from response.expiry import expire
from response.explain import Known, explain
from response.journal import BELONGS_TO, JournalEntry, Step
from response.policy import AtEnd
from response.undone import begins_nothing, undone_with
from shared_model.events import Telemetry
from shared_model.verdicts import Verdict

MINUTE_MS = 60_000
OPEN = {"eni-a": "open", "eni-b": "web"}


def contained(**changes: object) -> tuple[Site, str]:
    """A machine that two signals of a minute ago have contained."""
    site = Site(**changes)  # type: ignore[arg-type]
    for number, telemetry in enumerate((Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS)):
        last = site.respond(verdict("i-1", f"whole-{number}", telemetry, time_ms=NOW_MS - MINUTE_MS))
    return site, last.decisions[0].containment_id


def undone(**changes: object) -> tuple[Site, str]:
    """The same, undone ten minutes later."""
    site, one = contained(**changes)
    site.now_ms += 10 * MINUTE_MS
    site.undo(one)
    site.now_ms += 5 * MINUTE_MS
    return site, one


def piece(identifier: str = "piece", *, time_ms: int = NOW_MS - MINUTE_MS, telemetry: Telemetry = Telemetry.FLOW_LOGS) -> Verdict:
    return verdict("i-1", identifier, telemetry, time_ms=time_ms)


def last(site: Site) -> JournalEntry:
    return site.stream("i-1").entries[-1]


@pytest.mark.parametrize("telemetry", [Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS, Telemetry.API_CALLS])
@pytest.mark.parametrize("mode", list(Mode))
def test_what_happened_before_is_recorded_in_its_case_and_begins_nothing(telemetry: Telemetry, mode: Mode) -> None:
    site, one = undone()
    site.policy = replace(site.policy, actions={"isolate": replace(site.policy.actions["isolate"], mode=mode)})
    told = len(site.notices)
    site.respond(piece(telemetry=telemetry))
    assert (last(site).step, last(site).detail[BELONGS_TO]) == (Step.REFUSED, one)
    assert last(site).case == site.stream("i-1").containments[one].case != ""
    assert f"belongs to containment {one}, which arn:aws:iam::123456789012:role/on-call has undone" in last(site).detail["reason"]
    assert site.world["i-1"] == OPEN
    assert ["Not contained" in each.subject for each in site.notices[told:]] == [True], "a person is told, once"
    site.respond(piece(telemetry=telemetry))
    assert site.steps("i-1").count(Step.REFUSED) == 2, "the first of the pair, and this one once"


def test_what_happens_afterwards_is_contained_anew() -> None:
    site, _ = undone()
    site.respond(piece("later-flows", time_ms=NOW_MS + 1))
    site.respond(piece("later-dns", time_ms=NOW_MS + MINUTE_MS, telemetry=Telemetry.DNS_LOGS))
    assert site.steps("i-1").count(Step.APPLIED) == 2


def test_a_signal_that_was_counted_is_no_second_one_for_its_own_pieces() -> None:
    site, _ = undone()
    for number, telemetry in enumerate((Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS)):
        site.respond(piece(f"piece-{number}", telemetry=telemetry))
    assert site.world["i-1"] == OPEN
    assert not site.stream("i-1").waiting, "neither waits for the other"


def test_what_was_noted_while_it_held_begins_nothing_after_it() -> None:
    site, one = contained()
    for minutes in (3, 6):
        site.now_ms = NOW_MS + minutes * MINUTE_MS
        site.respond(piece(f"noted-{minutes}", time_ms=site.now_ms - 1000))
    site.now_ms += MINUTE_MS
    site.undo(one)
    site.now_ms += MINUTE_MS
    site.respond(piece(time_ms=NOW_MS + 6 * MINUTE_MS - 1000))
    assert last(site).detail[BELONGS_TO] == one
    # Between what it last heard and the undo nobody knew of anything: that is new.
    site.policy = replace(site.policy, rules=tuple(replace(rule, alone=True) for rule in site.policy.rules))
    site.respond(piece("after", time_ms=NOW_MS + 6 * MINUTE_MS + 30_000))
    assert site.steps("i-1").count(Step.APPLIED) == 2


def test_what_time_has_ended_is_over_too() -> None:
    site, one = contained(at_end=AtEnd.UNDO)
    site.policy = replace(site.policy, fresh_ms=3 * HOUR_MS)
    site.now_ms += HOUR_MS + 1
    expire(policy=site.policy, actions=site.actions, journal=site.journal, now_ms=site.now_ms, notify=site.notices.append)
    site.respond(piece())
    assert (last(site).step, last(site).detail[BELONGS_TO]) == (Step.REFUSED, one)
    assert "policy:time_to_live has undone" in last(site).detail["reason"]


@pytest.mark.parametrize(
    "noise",
    [piece("noise", time_ms=NOW_MS + 57 * MINUTE_MS), piece("driven again", time_ms=NOW_MS - 20 * HOUR_MS)],
    ids=["one signal", "an old one"],
)
def test_noise_before_the_end_lets_go_of_nothing_that_came_before_it(noise: Verdict) -> None:
    """Nobody gets away with what he did by one more signal right before the end, nor does a dead letter that is driven again."""
    site, one = contained(at_end=AtEnd.UNDO)
    site.policy = replace(site.policy, window_ms=30 * MINUTE_MS)
    site.now_ms = NOW_MS + 57 * MINUTE_MS
    site.respond(noise)
    assert (last(site).step, last(site).detail[BELONGS_TO]) == (Step.NOOP, one)
    site.now_ms = NOW_MS + HOUR_MS + 1
    expire(policy=site.policy, actions=site.actions, journal=site.journal, now_ms=site.now_ms, notify=site.notices.append)
    assert site.world["i-1"] == OPEN
    site.now_ms += 2 * MINUTE_MS
    for telemetry in (Telemetry.API_CALLS, Telemetry.DNS_LOGS):
        site.respond(piece(f"late-{telemetry}", telemetry=telemetry, time_ms=NOW_MS + 56 * MINUTE_MS))
    assert site.steps("i-1").count(Step.APPLIED) == 2


def test_while_it_holds_a_piece_is_noted_as_ever() -> None:
    site, one = contained()
    site.now_ms += MINUTE_MS
    site.respond(piece())
    assert (last(site).step, last(site).detail[BELONGS_TO]) == (Step.NOOP, one)


def test_a_person_may_still_approve_what_was_asked_before() -> None:
    site, _ = contained(mode=Mode.APPROVE)
    assert site.answer("i-1").step is Step.APPLIED


@pytest.mark.parametrize(("time_ms", "refused"), [(NOW_MS - MINUTE_MS, True), (NOW_MS, True), (NOW_MS + 1, False)])
def test_explain_says_the_same(time_ms: int, refused: bool) -> None:
    site, one = undone()
    signal, stream = piece(time_ms=time_ms), site.stream("i-1")
    found = undone_with(stream, signal)
    settled = {stream_name("isolate", signal.entity): begins_nothing(found)} if found else {}
    (said,) = explain(signal, policy=site.policy, now_ms=site.now_ms, known=Known(undone=settled))
    assert any(f"belongs to containment {one}" in line for line in said.why) is refused
    site.respond(signal)
    assert (BELONGS_TO in last(site).detail) is refused


def test_whoever_did_not_read_the_journal_is_told_so() -> None:
    (said,) = explain(piece(), policy=Site().policy, now_ms=NOW_MS)
    assert any(line.startswith("journal: not read") for line in said.why)
