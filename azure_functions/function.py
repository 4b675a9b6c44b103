"""What every function shares: settings, clients, structured logs, metrics, and the boundary around what a trigger brings.

A message has three ends. It is handled; or it can never succeed (:class:`Poison`) and goes to the dead letters, its body
untouched and the reason beside it; or it may succeed later: then the error is raised, and whoever delivered it delivers it
again. For an event hub that is the function's retry policy, which holds the checkpoint for as long as it takes; one event
must not hold the others for ever, so an event that keeps failing for a reason other than the cloud's becomes a dead letter.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from azure_functions.adapters.lake import Lake
from azure_functions.adapters.queues import DeadLetters, SourceQueue
from azure_functions.clients import Clients, LazyClients
from azure_functions.logger import Logger
from azure_functions.registry import CONNECTIONS, spec_of
from azure_functions.settings import SettingMissing, Settings
from shared_model.collector import look_seldom
from shared_model.errors import CloudUnavailable, RefusedByCloud, UnreadableTelemetry

if TYPE_CHECKING:
    import azure.functions as func

#: Tries of a batch after which each of its events is tried alone, and buried when it fails for no reason of the cloud's.
_TRIES = 5
#: When all of them fail, the events are hardly to blame (a model that is missing, a setting): longer, for someone to mend it.
_TRIES_OF_ALL = 60
#: Seconds until a queue's message comes again, by how often it was delivered: as on AWS, half an hour in all. The host then gives
#: it up: its ``maxDequeueCount`` is one more than there are of these.
RETRY_AFTER_S = (10, 20, 40, 80, 160, 320, 360, 360, 360)


class Poison(Exception):
    """A message that can never succeed: what is wrong with it, and where."""

    def __init__(self, reason: str, *, source: str, record: int = 1, field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source
        self.record = record
        self.field = field


@dataclass(frozen=True, slots=True)
class Message:
    """What a trigger brought: one event, queue message or request.

    Attributes
    ----------
    id : str
        Names the body: the same wherever and however often it is delivered.
    body : bytes
    sender : str
        Who sent it, where the platform attests it.
    queued_as : str
        Names the message of a queue, which is not delivered to two at once; of an equal body there may be several.
    receipt : str
        Of this delivery of a queue's message: who has it may say when the message is to come again.
    deliveries : int
        How often it was delivered, this time included; 0 where the platform does not say.
    """

    id: str
    body: bytes
    sender: str = ""
    queued_as: str = ""
    receipt: str = ""
    deliveries: int = 0

    @classmethod
    def of(cls, source: str, body: bytes, sender: str = "") -> Message:
        """Return the message that a source brought: ``<source>/<hash of the body>``."""
        return cls(f"{source}/{hashlib.sha256(body).hexdigest()[:32]}", body, sender)

    @classmethod
    def queued(cls, queue: str, msg: func.QueueMessage) -> Message:
        """Return the message that a queue's trigger brought."""
        known = cls.of(queue, msg.get_body())
        return replace(known, queued_as=msg.id or "", receipt=msg.pop_receipt or "", deliveries=msg.dequeue_count or 0)

    @property
    def retry_after_s(self) -> int | None:
        """When it should come again if it fails now, None where the host says it, or gives it up."""
        known = self.receipt and 0 < self.deliveries <= len(RETRY_AFTER_S)
        return RETRY_AFTER_S[self.deliveries - 1] if known else None

    def json(self, source: str) -> Any:
        """Read the body as JSON. Raises Poison."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Poison(f"not JSON: {error}", source=source) from error

    def document(self, source: str) -> dict[str, Any]:
        """Read the body as a JSON object. Raises Poison."""
        document = self.json(source)
        if not isinstance(document, dict):
            raise Poison(f"a JSON object is needed, this is a {type(document).__name__}", source=source)
        return document


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trigger's messages.

    Attributes
    ----------
    buried : tuple of Poison or UnreadableTelemetry
        Why messages went to the dead letters.
    failure : Exception or None
        Why they are to be delivered again.
    """

    buried: tuple[Poison | UnreadableTelemetry, ...] = ()
    failure: Exception | None = None

    def or_raise(self) -> None:
        """Raise the failure, for the platform to deliver again."""
        if self.failure is not None:
            raise self.failure


