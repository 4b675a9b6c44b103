"""System logs → :class:`~shared_model.events.SystemEvent`: plain syslog files, and CloudWatch Logs payloads of syslog lines."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from io import BufferedReader
from typing import BinaryIO, cast

from shared_model.errors import UnreadableTelemetry
from shared_model.events import Entity, EntityKind, Rejected, SystemEvent
from shared_model.log_templates import template_of
from shared_model.parsers.cloudwatch_logs import LogEvent, read_payload
from shared_model.parsers.fields import FieldError, rejected, within
from shared_model.parsers.json_stream import read_json_records
from shared_model.parsers.objects import open_object
from shared_model.parsers.syslog_lines import SyslogLine, parse_syslog, split_tag
from shared_model.system_log_rules import read_message

_CHUNK = 256 * 1024
#: A longer line is no log record (RFC 5424 asks receivers for 2,048; agents cut at 256 KiB).
LINE_LIMIT = 256 * 1024
_MESSAGE_LIMIT = 4096
#: RFC 5424, 6: HOSTNAME. Anyone who may write a line may write a longer one, and it becomes a key in memory.
_HOST_LIMIT = 255
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}\b")
_REPEATED = re.compile(r"message repeated \d+ times: \[ ?(?P<message>.*?) ?\]$")
_WITHOUT_HEADER = SyslogLine(None, "", "", None, "")


def read_system_logs(
    stream: BinaryIO, *, source: str, now_ms: int, account: str = "", default_host: str = ""
) -> Iterator[SystemEvent | Rejected]:
    """Read an object of system logs.

    Parameters
    ----------
    stream : BinaryIO
        Plain or gzip. Either lines of syslog, or CloudWatch Logs subscription documents one after the other (told
        apart by the first character).
    source : str
        Where it came from, e.g. ``system_logs:s3://bucket/key``.
    now_ms : int
        Reference for times without a year (see ``parse_syslog``).
    account : str
        For plain files; a CloudWatch document names its own.
    default_host : str
        Where neither line nor log stream names one.

    Yields
    ------
    SystemEvent or Rejected
        In order. Empty lines are no records.
    """
    whole = open_object(stream, source=source)
    if _begins_with_object(whole):
        yield from _read_documents(whole, source, now_ms, default_host)
    else:
        yield from _read_lines(whole, source, now_ms, account, default_host)


def _begins_with_object(stream: BinaryIO) -> bool:
    try:
        return cast(BufferedReader, stream).peek(1)[:1] == b"{"
    except UnreadableTelemetry:
        return False  # reading on meets the same damage, and says so


def _read_documents(stream: BinaryIO, source: str, now_ms: int, default_host: str) -> Iterator[SystemEvent | Rejected]:
    for item in read_json_records(stream, source=source):
        if isinstance(item, Rejected):
            yield item
            continue
        for event in read_payload(item.value, source=source, first=item.number):
            if isinstance(event, Rejected):
                yield event
                continue
            try:
                yield _logged_event(event, now_ms, default_host)
            except FieldError as error:
                yield rejected(source, item.number, error, event.message)


def _logged_event(event: LogEvent, now_ms: int, default_host: str) -> SystemEvent:
    """Use CloudWatch's time, which has a year; a message without a syslog header is read as tag and text."""
    try:
        line = parse_syslog(event.message, now_ms=now_ms)
    except FieldError:
        process, message = split_tag(event.message)
        line = SyslogLine(event.time_ms, "", process, None, message)
    instance = _INSTANCE.search(event.stream)
    if instance:
        host = Entity(EntityKind.INSTANCE, instance[0], event.account)
    else:
        stated = within(line.host, _HOST_LIMIT, "host")
        host = Entity(EntityKind.HOST, stated or event.stream or default_host or "unknown", event.account)
    identifier = event.event_id or _hash(f"{event.account}:{event.group}:{event.stream}", event.time_ms, event.message)
    return _system_event(line, identifier, event.time_ms, host)


def _read_lines(stream: BinaryIO, source: str, now_ms: int, account: str, default_host: str) -> Iterator[SystemEvent | Rejected]:
    for number, text in _lines(stream):
        if isinstance(text, FieldError):
            yield rejected(source, number, text, "")
            continue
        try:
            if len(text) > LINE_LIMIT:
                raise FieldError("", f"is longer than {LINE_LIMIT} characters")
            line = parse_syslog(text, now_ms=now_ms)
            within(line.host, _HOST_LIMIT, "host")
        except FieldError as error:
            yield rejected(source, number, error, text)
            continue
        host = Entity(EntityKind.HOST, line.host or default_host or "unknown", account)
        when = now_ms if line.time_ms is None else line.time_ms
        yield _system_event(line, _hash(source, number, text), when, host)


def _system_event(line: SyslogLine, identifier: str, when: int, host: Entity) -> SystemEvent:
    message = line.message[:_MESSAGE_LIMIT]
    repeated = _REPEATED.match(message)
    said = repeated["message"] if repeated else message
    meaning = read_message(line.process, said)
    return SystemEvent(
        event_id=identifier,
        time_ms=when,
        provider="aws",
        account=host.account,
        host=host,
        process=line.process,
        severity=line.severity,
        template=template_of(said),
        verb=meaning.verb,
        object=meaning.object,
        outcome=meaning.outcome,
        user=meaning.user,
        source_address=meaning.source_address,
        message=message,
    )


def _lines(stream: BinaryIO) -> Iterator[tuple[int, str | FieldError]]:
    """Yield the numbered lines that are not empty; a broken stream ends with its reason. Memory is bounded."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    # read1 where there is one: it hands over what it has before it runs into damage.
    read = getattr(stream, "read1", stream.read)
    rest, number, reason = "", 0, ""
    while True:
        try:
            data = read(_CHUNK)
        except UnreadableTelemetry as error:
            data, reason = b"", f"the object cannot be read to its end: {error.reason}"
        *lines, rest = (rest + decode(data, not data)).split("\n")
        if not data and rest:
            lines, rest = [*lines, rest], ""
        for line in lines:
            number += 1
            if line.strip():
                yield number, line.strip().replace("\0", "")
        # Of a line that never ends only enough is kept to tell that it is too long.
        rest = rest[: LINE_LIMIT + 1]
        if not data:
            break
    if reason:
        yield number + 1, FieldError("", reason)


def _hash(place: str, number: int, text: str) -> str:
    """Id of a line: its place counts, since a log may hold the same line twice within a second."""
    return hashlib.sha256(f"{place}\n{number}\n{text}".encode("utf-8", "replace")).hexdigest()[:32]
