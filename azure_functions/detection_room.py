"""What the detecting functions share: detectors, entity memory, verdict queue, lake and Sentinel, and the order among them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from azure_functions.adapters.heartbeat import Heartbeat
from azure_functions.adapters.memory import TableMemory
from azure_functions.adapters.queues import VerdictQueue
from azure_functions.adapters.sentinel import SentinelTable, verdict_row
from azure_functions.function import Function, Poison
from azure_functions.waiting import meanwhile, patient
from azure_functions.waiting import waiting as on_the_clock
from shared_model.detection import Detection, EntityScore
from shared_model.events import ApiCall, Rejected, SystemEvent
from shared_model.lake import by_cause
from shared_model.ocsf import of_verdict
from shared_model.verdicts import Verdict

if TYPE_CHECKING:
    from shared_model.detector import Detector

#: Beside the code, in the deployed folder as in the repository.
ARTIFACTS = Path(__file__).parent.parent / "model_artifacts"
#: Log lines of scores for one batch, highest first: a blob of flow logs may hold thousands of entities.
_LOGGED_SCORES = 50
#: Writes beside the scoring at once, of all invocations of a process.
_ASIDE = 8
#: Records that are scored together.
_TOGETHER = 2000
_T = TypeVar("_T")
_Record = TypeVar("_Record", ApiCall, SystemEvent)


class DetectionRoom:
    """The detection's adapters, each made once."""

    def __init__(self, function: Function, *, artifacts: Path = ARTIFACTS) -> None:
        self._function = function
        self._artifacts = artifacts
        # The runtime's interpreters are not to be used by two threads at once: each invocation's thread has its own.
        self._of_thread = threading.local()

    def detector(self, name: str) -> Detector:
        """Return a detector, loaded once in each thread. Raises ArtifactError."""
        detectors: dict[str, Detector] = self._of_thread.__dict__.setdefault("detectors", {})
        if name not in detectors:
            from shared_model.detector import Detector  # here, because it brings the model's runtime

            detectors[name] = Detector.load(self._artifacts / name)
        return detectors[name]

    def available(self, *names: str) -> dict[str, Detector]:
        """Return those of the detectors that are deployed."""
        return {name: self.detector(name) for name in names if (self._artifacts / name / "detector.json").exists()}

    @cached_property
    def memory(self) -> TableMemory:
        """Entity memory."""
        return TableMemory(self._function.clients, days=int(self._function.settings.memory_days))

    @cached_property
    def verdicts(self) -> VerdictQueue:
        """The queue of verdicts."""
        return VerdictQueue(self._function.clients)

    @cached_property
    def sentinel(self) -> SentinelTable:
        """Sentinel's table."""
        function = self._function
        return SentinelTable(function.clients, function.settings.logs_rule_id, function.spec.group, function.logger)

    @cached_property
    def heartbeat(self) -> Heartbeat:
        """When this function last did something."""
        return Heartbeat(self._function.clients, self._function.name)

    def aside(self, write: Callable[[], None]) -> None:
        """Write what the scoring does not need, beside it: :meth:`score_together` begins when it first waits for the memory.

        It waits for it, and raises what it raised.
        """
        self._of_thread.__dict__.setdefault("put_aside", []).append(write)

    def _begin_asides(self) -> None:
        computed = self._computed

        def written(write: Callable[[], None]) -> None:
            with patient(computed):
                write()

        writes: list[Callable[[], None]] = self._of_thread.__dict__.pop("put_aside", [])
        self._asides.extend(self._writers.submit(written, write) for write in writes)

    @property
    def _asides(self) -> list[Future[None]]:
        """Of this thread's invocation."""
        pending: list[Future[None]] = self._of_thread.__dict__.setdefault("asides", [])
        return pending

    @property
    def _computed(self) -> threading.Event:
        """Set when this thread's invocation has computed what it stores."""
        computed: threading.Event = self._of_thread.__dict__.setdefault("computed", threading.Event())
        return computed

    @cached_property
    def _writers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_ASIDE, "aside")

    def _settle(self) -> None:
        self._computed.set()
        del self._of_thread.computed  # the next invocation's is another
        pending = self._asides.copy()
        self._asides.clear()
        with on_the_clock():
            failed = [error for each in pending if (error := each.exception()) is not None]
        if failed:
            raise failed[0]

    def conclude(self, detection: Detection, detector: Detector, *, events: int, started: float) -> None:
        """Send the verdicts, log the scores, store what is remembered, and count. The order matters.

        Killed after the first step, the function scores the same events again, and sends verdicts of the same ids whatever
        came behind them (docs/decisions/114); the other way round they would be lost. Scores are logged while the table is
        waited for: before it they would hold it up, and behind it the answer.
        """
        self.publish(detection.verdicts, detector)
        self._computed.set()
        with meanwhile(lambda: self.log_scores(detection.scores, detector.threshold)):
            self.memory.store(detection.states, now_ms=self._function.now_ms())
        self._function.count("Events", events)
        self._function.count("Duplicates", detection.duplicates)
        self._function.count("Late", detection.late)
        self._function.milliseconds("Decision", (time.perf_counter() - started) * 1000)

    def publish(self, verdicts: Sequence[Verdict], detector: Detector | None = None) -> None:
        """Send verdicts, and log and count them; ``detector`` is what scored, where something did."""
        self.verdicts.send(verdicts)
        now_ms, rows = self._function.now_ms(), []
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
            late_ms = max(0, now_ms - verdict.time_ms)
            self._function.milliseconds("EventToVerdict", late_ms)
            rows.append(verdict_row(verdict, of_verdict(verdict), decision_ms=late_ms))
        for cause, found in by_cause(verdicts):
            self._function.lake.put_ocsf(map(of_verdict, found), cause=cause)
        if not self.sentinel.put(rows):
            self._function.count("SentinelFailures")
        self._function.count("Verdicts", len(verdicts))
        scored_with = f"{detector.name} {detector.version}" if detector else ""
        self.heartbeat.beat(now_ms, verdicts=len(verdicts), detector=scored_with)

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
            self._function.lake.put_rejected(rejected, now_ms=self._function.now_ms(), cause=cause)
        self._function.count("Rejected", len(rejected))

    def score_together(self, waiting: list[tuple[_Record, str]], score: Callable[..., Detection]) -> None:
        """Score the records of all messages together: one read and one write for each entity of the batch.

        Parameters
        ----------
        waiting : list of (record, correlation id)
            Emptied first: a batch that fails is read again from its messages.
        score : callable
            Of :mod:`shared_model.audit_detection`. A verdict gets the id of the message that brought its newest evidence.
        """
        taken = waiting.copy()
        waiting.clear()
        try:
            with meanwhile(self._begin_asides):
                self._score_together(taken, score)
        finally:
            self._settle()

    def _score_together(self, taken: list[tuple[_Record, str]], score: Callable[..., Detection]) -> None:
        for start in range(0, len(taken), _TOGETHER):
            started, part = time.perf_counter(), taken[start : start + _TOGETHER]
            detector, now_ms = self.detector("audit"), self._function.now_ms()
            origins = {record.event_id: (record.time_ms, correlation_id) for record, correlation_id in part}
            records, newest = [record for record, _ in part], part[-1][1]
            found = score(records, detector, self.memory, now_ms=now_ms, correlation_id=newest)
            verdicts = tuple(_of_its_message(verdict, origins) for verdict in found.verdicts)
            self.conclude(replace(found, verdicts=verdicts), detector, events=len(records), started=started)

    def usable(self, read: Iterable[_T | Rejected], cause: str) -> list[_T]:
        """Return what could be read of a message, and keep what could not. Raises Poison when nothing could."""
        records = list(read)
        rejected = [record for record in records if isinstance(record, Rejected)]
        if rejected and len(rejected) == len(records):
            first = rejected[0]
            raise Poison(first.reason, source=first.source, record=first.record, field=first.field)
        self.keep_rejected(rejected, cause)
        return [record for record in records if not isinstance(record, Rejected)]


def _of_its_message(verdict: Verdict, origins: Mapping[str, tuple[int, str]]) -> Verdict:
    own = [origins[evidence.event_id] for evidence in verdict.evidence if evidence.event_id in origins]
    return replace(verdict, correlation_id=max(own)[1]) if own else verdict
