"""SQS: one clock, atomic receives, deduplication as documented, no event source mapping of moto's own."""

from __future__ import annotations

import threading
from typing import Any

from moto.sqs import models, responses
from moto.sts.models import sts_backends

from offline.aws.clock import Clock
from offline.aws.repairs.seams import one_at_a_time, substitute

_DEDUPLICATION_SECONDS = 300


def repair(clock: Clock) -> None:
    """Apply to moto in this process; once.

    - Every time that SQS reads is ``clock``'s.
    - Receive, delete and change of visibility of one queue exclude each other: moto's server is threaded and its
      queues are not safe, so that two receivers could get the same message.
    - Messages of a FIFO group that return together keep their order.
    - A FIFO queue drops a message with a deduplication id that it saw in the last five minutes, also when that
      message has been deleted since (moto forgets it then).
    - A message names who sent it, where that is a session of a role.
    - Sending does not call functions: moto's own mapping runs inside the send call, one record at a time, and
      ignores partial failures. :mod:`offline.aws.poller` reads the mappings and does it as documented.
    """
    substitute(models, "unix_time", lambda dt=None: clock.now())
    substitute(models, "unix_time_millis", lambda dt=None: clock.now() * 1000)
    # What moto stores here is never read: an empty dictionary that keeps nothing.
    models.Queue.lambda_event_source_mappings = property(lambda self: {}, lambda self, value: None)  # type: ignore[assignment]
    _deduplicate_for_five_minutes(clock)
    _exclude_each_other()
    _name_the_sender()


def _name_the_sender() -> None:
    sending = threading.local()
    made = models.Message.__init__

    def init(self: models.Message, *args: Any, **more: Any) -> None:
        made(self, *args, **more)
        self.sender_id = getattr(sending, "id", "") or self.sender_id

    substitute(models.Message, "__init__", init)
    for name in ("send_message", "send_message_batch"):
        original = getattr(responses.SQSResponse, name)

        def send(self: responses.SQSResponse, original: Any = original) -> Any:
            sending.id = _session_of(self.get_access_key())
            try:
                return original(self)
            finally:
                sending.id = ""

        substitute(responses.SQSResponse, name, send)


def _session_of(access_key: str) -> str:
    """Return the id of the session whose key it is (``AROA…:name``), ``""`` where it is nobody's."""
    for account in sts_backends.values():
        for backend in account.values():
            if role := backend.get_assumed_role_from_access_key(access_key):
                return str(role.user_id)
    return ""


def _deduplicate_for_five_minutes(clock: Clock) -> None:
    original = models.Queue.add_message

    def add_message(self: models.Queue, message: models.Message) -> None:
        if self.fifo_queue and message.deduplication_id:
            seen: dict[str, float] = self.__dict__.setdefault("_deduplication_ids", {})
            now = clock.now()
            for key in [key for key, at in seen.items() if now - at >= _DEDUPLICATION_SECONDS]:
                del seen[key]
            # A message that a redrive moves between queues keeps its id and is not sent anew.
            if message.approximate_receive_count == 0 and seen.setdefault(message.deduplication_id, now) != now:
                return
        original(self, message)

    substitute(models.Queue, "add_message", add_message)


def _exclude_each_other() -> None:
    lock = threading.RLock()
    for name in ("send_message", "delete_message", "change_message_visibility"):
        substitute(models.SQSBackend, name, one_at_a_time(getattr(models.SQSBackend, name), lock))

    receive = models.SQSBackend.receive_message

    def receive_message(
        self: models.SQSBackend,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> Any:
        with lock:
            _return_to_their_groups(self.get_queue(queue_name))
            found = receive(self, queue_name, count, 0, visibility_timeout, message_attribute_names)
        if not found and wait_seconds_timeout:
            self.get_queue(queue_name).wait_for_messages(wait_seconds_timeout)
            with lock:
                _return_to_their_groups(self.get_queue(queue_name))
                found = receive(self, queue_name, count, 0, visibility_timeout, message_attribute_names)
        return found

    substitute(models.SQSBackend, "receive_message", receive_message)


def _return_to_their_groups(queue: models.Queue) -> None:
    # moto notices that a message is visible again while it walks the queue: the first of a group was then passed over
    # because of the second, which it had not reached yet, and the second was delivered first.
    for message in [message for message in queue.pending_messages if message.visible]:
        queue.pending_messages.discard(message)
