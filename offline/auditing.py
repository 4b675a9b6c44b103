"""What an auditor finds: a journal that verifies, and the one entry that somebody wrote over afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from offline.report.record import Kind, Scene
from offline.timeline import Timeline
from response.audit import Report
from response.journal import JournalEntry


def play(
    scene: Scene,
    timeline: Timeline,
    entry: JournalEntry,
    target: str,
    *,
    verify: Callable[[], Report],
    written_over: Callable[[dict[str, Any]], AbstractContextManager[None]],
    by: str,
) -> None:
    """Verify, write over an entry, verify, put it back, verify; conclude the scene.

    Parameters
    ----------
    scene : Scene
    timeline : Timeline
    entry : JournalEntry
    target : str
        What the entry is about, as a person knows it.
    verify : callable
        What ``breakwater journal verify`` does.
    written_over : callable
        Given another detail, lets the entry hold that for a ``with`` block.
    by : str
        Who is able to.
    """
    sound = verify()
    kept = f"{sound.entries} entries in {sound.streams} streams, anchors: {sound.anchors}"
    timeline.note(Kind.EVENT, f"verify: {kept}, problems: {len(sound.problems) or 'none'}")
    forged = {"reason": "nothing to see here"}
    with written_over(forged):
        timeline.note(Kind.EVENT, f"{by} writes over entry {entry.sequence} of {target}'s stream")
        timeline.diff("The entry", {"detail": entry.detail}, {"detail": forged})
        accused = verify().problems
        for problem in accused:
            timeline.note(Kind.REFUSAL, f"verify: {problem.fault}", f"{target}/{problem.sequence}: {problem.what}")
    scene.conclude(
        "sound as written; the one changed entry is named",
        sound_journal=not sound.problems and sound.anchors > 0,
        the_entry_named=[(each.stream, each.sequence) for each in accused] == [(entry.stream, entry.sequence)],
        sound_again=not verify().problems,
    )