class Function:
    """One function of the app, as its blueprint sees it. Nothing is read or made before the first message.

    Invocations share it, each in a thread of its own: what belongs to one of them is kept in the thread's context.

    Parameters
    ----------
    name : str
        As in the registry.
    needs : tuple of str
        Settings without which it cannot work.
    clients, settings, clock
        Given by tests; by default Azure, the environment and the time.
    """

    def __init__(
        self,
        name: str,
        *,
        needs: tuple[str, ...],
        clients: Clients | None = None,
        settings: Settings | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        look_seldom()
        self.name = name
        self.spec = spec_of(name)
        self.needs = (*needs, f"{self.spec.group}_client_id")
        self.now_ms = clock
        self._settings = settings
        self.clients: Clients = clients or LazyClients(lambda: self.settings)
        self.logger = Logger(name)
        self._metrics: ContextVar[dict[str, float] | None] = ContextVar(f"metrics of {name}", default=None)

    @cached_property
    def settings(self) -> Settings:
        """What the infrastructure gave the app. Raises SettingMissing."""
        return self._settings or Settings.from_environment(needs=self.needs)

    @cached_property
    def lake(self) -> Lake:
        """The data lake, as this function's group writes to it."""
        return Lake(self.clients, self.spec.group)

    @cached_property
    def queue(self) -> SourceQueue:
        """The queue that feeds this function, as whoever takes from it."""
        return SourceQueue(self.clients, self.spec.source, CONNECTIONS[self.spec.connection][0])

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """The dead letters of what feeds this function."""
        return DeadLetters(self.clients, self.spec.dead_letters, self.lake, self.spec.group)

    def count(self, metric: str, value: float = 1) -> None:
        """Add to a counter of this invocation's metrics."""
        metrics = self._metrics.get()
        if metrics is not None:
            metrics[metric] = metrics.get(metric, 0) + value

    def milliseconds(self, metric: str, value: float) -> None:
        """Keep the longest duration of this invocation's metrics, in milliseconds."""
        metrics = self._metrics.get()
        if metrics is not None:
            metrics[f"{metric}Ms"] = max(metrics.get(f"{metric}Ms", 0), round(value, 3))

    def correlate(self, correlation_id: str) -> None:
        """Put the correlation id into every following log line of this message."""
        self.logger.append_keys(correlation_id=correlation_id)

    def run(
        self,
        messages: Sequence[Message],
        handle: Callable[[Message], None],
        finish: Callable[[], None] = lambda: None,
        *,
        tries: int = 0,
    ) -> Outcome:
        """Handle the messages of one trigger.

        Parameters
        ----------
        messages : sequence of Message
        handle : callable
            Raises Poison or UnreadableTelemetry for what can never succeed.
        finish : callable
            Does together what the messages left to be done.
        tries : int
            How often these messages failed before, as the platform counts it.

        Returns
        -------
        Outcome
            Dead letters are sent after everything else succeeded, so that those of a batch that comes again are sent once.
        """
        started, waited = time.perf_counter(), self.clients.waited_s
        self._metrics.set({})
        self.logger.clear_keys()
        outcome = self._run(messages, handle, finish) if tries < _TRIES else self._each_alone(messages, handle, finish, tries)
        if outcome.failure is not None:
            self._retry_soon(messages)
        self.count("MessagesHandled" if outcome.failure is None else "MessagesToRetry", len(messages))
        services_ms = (self.clients.waited_s - waited) * 1000
        self.milliseconds("OwnTime", (time.perf_counter() - started) * 1000 - services_ms)
        self.milliseconds("ServiceTime", services_ms)
        self.logger.clear_keys()
        self.logger.info("metrics", extra={"metrics": dict(self._metrics.get() or {})})
        return outcome

    def _run(self, messages: Sequence[Message], handle: Callable[[Message], None], finish: Callable[[], None]) -> Outcome:
        poison: list[tuple[Message, Poison | UnreadableTelemetry]] = []
        failures: list[Exception] = []
        for message in messages:
            self.logger.append_keys(message_id=message.id, correlation_id=message.id)
            try:
                failures += self._attempt(partial(handle, message))
            except (Poison, UnreadableTelemetry) as reason:
                poison.append((message, reason))
        failures += self._attempt(finish)
        for message, why in poison if not failures else ():
            failures += self._attempt(partial(self._bury, message, why))
        return Outcome(tuple(reason for _, reason in poison), failures[0] if failures else None)

    def _each_alone(
        self, messages: Sequence[Message], handle: Callable[[Message], None], finish: Callable[[], None], tries: int
    ) -> Outcome:
        """Find out which messages it is that make the batch fail; bury those that fail for no reason of the cloud's."""
        buried: list[Poison | UnreadableTelemetry] = []
        failures: list[Exception] = []
        culprits: list[tuple[Message, Exception]] = []
        for message in messages:
            outcome = self._run((message,), handle, finish)
            buried += outcome.buried
            if isinstance(outcome.failure, CloudUnavailable):
                failures.append(outcome.failure)
            elif outcome.failure is not None:
                culprits.append((message, outcome.failure))
        if len(culprits) == len(messages) and tries < _TRIES_OF_ALL:
            return Outcome(tuple(buried), culprits[0][1])
        for message, error in culprits:
            poison = Poison(f"failed {tries} times: {type(error).__name__}: {error}", source=f"{self.name}:{message.id}")
            buried.append(poison)
            failures += self._attempt(partial(self._bury, message, poison))
        return Outcome(tuple(buried), failures[0] if failures else None)

    def _retry_soon(self, messages: Sequence[Message]) -> None:
        """Let what failed come again soon. Where that cannot be said, it comes when the host's own timeout is over."""
        for message in messages:
            if (after_s := message.retry_after_s) is not None:
                try:
                    self.queue.show_again(message.queued_as, message.receipt, after_s)
                except (CloudUnavailable, RefusedByCloud, SettingMissing) as error:
                    self.logger.info("comes again when the host says", extra={"reason": str(error)})

    def _attempt(self, work: Callable[[], None]) -> list[Exception]:
        """Do it, and return what may succeed later; what is known to be final is raised."""
        try:
            work()
        except (Poison, UnreadableTelemetry):
            raise
        except CloudUnavailable as error:
            self.logger.warning("will be retried", extra={"reason": str(error)})
            return [error]
        except Exception as error:
            # The boundary: whatever went wrong, this comes back and the others of the batch go on.
            self.logger.exception("will be retried", extra={"reason": str(error)})
            return [error]
        return []

    def _bury(self, message: Message, poison: Poison | UnreadableTelemetry) -> None:
        record, field = (poison.record, poison.field) if isinstance(poison, Poison) else (0, "")
        place = {"reason": poison.reason, "source": poison.source, "record": record, "field": field}
        self.logger.append_keys(message_id=message.id, correlation_id=message.id)
        self.logger.error("dead letter", extra=place)
        self.count("DeadLetters")
        self.dead_letters.send(
            message.body, message_id=message.id, reason=poison.reason, source=poison.source, record=record, field=field
        )
