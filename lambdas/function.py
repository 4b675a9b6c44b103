"""What every function shares: settings, clients, structured logs, metrics, and the loop over a batch of messages.

A message has three ends. It is handled; or it can never succeed (:class:`Poison`) and goes to the dead letters at once,
its body untouched and the reason beside it; or it may succeed later and is returned in ``batchItemFailures``. Every
error that is not known to be final counts as the last: the queue gives up after its own number of deliveries, and keeps it.
What is returned comes again soon, and each time later; where the function ended without a word, only when the queue's own
visibility timeout is over, because it might still be at work.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.adapters.queues import DeadLetters, SourceQueue
from lambdas.clients import Clients, LazyClients
from lambdas.registry import spec_of
from lambdas.settings import Settings
from shared_model.collector import look_seldom
from shared_model.errors import CloudUnavailable, UnreadableTelemetry

#: Namespace of every metric.
NAMESPACE = "Breakwater"
#: Seconds until a message comes again, by how often it was delivered; then as long as its queue hides it. Throttling and a
#: failover are over in the first of these, and an hour's outage is for a person: with ``cdk/queues.py`` they make half an hour.
RETRY_AFTER_S = (10, 20, 40, 80, 160, 320)


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
    """One SQS message.

    Attributes
    ----------
    id, body : str
    group : str
        FIFO group, ``""`` on a standard queue.
    sender : str
        IAM id of who sent it, as SQS saw it.
    sent_ms : int
        When it was sent.
    deliveries : int
        How often it was delivered, this time included.
    account : str
        The queue's, which is the function's own.
    receipt : str
        Of this delivery.
    """

    id: str
    body: str
    group: str
    sender: str
    sent_ms: int = 0
    deliveries: int = 1
    account: str = ""
    receipt: str = ""

    @property
    def retry_after_s(self) -> int | None:
        """When it should come again if it fails now, None where the queue says it."""
        return RETRY_AFTER_S[self.deliveries - 1] if self.deliveries <= len(RETRY_AFTER_S) else None

    def document(self, source: str) -> dict[str, Any]:
        """Read the body as a JSON object. Raises Poison."""
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise Poison(f"not JSON: {error}", source=source) from error
        if not isinstance(document, dict):
            raise Poison(f"a JSON object is needed, this is a {type(document).__name__}", source=source)
        return document


class Function:
    """One deployed function, as its handler sees it. Nothing is read or made before the first message.

    Parameters
    ----------
    name : str
        As in the registry.
    needs : tuple of str
        Settings without which it cannot work.
    by_queue : bool
        A queue feeds it, whose dead letters take what can never succeed.
    clients, settings, clock
        Given by tests; by default AWS, the environment and the time.
    """

    def __init__(
        self,
        name: str,
        *,
        needs: tuple[str, ...],
        by_queue: bool = True,
        clients: Clients | None = None,
        settings: Settings | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        look_seldom()
        self.name = name
        self.spec = spec_of(name)
        self.now_ms = clock
        self.clients: Clients = clients or LazyClients()
        roles = (f"{group}_role_arn" for group in self.spec.groups)
        self._needs = (*(("queue_url", "dead_letter_queue_url") if by_queue else ()), *roles, *needs)
        self._settings = settings
        self._buried: set[str] = set()
        self.logger = Logger(service=name, level="INFO")
        self.metrics = Metrics(namespace=NAMESPACE, service=name)

    @cached_property
    def settings(self) -> Settings:
        """What the infrastructure gave this function. Raises SettingMissing."""
        return self._settings or Settings.from_environment(needs=self._needs)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """The dead letters of this function's queue."""
        return DeadLetters(self.clients, self.settings.dead_letter_queue_url)

    @cached_property
    def queue(self) -> SourceQueue:
        """The queue that feeds this function."""
        return SourceQueue(self.clients, self.settings.queue_url)

    def count(self, metric: str, value: float = 1) -> None:
        """Add to a counter of this invocation's metrics."""
        self.metrics.add_metric(name=metric, unit=MetricUnit.Count, value=value)

    def milliseconds(self, metric: str, value: float) -> None:
        """Add a duration to this invocation's metrics."""
        self.metrics.add_metric(name=metric, unit=MetricUnit.Milliseconds, value=value)

    def correlate(self, correlation_id: str) -> None:
        """Put the correlation id into every following log line of this message."""
        self.logger.append_keys(correlation_id=correlation_id)

    def run(
        self,
        event: Mapping[str, Any],
        handle: Callable[[Message], None],
        finish: Callable[[], None] | None = None,
    ) -> dict[str, list[dict[str, str]]]:
        """Handle each message of an SQS event; return what is to be delivered again, as Lambda wants it.

        ``finish`` does together what the messages left to be done; when it fails, all that are no dead letters come again.
        """
        started, waited = time.perf_counter(), self.clients.waited_s
        messages = [_message(record) for record in event["Records"]]
        failed: list[Message] = []
        self._buried.clear()
        stopped: dict[str, Message] = {}
        for message in messages:
            # In a FIFO group the order is part of the meaning: what follows a failure waits with it.
            if message.group not in stopped and self._one(message, handle):
                continue
            failed.append(message)
            if message.group:
                stopped.setdefault(message.group, message)
        if finish is not None and not self._attempt(finish):
            failed = [message for message in messages if message.id not in self._buried]
        self._retry_soon(failed, stopped)
        failures = [{"itemIdentifier": message.id} for message in failed]
        self.count("MessagesHandled", len(event["Records"]) - len(failures))
        self.count("MessagesToRetry", len(failures))
        services_ms = (self.clients.waited_s - waited) * 1000
        self.milliseconds("OwnTime", (time.perf_counter() - started) * 1000 - services_ms)
        self.milliseconds("ServiceTime", services_ms)
        self.metrics.flush_metrics()
        return {"batchItemFailures": failures}

    def _one(self, message: Message, handle: Callable[[Message], None]) -> bool:
        self.logger.append_keys(message_id=message.id, correlation_id=message.id)
        try:
            return self._attempt(lambda: handle(message))
        except (Poison, UnreadableTelemetry) as poison:
            return self._bury(message, poison)

    def _attempt(self, work: Callable[[], None]) -> bool:
        """Do it and say whether it is done; what is known to be final is raised."""
        try:
            work()
        except (Poison, UnreadableTelemetry):
            raise
        except CloudUnavailable as error:
            self.logger.warning("will be retried", extra={"reason": str(error)})
            return False
        except Exception:
            # The boundary: whatever went wrong, this comes back and the others of the batch go on.
            self.logger.exception("will be retried")
            return False
        return True

    def _retry_soon(self, failed: Iterable[Message], stopped: Mapping[str, Message]) -> None:
        """Let what failed come again soon. Where that cannot be said, it comes when the queue's visibility timeout is over."""
        # While any message of a FIFO group is hidden, none of the group comes: all of it as soon as the one that failed.
        delays = {each.receipt: stopped.get(each.group, each).retry_after_s for each in failed}
        soon = {receipt: delay for receipt, delay in delays.items() if delay is not None}
        if soon:
            self._attempt(lambda: self.queue.show_again(soon))

    def _bury(self, message: Message, poison: Poison | UnreadableTelemetry) -> bool:
        record, field = (poison.record, poison.field) if isinstance(poison, Poison) else (0, "")
        place = {"reason": poison.reason, "source": poison.source, "record": record, "field": field}
        self.logger.error("dead letter", extra=place)
        self.count("DeadLetters")
        sent = self._attempt(
            lambda: self.dead_letters.send(
                message.body, message_id=message.id, reason=poison.reason, source=poison.source, record=record, field=field
            )
        )
        self._buried.update({message.id} if sent else ())
        return sent


def _message(record: Mapping[str, Any]) -> Message:
    attributes, queue = record.get("attributes", {}), record.get("eventSourceARN", "")
    return Message(
        id=record["messageId"],
        body=record["body"],
        group=attributes.get("MessageGroupId", "") if queue.endswith(".fifo") else "",
        sender=attributes.get("SenderId", ""),
        sent_ms=int(attributes.get("SentTimestamp", 0)),
        deliveries=int(attributes.get("ApproximateReceiveCount", 1)),
        account=queue.split(":")[4] if queue else "",
        receipt=record.get("receiptHandle", ""),
    )
