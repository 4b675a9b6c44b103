"""What the detecting functions share: detectors, entity memory, verdict queue and lake, and the order among them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lambdas.adapters.lake import Lake
from lambdas.adapters.memory import DynamoMemory
from lambdas.adapters.objects import Objects, StoredObject, notified
from lambdas.adapters.queues import VerdictQueue
from lambdas.function import Function, Message, Poison
from shared_model.detection import Detection, EntityScore
from shared_model.events import Rejected
from shared_model.lake import by_cause
from shared_model.ocsf import of_verdict
from shared_model.verdicts import Verdict

if TYPE_CHECKING:
    from shared_model.detector import Detector

#: Beside the code, in the function's folder as in the repository.
_ARTIFACTS = Path(__file__).parent.parent / "model_artifacts"
#: Log lines of scores for one batch, highest first: an object of flow logs may hold thousands of entities.
_LOGGED_SCORES = 50


class DetectionRoom:
    """The detection's adapters, each made once."""

    def __init__(self, function: Function, *, artifacts: Path = _ARTIFACTS) -> None:
        self._function = function
        self._artifacts = artifacts
        self._detectors: dict[str, Detector] = {}

    def detector(self, name: str) -> Detector:
        """Return a detector, loaded once. Raises ArtifactError."""
        if name not in self._detectors:
            from shared_model.detector import Detector  # here, because it brings the model's runtime

            self._detectors[name] = Detector.load(self._artifacts / name)
        return self._detectors[name]

    def available(self, *names: str) -> dict[str, Detector]:
        """Return those of the detectors that are deployed."""
        return {name: self.detector(name) for name in names if (self._artifacts / name / "detector.json").exists()}

    @cached_property
    def memory(self) -> DynamoMemory:
        """Entity memory."""
        settings = self._function.settings
        return DynamoMemory(self._function.clients, settings.memory_table, days=int(settings.memory_days))

    @cached_property
    def objects(self) -> Objects:
        """Telemetry objects."""
        return Objects(self._function.clients)

    @cached_property
    def lake(self) -> Lake:
        """The data lake."""
        return Lake(self._function.clients, self._function.settings.lake_bucket)

    @cached_property
    def verdicts(self) -> VerdictQueue:
        """The queue of verdicts."""
        return VerdictQueue(self._function.clients, self._function.settings.verdict_queue_url)

    def each_object(self, message: Message, parser: str, handle: Callable[[StoredObject, str], None]) -> None:
        """Call ``handle(object, source)`` for each object that the message names. Raises Poison when it is none.

        Where the key names no account, it is taken for telemetry of the function's own.
        """
        source = f"{parser}:{message.id}"
        named = notified(message.document(source))
        if named is None:
            raise Poison("not a notification of a stored object", source=source, field="Records")
        for stored in named:
            self._function.correlate(stored.correlation_id)
            handle(replace(stored, account=stored.account or message.account), f"{parser}:{stored.url}")

    def conclude(self, detection: Detection, detector: Detector, *, events: int, started: float) -> None:
        """Send the verdicts, then store what is remembered, then log and count. The order matters.

        Killed after the first step, the function scores the same events again, and sends verdicts of the same ids whatever
        came behind them (docs/decisions/114); the other way round they would be lost.
        """
        self.publish(detection.verdicts)
        self.memory.store(detection.states, now_ms=self._function.now_ms())
        self.log_scores(detection.scores, detector.threshold)
        self._function.count("Events", events)
        self._function.count("Duplicates", detection.duplicates)
        self._function.count("Late", detection.late)
        self._function.milliseconds("Decision", (time.perf_counter() - started) * 1000)

    def publish(self, verdicts: Sequence[Verdict]) -> None:
        """Send verdicts, and log and count them."""
        self.verdicts.send(verdicts)
        self._function.count("Verdicts", len(verdicts))
        for verdict in verdicts:
            self._function.correlate(verdict.correlation_id)
            self._function.logger.info(
                "verdict",
                extra={
                    "verdict_id": verdict.id,
                    "entity": verdict.entity.key,
                    "detector": verdict.detector,
                    "probability": verdict.probability,
                    "threshold": verdict.threshold,
                    "technique": verdict.technique,
                    "title": verdict.title,
                },
            )
            self._function.milliseconds("EventToVerdict", max(0, self._function.now_ms() - verdict.time_ms))
        for cause, found in by_cause(verdicts):
            self.lake.put_ocsf(map(of_verdict, found), cause=cause)

    def log_scores(self, scores: Sequence[EntityScore], threshold: float | None = None) -> None:
        """Log the highest scores."""
        for score in sorted(scores, key=lambda each: -each.probability)[:_LOGGED_SCORES]:
            self._function.logger.info(
                "scored",
                extra={
                    "entity": score.entity.key,
                    "time_ms": score.time_ms,
                    "probability": round(score.probability, 4),
                    "threshold": threshold,
                    "events": score.events,
                },
            )

    def keep_rejected(self, rejected: Sequence[Rejected], cause: str) -> None:
        """Write rejected records to the lake, and count them."""
        if rejected:
            self.lake.put_rejected(rejected, now_ms=self._function.now_ms(), cause=cause)
        self._function.count("Rejected", len(rejected))
