"""Polls queues for functions as Lambda's SQS event sources do, through the public AWS APIs only.

moto's own mapping runs inside the send call, one record an invocation, and ignores partial failures: it is switched
off (:mod:`offline.aws.repairs.queues`) and this takes its place. Two ways to run it:

- :meth:`Poller.drain` for tests: polls until no queue holds a message that a function could still get. It never
  waits: where messages are hidden by their visibility timeout, the queues' clock is moved to when the next one returns.
- :meth:`Poller.live` for the demo: one thread per mapping, in real time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from offline.aws.control import QueueDepth
from offline.aws.event_source import MAX_PAYLOAD_BYTES, Mapped, Message, event_of, handled, size_of


class Queues(Protocol):
    """SQS as the poller needs it."""

    def receive(self, queue_name: str, count: int) -> list[Message]:
        """Up to ``count`` (at most 10) visible messages; each is hidden for the queue's visibility timeout."""
        ...

    def delete(self, queue_name: str, messages: Sequence[Message]) -> None:
        """Delete received messages."""
        ...

    def release(self, queue_name: str, messages: Sequence[Message]) -> None:
        """Make received messages visible again at once."""
        ...

    def depths(self) -> dict[str, QueueDepth]:
        """Depth of every queue, by ARN."""
        ...

    def advance_clock(self, seconds: float) -> None:
        """Move the queues' clock forward."""
        ...


Invoke = Callable[[str, dict[str, Any]], tuple[bool, bytes]]
"""``(function ARN, event) -> (error, answer)``; waits for the answer."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One batch that went to a function, for timelines and tests."""

    mapping: Mapped
    messages: tuple[Message, ...]
    error: bool
    answer: bytes
    handled: frozenset[str]
    duration_s: float


class NotDraining(Exception):
    """Messages still move after the given virtual time: a queue without dead letters, or functions that feed each other."""


class Poller:
    """Moves messages from queues to functions.

    Parameters
    ----------
    queues : Queues
    invoke : callable
    mappings : callable
        Present event source mappings; asked again on every round, so that what is deployed later is served.
    region : str
    watch : callable
        Called with every :class:`Delivery`, from the thread that made it.
    """

    def __init__(
        self,
        queues: Queues,
        invoke: Invoke,
        mappings: Callable[[], Sequence[Mapped]],
        *,
        region: str,
        watch: Callable[[Delivery], None] = lambda delivery: None,
    ) -> None:
        self._queues, self._invoke, self._mappings = queues, invoke, mappings
        self._region, self._watch = region, watch

    def drain(self, *, within_s: float = 24 * 3600.0) -> list[Delivery]:
        """Deliver until every polled queue is empty; return what was delivered, in order.

        ``within_s`` bounds the virtual time that may pass. Raises NotDraining beyond it.
        """
        deliveries: list[Delivery] = []
        passed = 0.0
        while True:
            mappings, depths = self._mappings(), self._queues.depths()
            moved = [
                delivery
                for mapped in mappings
                if (depth := depths.get(mapped.queue_arn))
                and depth.visible  # to ask an empty queue takes as long as to serve one
                for delivery in self._deliver_all(mapped)
            ]
            deliveries += moved
            if moved:
                continue
            polled = {mapped.queue_arn for mapped in mappings}
            depths = {arn: depth for arn, depth in depths.items() if arn in polled}
            if not any(depth.hidden or depth.visible for depth in depths.values()):
                return deliveries
            wait = min((depth.next_s for depth in depths.values() if depth.next_s is not None), default=1.0)
            passed += wait
            if passed > within_s:
                held = {arn.rsplit(":", 1)[-1]: depth for arn, depth in depths.items() if depth.hidden or depth.visible}
                raise NotDraining(f"after {within_s:.0f} s of virtual time there are still messages: {held}")
            self._queues.advance_clock(wait)

    @contextmanager
    def live(self, *, interval_s: float = 0.05) -> Iterator[None]:
        """Deliver in real time, from threads, until the block ends; what is being delivered then is waited for."""
        stop = threading.Event()

        def serve(mapped: Mapped) -> None:
            with ThreadPoolExecutor(mapped.max_concurrency, f"poll-{mapped.queue_name}") as pool:
                free = threading.Semaphore(mapped.max_concurrency)
                while not stop.is_set():
                    free.acquire()
                    batch = self._batch(mapped, window_s=mapped.window_s, stop=stop)
                    if batch:
                        pool.submit(self._deliver, mapped, batch).add_done_callback(lambda _: free.release())
                    else:
                        free.release()
                        stop.wait(interval_s)

        threads = [threading.Thread(target=serve, args=(mapped,), daemon=True) for mapped in self._mappings()]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _deliver_all(self, mapped: Mapped) -> Iterator[Delivery]:
        while batch := self._batch(mapped):
            yield self._deliver(mapped, batch)

    def _batch(self, mapped: Mapped, *, window_s: float = 0, stop: threading.Event | None = None) -> list[Message]:
        """Gather one batch: as many as fit in count and bytes; within the window, wait for more."""
        batch: list[Message] = []
        size, deadline = 0, 0.0
        while len(batch) < mapped.batch_size:
            received = self._queues.receive(mapped.queue_name, min(10, mapped.batch_size - len(batch)))
            for index, message in enumerate(received):
                if batch and size + size_of(message) > MAX_PAYLOAD_BYTES:
                    # Given back rather than put aside: a FIFO group's later message must not overtake a failed one.
                    self._queues.release(mapped.queue_name, received[index:])
                    return batch
                batch.append(message)
                size += size_of(message)
            if received:
                deadline = deadline or time.monotonic() + window_s
                continue
            if not batch or stop is None or time.monotonic() >= deadline or stop.wait(0.02):
                break
        return batch

    def _deliver(self, mapped: Mapped, batch: list[Message]) -> Delivery:
        started = time.perf_counter()
        error, answer = self._invoke(mapped.function_arn, event_of(mapped, batch, self._region))
        done = handled(mapped, [message["MessageId"] for message in batch], error=error, answer=answer)
        self._queues.delete(mapped.queue_name, [message for message in batch if message["MessageId"] in done])
        delivery = Delivery(mapped, tuple(batch), error, answer, done, time.perf_counter() - started)
        self._watch(delivery)
        return delivery
