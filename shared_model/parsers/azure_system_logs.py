"""System logs of Azure's machines → :class:`~shared_model.events.SystemEvent`.

Rows of the tables Syslog, SecurityEvent, WindowsEvent and Event arrive at a hub by the export of Log Analytics or from the
agent's data collection rule, as ``{"records": [...]}``. Format: the table reference of Azure Monitor; the agent's diagnostic
extension writes the same under ``properties``, with names of its own.
Messages of Linux are read by the very rules that read those of AWS's machines.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared_model.events import Entity, EntityKind, Rejected, SystemEvent
from shared_model.log_templates import template_of
from shared_model.parsers.azure_fields import folded, machine_of, part, records, said, subscription_of
from shared_model.parsers.fields import FieldError, lookup, rejected, text, time_ms, within
from shared_model.parsers.syslog_lines import split_tag
from shared_model.system_log_rules import read_message
from shared_model.windows_log_rules import log_of, read_windows_event

_MESSAGE_LIMIT = 4096
_HOST_LIMIT = 255  # RFC 5424, 6: HOSTNAME
_PROCESS_LIMIT = 64
_REPEATED = re.compile(r"message repeated \d+ times: \[ ?(?P<message>.*?) ?\]$")
_XML_DATUM = re.compile(r"<Data Name=[\"'](?P<name>[^\"']{1,64})[\"']\s*>(?P<value>[^<]*)</Data>")
_TIMES = ("timegenerated", "eventtime", "time", "timecreated")
_SEVERITIES = {
    name: severity
    for severity, names in enumerate(
        (
            "emerg emergency panic",
            "alert",
            "crit critical",
            "err error",
            "warning warn",
            "notice",
            "info informational information",
            "debug verbose",
        )
    )
    for name in names.split()
}
_SEVERITY_OF_LEVEL = {"0": 6, "1": 2, "2": 3, "3": 4, "4": 6, "5": 7}  # levels of Windows
_MESSAGES = ("syslogmessage", "msg", "message", "rawmessage")
_EVENT_IDS = ("eventid", "eventidentifier")


def parse_azure_system_logs(document: object, *, source: str, now_ms: int) -> Iterator[SystemEvent | Rejected]:
    """Read the records of one decoded document.

    Parameters
    ----------
    document : object
        The body of an event, ``{"records": [...]}``, a single record or a list of these.
    source : str
        Where it came from, for rejects.
    now_ms : int
        Time of a record that states none.

    Yields
    ------
    SystemEvent or Rejected
        One per record, in order.
    """
    for number, record in enumerate(records(document), 1):
        try:
            yield _system_event(folded(record), now_ms)
        except FieldError as error:
            yield rejected(source, number, error, record)


def _system_event(record: Mapping[str, Any], now_ms: int) -> SystemEvent:
    row = {**record, **part(record, "properties")}
    if said(row, *_EVENT_IDS):
        return _windows(row, now_ms)
    if any(name in row for name in _MESSAGES):
        return _syslog(row, now_ms)
    kind = said(record, "type", "category")
    raise FieldError(
        "Type", f"{kind[:60]!r} is no record of Syslog, SecurityEvent, WindowsEvent or Event: check the rule that sends it"
    )


def _syslog(row: Mapping[str, Any], now_ms: int) -> SystemEvent:
    message = said(row, *_MESSAGES)
    process = said(row, "processname", "ident", "appname")
    if not process:
        process, message = split_tag(message)
    message = message[:_MESSAGE_LIMIT]
    repeated = _REPEATED.match(message)
    told = repeated["message"] if repeated else message
    meaning = read_message(process[:_PROCESS_LIMIT], told)
    host, when = _host(row), _time(row, now_ms)
    return SystemEvent(
        event_id=said(row, "_itemid") or _hash(host, when, process, said(row, "processid", "procid"), message),
        time_ms=when,
        provider="azure",
        account=host.account,
        host=host,
        process=process[:_PROCESS_LIMIT],
        severity=_SEVERITIES.get(said(row, "severitylevel", "severity", "level").lower()),
        template=template_of(told),
        verb=meaning.verb,
        object=meaning.object,
        outcome=meaning.outcome,
        user=meaning.user,
        source_address=meaning.source_address,
        message=message,
    )


def _windows(row: Mapping[str, Any], now_ms: int) -> SystemEvent:
    number = said(row, *_EVENT_IDS)
    if not number.isdigit() or len(number) > 6:
        raise FieldError("EventID", f"{number[:40]!r} is not the number of an event")
    log = log_of(said(row, "channel", "eventlog"), said(row, "eventsourcename", "provider", "source", "providername"))
    if said(row, "type").lower() == "securityevent":
        log = "Security"
    name = f"{log}-{number}"
    data = _data(row)
    meaning, template = read_windows_event(name, data)
    host, when = _host(row), _time(row, now_ms)
    message = said(row, "activity", "rendereddescription", "renderedmessage", "message") or _told(name, data)
    identifier = said(row, "_itemid", "eventoriginid") or _hash(host, when, name, said(row, "eventrecordid"), message, str(data))
    return SystemEvent(
        event_id=identifier,
        time_ms=when,
        provider="azure",
        account=host.account,
        host=host,
        process=name,
        severity=_windows_severity(row),
        template=template,
        verb=meaning.verb,
        object=meaning.object,
        outcome=meaning.outcome,
        user=meaning.user[:_MESSAGE_LIMIT],
        source_address=meaning.source_address,
        message=message[:_MESSAGE_LIMIT],
    )


def _data(row: Mapping[str, Any]) -> dict[str, str]:
    """The event's data, whether as columns, as an object, or as the XML that Windows writes; names in lower case."""
    data = {name: value for name in row if (value := text({"": row[name]}, ""))}
    for field in ("eventdata", "parameterxml", "userdata"):
        found = part(row, field)
        data |= {name: value for name in found if (value := text({"": found[name]}, ""))}
        # Read by its pattern, not as XML: what an event holds is written by whoever caused it.
        data |= {match["name"].lower(): html.unescape(match["value"]).strip() for match in _XML_DATUM.finditer(said(row, field))}
    return data


