"""What names of a submission follow from: sources, hyperparameters and the moment."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from training.jobs.hyperparameters import Hyperparameters
from training.jobs.sources import Bundle


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one submission.

    Attributes
    ----------
    job : str
        Differs with every submission.
    run : str
        The same for the same sources, hyperparameters and data, so that a job that is submitted again goes on from the
        checkpoints of the one before.
    """

    job: str
    run: str

    @classmethod
    def of(cls, prefix: str, hyperparameters: Hyperparameters, sources: Bundle, data: str, image: str, now: datetime) -> Names:
        """Return the names; ``now`` has a time zone."""
        decides = json.dumps([hyperparameters.text(), sources.digest, data, image], sort_keys=True)
        run = f"{prefix}-{hyperparameters.detector}-{hashlib.sha256(decides.encode()).hexdigest()[:12]}"
        return cls(f"{run}-{now.astimezone(UTC):%Y%m%d%H%M%S}", run)
