"""CloudWatch Logs subscription payloads → single log events.

Format: CloudWatch Logs user guide, "Using subscription filters": a JSON document with ``logEvents``, gzip; base64 under
``awslogs.data`` where it comes straight into a function. Firehose writes such documents side by side into an object.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.events import Rejected
from shared_model.parsers.fields import FieldError, dated, lookup, rejected, text

_NOTICE = "CONTROL_MESSAGE"


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One log event of a stream: CloudWatch's id and time, the text, and where it was written."""

    event_id: str
    time_ms: int
    message: str
    account: str
    group: str
    stream: str


def read_payload(document: Mapping[str, Any], *, source: str, first: int) -> Iterator[LogEvent | Rejected]:
    """Yield the events of one document; nothing of a control message, by which CloudWatch checks that it may deliver.

    ``first`` is the number of the document in its source; the events of one document share it in rejects.
    """
    try:
        document = _unpacked(document)
        kind = text(document, "messageType")
        if kind == _NOTICE:
            return
        events = document.get("logEvents")
        if kind != "DATA_MESSAGE" or not isinstance(events, list):
            raise FieldError("messageType", f"{kind!r} is no CloudWatch Logs payload with logEvents")
    except FieldError as error:
        yield rejected(source, first, error, document)
        return
    for event in events:
        try:
            yield LogEvent(
                event_id=text(event, "id"),
                time_ms=_timestamp(event),
                message=_message(event),
                account=text(document, "owner"),
                group=text(document, "logGroup"),
                stream=text(document, "logStream"),
            )
        except FieldError as error:
            yield rejected(source, first, error, event)


def _unpacked(document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "awslogs" not in document:
        return document
    try:
        inner = json.loads(gzip.decompress(base64.b64decode(text(document, "awslogs.data"), validate=True)))
    except (ValueError, OSError, EOFError, zlib.error, binascii.Error, RecursionError) as error:
        raise FieldError("awslogs.data", f"is not base64 of gzip of JSON: {error}") from error
    if not isinstance(inner, dict):
        raise FieldError("awslogs.data", "is not a JSON object")
    return inner


def _timestamp(event: object) -> int:
    value = lookup(event, "timestamp")
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError("logEvents.timestamp", f"{str(value)[:40]!r} is no time in milliseconds")
    return dated(value, "logEvents.timestamp")


def _message(event: object) -> str:
    value = lookup(event, "message")
    if not isinstance(value, str):
        raise FieldError("logEvents.message", "is missing or not text")
    return text(event, "message")
