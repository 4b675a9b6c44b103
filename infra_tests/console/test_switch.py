"""The master switch on either cloud, by the command."""

from __future__ import annotations

from infra_tests.console.conftest import Console
from response.journal import Step
from response.switch import ID, STREAM


def test_it_is_turned_in_the_engineers_name_and_status_says_so(console: Console) -> None:
    assert console("disarm", "--reason", "drill") == 0
    (entry,) = console.journal().stream(STREAM)
    assert entry.step is Step.DISARMED
    assert entry.actor.startswith(console.engineer)
    assert console("status") == 0
    assert console.printed[0].startswith("nothing is contained")
    assert console.printed[1].startswith(f"disarmed by {entry.actor}")
    assert console("arm") == 0
    assert console("show", ID) == 0
    assert [text.split()[1] for text in console.printed] == [Step.DISARMED, Step.ARMED]
    console("status")
    assert len(console.printed) == 1
