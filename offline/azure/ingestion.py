"""A sink for the Logs Ingestion API: takes rows for the streams of one data collection rule, checks them and keeps them.

API: https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview. The real service answers 204 and then drops
columns that the rule does not declare; here such a row is refused, so that no test passes on data that nobody would find again.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from azure_infra.columns import COLUMNS
from offline.azure.callers import Caller
from offline.azure.calls import CallLog, Grants
from offline.azure.endpoint import Endpoint, Link, Refusal, Wanted
from offline.azure.web import Answer, Request

OPERATION = "Microsoft.Insights/Telemetry/Write"
"""The data action of the role Monitoring Metrics Publisher."""

LARGEST_UPLOAD = 1024 * 1024
"""Bytes of a request, uncompressed and compressed alike."""

RULE_ID = "dcr-00000000000000000000000000000000"
BREAKWATER_STREAM = "Custom-Breakwater_CL"
_PATH = re.compile(r"/dataCollectionRules/([^/]+)/streams/([^/]+)", re.IGNORECASE)
_LONGEST_STRING = 64 * 1024


class LogsIngestion(Endpoint):
    """A local data collection endpoint.

    Parameters
    ----------
    streams
        Per stream its columns and their types: what the data collection rule declares.
    rule_id
        The rule's immutable id.
    calls, grants, clock
        As :class:`~offline.azure.endpoint.Endpoint`.
    """

    name = "logs"
    audiences = ("https://monitor.azure.com",)

    def __init__(
        self,
        streams: Mapping[str, Mapping[str, str]] | None = None,
        *,
        rule_id: str = RULE_ID,
        calls: CallLog | None = None,
        grants: Grants | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(calls=calls, grants=grants, clock=clock)
        self.rule_id = rule_id
        self._streams = dict(streams or {BREAKWATER_STREAM: COLUMNS})
        self._lock = threading.Lock()
        self._rows: list[tuple[str, dict[str, Any]]] = []

    def rows(self, stream: str = BREAKWATER_STREAM) -> list[dict[str, Any]]:
        """The rows that a stream took, in order."""
        with self._lock:
            return [row for name, row in self._rows if name == stream]

    def wanted(self, request: Request) -> Wanted:
        stream, columns = self._addressed(request)
        return Wanted(OPERATION, (), lambda _: self._take(stream, columns, request))

    def denied(self, caller: Caller, wanted: Wanted, link: Link | None, request: Request) -> Refusal:
        return Refusal(
            403,
            "OperationFailed",
            "The authentication token provided does not have access to ingest data for the data collection rule with "
            f"immutable Id '{self.rule_id}'.",
        )

    def _addressed(self, request: Request) -> tuple[str, Mapping[str, str]]:
        match = _PATH.fullmatch(request.path)
        if not match or request.method != "POST":
            raise Refusal(404, "NotFound", f"{request.method} {request.path} is not served here.")
        if "api-version" not in request.query:
            raise Refusal(400, "MissingApiVersion", "The api-version query parameter is required.")
        if match[1].lower() != self.rule_id.lower():
            raise Refusal(404, "NotFound", f"Data collection rule with immutable Id '{match[1]}' not found.")
        if match[2] not in self._streams:
            raise Refusal(400, "InvalidStream", f"The stream {match[2]} was not configured in the Data Collection Rule.")
        return match[2], self._streams[match[2]]

    def _take(self, stream: str, columns: Mapping[str, str], request: Request) -> Answer:
        sent = request.json()
        if len(request.body) > LARGEST_UPLOAD:
            raise Refusal(413, "ContentLengthLimitExceeded", "Maximum allowed content length is 1048576 bytes (1 MB).")
        if not isinstance(sent, list) or not all(isinstance(row, dict) for row in sent):
            raise Refusal(400, "InvalidPayload", "The body must be a JSON array of objects.")
        for position, row in enumerate(sent):
            for problem in row_problems(row, columns):
                raise Refusal(400, "InvalidPayload", f"Row {position} of {stream}: {problem}.")
        with self._lock:
            self._rows += [(stream, row) for row in sent]
        return Answer(204)


def row_problems(row: Mapping[str, Any], columns: Mapping[str, str]) -> list[str]:
    """What keeps a row from being found again in the table: undeclared columns, values of another type, no time."""
    problems = [f"{name} is no declared column" for name in row if name not in columns]
    if not row.get("TimeGenerated"):
        problems.append("TimeGenerated is missing")
    for name, value in row.items():
        if name in columns and value is not None and not _fits(value, columns[name]):
            problems.append(f"{name} is no {columns[name]}: {str(value)[:60]!r}")
    return problems


def _fits(value: Any, kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str) and len(value.encode()) <= _LONGEST_STRING
    if kind == "datetime":
        return isinstance(value, str) and _is_time(value)
    if kind == "real":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind in ("int", "long"):
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "guid":
        return isinstance(value, str) and _is_guid(value)
    return kind == "dynamic" and isinstance(value, (dict, list, str, int, float, bool))


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_guid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
