"""A build's bars: one over its stages, one within a stage, which begins empty whatever the stage before it did."""

from __future__ import annotations

from rich.progress import Progress

from training.progress import CellsDone


def test_a_stage_that_is_not_run_again_counts_as_done_and_the_next_begins_empty():
    with Progress(disable=True) as bar:
        done = CellsDone(bar, 3)
        every, one = bar.tasks
        done.begin("network load")
        done.end()
        assert (every.completed, every.total, every.description) == (1, 3, "network load")
        done.begin("network train, seed 4")
        done.stepped(7, 20)
        assert (one.completed, one.total) == (7, 20)
        done.end()
        done.begin("network train, seed 5")
        assert (one.completed, one.total, every.completed) == (0, 1, 2)
        done.end()
        assert every.finished
