"""What another message began a moment ago is left to it; what its function left behind is finished all the same."""

from __future__ import annotations

import pytest

from infra_tests.response.world import Killed, Site, verdict
from response.journal import Step
from shared_model.errors import CloudUnavailable
from shared_model.events import Telemetry

WHOLE = [Step.REFUSED, Step.APPLYING, Step.APPLYING, Step.APPLIED, Step.VERIFIED]


@pytest.fixture
def begun() -> Site:
    """A function was killed when it had just written APPLYING."""
    site = Site()
    site.respond(verdict("i-1", "flow", Telemetry.FLOW_LOGS, time_ms=site.now_ms), delivery="first")
    site.journal.kill_after = Step.APPLYING
    with pytest.raises(Killed):
        site.respond(verdict("i-1", "dns", Telemetry.DNS_LOGS, time_ms=site.now_ms), delivery="second")
    return site


def test_another_message_comes_back_later_instead_of_joining_in(begun: Site) -> None:
    steps, world = begun.steps("i-1"), dict(begun.world["i-1"])
    with pytest.raises(CloudUnavailable, match="just being applied"):
        begun.respond(verdict("i-1", "runtime", Telemetry.RUNTIME, time_ms=begun.now_ms), delivery="third")
    assert (begun.steps("i-1"), begun.world["i-1"]) == (steps, world)


def test_when_it_comes_back_it_finishes_what_it_finds(begun: Site) -> None:
    third = verdict("i-1", "runtime", Telemetry.RUNTIME, time_ms=begun.now_ms)
    with pytest.raises(CloudUnavailable):
        begun.respond(third, delivery="third")
    begun.respond(third, delivery="third")
    assert begun.steps("i-1")[: len(WHOLE)] == WHOLE


def test_the_same_message_goes_on_at_once_and_its_containment_can_be_undone_at_once(begun: Site) -> None:
    begun.respond(verdict("i-1", "dns", Telemetry.DNS_LOGS, time_ms=begun.now_ms), delivery="second")
    assert begun.steps("i-1") == WHOLE
    assert begun.undo(begun.journal.stream(begun.stream("i-1").name)[1].containment_id).step is Step.UNDONE


def test_after_a_minute_another_message_finishes_it(begun: Site) -> None:
    begun.now_ms += 60_001
    begun.respond(verdict("i-1", "runtime", Telemetry.RUNTIME, time_ms=begun.now_ms), delivery="third")
    assert begun.steps("i-1")[: len(WHOLE)] == WHOLE