def _told(name: str, data: Mapping[str, str]) -> str:
    words = (
        f"{key}={data[key]}"
        for key in ("targetusername", "subjectusername", "ipaddress", "servicename", "taskname")
        if key in data
    )
    return " ".join((name, *words))


def _windows_severity(row: Mapping[str, Any]) -> int | None:
    stated = said(row, "eventlevelname", "level", "eventlevel").lower()
    return _SEVERITY_OF_LEVEL.get(stated, _SEVERITIES.get(stated))


def _host(row: Mapping[str, Any]) -> Entity:
    """The virtual machine where the record names its resource; a machine that is none of Azure's goes by its name."""
    resource = said(row, "_resourceid", "resourceid", "azureresourceid")
    account = subscription_of(resource) or said(row, "_subscriptionid", "subscriptionid").lower()
    if machine := machine_of(resource):
        return Entity(EntityKind.INSTANCE, within(machine, 1024, "_ResourceId"), account)
    name = said(row, "computer", "hostname", "sendinghost", "host", "collectorhostname") or "unknown"
    return Entity(EntityKind.HOST, within(name, _HOST_LIMIT, "Computer"), account)


def _time(row: Mapping[str, Any], now_ms: int) -> int:
    for name in _TIMES:
        if (value := lookup(row, name)) is not None:
            return time_ms(value, name)
    return now_ms


def _hash(host: Entity, when: int, *parts: str) -> str:
    """Id of a record without one. The export repeats records for hours after a fault: the same record is the same event."""
    return hashlib.sha256("\n".join((host.key, str(when), *parts)).encode("utf-8", "replace")).hexdigest()[:32]
