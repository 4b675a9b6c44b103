"""Whatever a record says of its time, it has a day in the lake or is rejected: what cannot be written would hold its object."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared_model.events import ApiCall, Finding, Rejected, SystemEvent
from shared_model.lake import ocsf_files, rejected_files
from shared_model.ocsf import of_api_call, of_finding, of_system_event
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.parsers.azure_system_logs import parse_azure_system_logs
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.defender import parse_exported_alerts
from shared_model.parsers.guardduty import parse_guardduty
from shared_model.parsers.sentinel import parse_sentinel_incident
from shared_model.parsers.system_logs import read_system_logs

EVENTS = Path(__file__).parents[1] / "events"
NOW_MS = 1_790_000_000_000
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)")
MESSAGE = "host sshd[1]: Failed password for root from 198.51.100.7 port 22 ssh2"
Record = ApiCall | SystemEvent | Finding | Rejected


def event(name: str, moment: str) -> Any:
    """A recorded event, all of whose times are this one."""
    return json.loads(TIME.sub(moment, (EVENTS / name).read_text(encoding="utf-8")))


def log(text: str) -> Iterable[Record]:
    return read_system_logs(io.BytesIO(text.encode()), source="x", now_ms=NOW_MS)


def payload(timestamp: Any) -> str:
    return json.dumps(
        {
            "messageType": "DATA_MESSAGE",
            "owner": "123456789012",
            "logGroup": "g",
            "logStream": "i-0123456789abcdef0",
            "logEvents": [{"id": "1", "timestamp": timestamp, "message": MESSAGE}],
        }
    )


READ: dict[str, Callable[[str], Iterable[Record]]] = {
    "cloudtrail": lambda moment: parse_cloudtrail(event("cloudtrail/envelope.json", moment), source="x"),
    "guardduty": lambda moment: parse_guardduty(event("guardduty/tor_client.json", moment), source="x"),
    "syslog": lambda moment: log(f"{moment} {MESSAGE}"),
    "rfc 5424": lambda moment: log(f"<34>1 {moment} host sshd 1 - - Failed password for root"),
    "activity log": lambda moment: parse_audit_records(event("azure/activity_log.json", moment), source="x"),
    "entra": lambda moment: parse_audit_records(event("azure/entra.json", moment), source="x"),
    "azure system logs": lambda moment: parse_azure_system_logs(
        event("azure/system_logs.json", moment), source="x", now_ms=NOW_MS
    ),
    "sentinel": lambda moment: parse_sentinel_incident(event("azure/sentinel_incident.json", moment), source="x"),
    "defender": lambda moment: parse_exported_alerts(event("azure/exported_alerts.json", moment), source="x"),
}


def write(records: Iterable[Record]) -> tuple[int, list[str]]:
    """Put all records into files, as the functions do: how many they are, and the files' paths."""
    kept, bad = [], []
    for record in records:
        match record:
            case ApiCall():
                kept.append(of_api_call(record))
            case SystemEvent():
                kept.append(of_system_event(record))
            case Finding():
                kept.append(of_finding(record))
            case _:
                bad.append(record)
    files = [*ocsf_files(kept, default_region=lambda: "r", cause="c"), *rejected_files(bad, now_ms=NOW_MS, cause="c")]
    return len(kept) + len(bad), [path for path, _ in files]


@pytest.mark.parametrize("source", READ)
@example("0001-01-01T00:00:00+14:00")
@example("1969-12-31T23:59:59.999Z")
@example("9999-12-31T23:59:59-14:00")
@given(st.builds(lambda moment, zone: f"{moment.isoformat()}{zone}", st.datetimes(), st.sampled_from(["Z", "+14:00", "-14:00"])))
def test_any_time_has_a_day_in_the_lake_or_its_record_is_rejected(source: str, moment: str) -> None:
    count, paths = write(READ[source](moment))
    assert count >= 1
    assert all(re.search(r"/dt=\d{4}-\d\d-\d\d/", path) for path in paths)


@given(st.integers() | st.sampled_from([-1, 253_402_300_799_999, 253_402_300_800_000, 2**53 - 1]))
def test_any_time_of_a_log_event_has_a_day_or_is_rejected(timestamp: int) -> None:
    (record,) = log(payload(timestamp))
    assert isinstance(record, SystemEvent) == (0 <= timestamp < 253_402_300_800_000)
    assert write([record])[0] == 1


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59-14:00"])
def test_a_time_without_a_day_is_named(moment: str) -> None:
    (record,) = READ["cloudtrail"](moment)
    assert isinstance(record, Rejected)
    assert (record.field, "within the years 1970 to 9999" in record.reason) == ("eventTime", True)


def test_the_first_and_the_last_millisecond_have_their_day() -> None:
    for moment in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"):
        _, (path,) = write(READ["cloudtrail"](moment))
        assert f"/dt={moment[:10]}/" in path
