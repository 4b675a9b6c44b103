"""Lines of a host's log as rows of the table Syslog, as the data export of Log Analytics sends them to an event hub.

Format: Azure Monitor's table reference, Syslog. The agent takes time and host out of the line, and the program in front of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from offline.replay.replayed import ReplayedLines

_LINE = re.compile(r"^\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ (?P<process>[\w./-]+)(?:\[(?P<pid>\d+)\])?: (?P<message>.*)$")


def syslog_rows(lines: ReplayedLines, host: str, machine_id: str) -> list[dict[str, Any]]:
    """Rows of one host's lines, in the order of the lines."""
    return [_row(time_ms, line, host, machine_id) for time_ms, line in lines.lines]


def _row(time_ms: int, line: str, host: str, machine_id: str) -> dict[str, Any]:
    match = _LINE.match(line)
    process, pid, message = (match["process"], match["pid"] or "", match["message"]) if match else ("", "", line)
    return {
        "TimeGenerated": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "Computer": host,
        "HostName": host,
        "Facility": "auth",
        "SeverityLevel": "info",
        "ProcessName": process,
        "ProcessID": pid,
        "SyslogMessage": message,
        "SourceSystem": "Linux",
        "_ResourceId": machine_id.lower(),
        "Type": "Syslog",
    }
