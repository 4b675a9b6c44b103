"""A build's bar counts epochs over all detectors, and ends full although fits stop early."""

from __future__ import annotations

from rich.progress import Progress

from training.progress import EpochsDone


def test_fits_that_stop_early_leave_no_gap():
    with Progress(disable=True) as bar:
        done = EpochsDone(bar, [4, 5], {"network": 20, "audit": 12})
        (task,) = bar.tasks
        done.show("network", 0, 7)
        assert (task.completed, task.total, task.description) == (7, 64, "network, seed 4")
        done.show("network", 1, 3)
        assert (task.completed, task.description) == (23, "network, seed 5")
        done.finish("network")
        done.show("audit", 1, 12)
        assert (task.completed, task.description) == (64, "audit, seed 5")
        done.finish("audit")
        assert task.finished
