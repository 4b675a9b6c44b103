"""What an undo left as the action had made it, since the cloud did not let it be given back."""

from __future__ import annotations

from typing import ClassVar

from infra_tests.response.world import IsolateMachine, Site
from response.actions import Plan, UndoResult
from response.journal import Step
from response.page.document import text
from response.page.plan import undo_about


class _Locked(IsolateMachine):
    """A lock of the operator's on the second of two networks; what it takes is nobody's to miss."""

    gives_back: ClassVar[str] = ""
    lifted = False

    def undo(self, plan: Plan) -> UndoResult:
        if self.lifted:
            return super().undo(plan)
        first, *_ = plan.before
        self._write(plan.target.id, first, plan.before[first])
        return UndoResult((first,), ("eni-c has another group: someone changed it since",)) + UndoResult.holding(
            "eni-b is locked"
        )


def undone_in_part() -> tuple[Site, _Locked, str]:
    site = Site()
    action = _Locked(site.world)
    site.action, site.actions = action, {"isolate": action}
    contained = site.contain("i-1").decisions[0].containment_id
    site.undo(contained)
    return site, action, contained


def test_each_part_is_told_with_its_reason_and_what_is_somebody_elses_apart() -> None:
    site, _, contained = undone_in_part()
    told = site.notices[-1]
    assert told.subject == "Undone IN PART: instance i-1"
    assert "STILL CONTAINED: eni-b is locked" in told.lines
    assert "LEFT AS IT IS: eni-c has another group: someone changed it since" in told.lines
    assert told.lines[-1] == f"It still holds. To give it back: breakwater undo {contained}"


def test_it_can_be_asked_for_again_whatever_it_gives_back() -> None:
    """An address whose deny the cloud did not let go would else stay denied, and be in no list."""
    site, action, contained = undone_in_part()
    assert site.stream("i-1").containments[contained].holds == ("eni-b is locked",)
    action.lifted = True
    assert site.undo(contained).left == ()
    assert site.world["i-1"] == {"eni-a": "open", "eni-b": "web"}
    stands = site.stream("i-1").containments[contained]
    assert (stands.step, stands.may_hold, stands.holds) == (Step.UNDONE, False, ())


def test_the_page_of_an_undo_names_it() -> None:
    site, _, contained = undone_in_part()
    stream = site.stream("i-1")
    page = "".join(undo_about(stream, stream.containments[contained]))
    assert "What an undo has left contained, and why" in page
    assert text("eni-b is locked") in page
