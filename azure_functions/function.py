"""What every function shares: settings, clients, structured logs, metrics, and the boundary around what a trigger brings.

A message has three ends. It is handled; or it can never succeed (:class:`Poison`) and goes to the dead letters, its body
untouched and the reason beside it; or it may succeed later: then the error is raised, and whoever delivered it delivers it
again. For an event hub that is the function's retry policy, which holds the checkpoint for as long as it takes; one event
must not hold the others for ever, so an event that keeps failing for a reason other than the cloud's becomes a dead letter.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from azure_functions.adapters.lake import Lake
from azure_functions.adapters.queues import DeadLetters
from azure_functions.clients import Clients, LazyClients
from azure_functions.registry import spec_of
from azure_functions.settings import Settings
from shared_model.errors import CloudUnavailable, UnreadableTelemetry

#: Tries of a batch after which each of its events is tried alone, and buried when it fails for no reason of the cloud's.
_TRIES = 5
#: When all of them fail, the events are hardly to blame (a model that is missing, a setting): longer, for someone to mend it.
_TRIES_OF_ALL = 60
#: Made once: ``json.dumps`` with settings of its own makes one for each line.
_JSON = json.JSONEncoder(separators=(",", ":"), default=str)
#: Every request, and every invocation, would be a line of theirs, at the level that our own lines have. The host says itself
#: which function it calls.
for _name in ("azure.core", "azure.identity", "azure.functions", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


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
    """

    id: str
    body: bytes
    sender: str = ""
    queued_as: str = ""

    @classmethod
    def of(cls, source: str, body: bytes, sender: str = "", queued_as: str = "") -> Message:
        """Return the message that a source brought: ``<source>/<hash of the body>``."""
        return cls(f"{source}/{hashlib.sha256(body).hexdigest()[:32]}", body, sender, queued_as)

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


class Logger(logging.LoggerAdapter[logging.Logger]):
    """One JSON object per line: what the call says, the function, and the ids of the message at hand.

    The same calls as on AWS: ``logger.info("verdict", extra={...})``. In Application Insights: ``parse_json(message)``.
    """

    def __init__(self, function: str) -> None:
        logger = logging.getLogger(f"breakwater.{function}")
        logger.setLevel(logging.INFO)
        super().__init__(logger, {})
        self._function = function
        self._keys: ContextVar[dict[str, Any] | None] = ContextVar(f"keys of {function}", default=None)

    def append_keys(self, **keys: Any) -> None:
        """Put keys into every following line of this invocation."""
        self._keys.set({**(self._keys.get() or {}), **keys})

    def clear_keys(self) -> None:
        """Forget them."""
        self._keys.set(None)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As logging.Logger, without a walk up the stack for who called: the line names the function."""
        if kwargs.keys() - {"extra"}:
            super().log(level, msg, *args, **kwargs)
        elif self.isEnabledFor(level):
            line, _ = self.process(msg, kwargs)
            self.logger.handle(self.logger.makeRecord(self.logger.name, level, "", 0, line, (), None))

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Make one JSON object of message, keys and ``extra``."""
        extra: Mapping[str, Any] = kwargs.pop("extra", None) or {}
        line = {"message": msg, "function": self._function, **(self._keys.get() or {}), **extra}
        # The text is the whole line: no "%" in it asks for an argument.
        return _JSON.encode(line), kwargs


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
