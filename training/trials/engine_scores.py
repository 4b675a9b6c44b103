"""``python -m training.trials.engine_scores DETECTOR WINDOWS.npy SCORES.npz RUNTIME``: score windows with one engine, timed.

A process of its own, since the two engines live in different environments. Needs numpy and the engine alone.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from shared_model.detector import Detector

_ROUNDS = 5


def main(folder: str, windows: str, scores: str, runtime: str) -> None:
    """Write the probability of each window and the processor seconds of the fastest of a few rounds."""
    detector = Detector.load(Path(folder), runtime=runtime)
    rows = np.load(windows)
    seconds = []
    for _ in range(_ROUNDS):
        begun = time.process_time()
        probability, _kind = detector.score(rows)
        seconds.append(time.process_time() - begun)
    np.savez(scores, probability=probability, seconds=min(seconds), version=detector.version)


if __name__ == "__main__":
    main(*sys.argv[1:])
