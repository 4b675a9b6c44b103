"""Payloads of CloudWatch Logs around a host's lines: whose they are, and what a wrong one costs."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

import pytest

from infra_tests.shared_model.test_system_logs import ACCOUNT, LINE, NOW_MS, only, read
from shared_model.events import Entity, EntityKind, Rejected, SystemEvent
from shared_model.parsers.system_logs import LINE_LIMIT


def payload(**changes: Any) -> dict[str, Any]:
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "/var/log/secure",
        "logStream": "i-0123456789abcdef0",
        "subscriptionFilters": ["breakwater"],
        "logEvents": [
            {"id": "3" * 56, "timestamp": NOW_MS, "message": LINE},
            {"id": "4" * 56, "timestamp": NOW_MS + 5, "message": "no header"},
        ],
    }
    return document | changes


CONTROL = payload(
    messageType="CONTROL_MESSAGE", logEvents=[{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health"}]
)


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(payload()).encode(),
        gzip.compress(json.dumps(payload()).encode()),
        gzip.compress(json.dumps(CONTROL).encode()) + gzip.compress(json.dumps(payload()).encode()),
        json.dumps({"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(payload()).encode())).decode()}}).encode(),
    ],
    ids=["plain", "gzip", "members with a control message", "straight into a function"],
)
def test_a_cloudwatch_payload_names_instance_account_and_time(data: bytes):
    first, second = read(data)
    assert isinstance(first, SystemEvent)
    assert isinstance(second, SystemEvent)
    assert first.host == Entity(EntityKind.INSTANCE, "i-0123456789abcdef0", ACCOUNT)
    assert (first.event_id, first.time_ms, first.user) == ("3" * 56, NOW_MS, "admin")
    assert (second.message, second.time_ms) == ("no header", NOW_MS + 5)


def test_documents_side_by_side_are_all_read():
    data = (json.dumps(payload()) * 3 + json.dumps(CONTROL)).encode()
    assert len(read(data)) == 6


def test_a_stream_that_names_no_instance_takes_the_lines_host():
    event = read(json.dumps(payload(logStream="web")))[0]
    assert isinstance(event, SystemEvent)
    assert event.host == Entity(EntityKind.HOST, "web-1", ACCOUNT)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (payload(messageType="OTHER"), "messageType"),
        (payload(logEvents="x"), "messageType"),
        (payload(logEvents=[{"id": "1", "timestamp": "now", "message": "x"}]), "logEvents.timestamp"),
        (payload(logEvents=[{"id": "1", "timestamp": 1}]), "logEvents.message"),
        (payload(logEvents=[7]), "logEvents.timestamp"),
        ({"awslogs": {"data": "%%%"}}, "awslogs.data"),
    ],
)
def test_a_wrong_payload_is_rejected_and_names_the_field(document: object, field: str):
    results = read(json.dumps(document) + json.dumps(payload()))
    assert isinstance(results[0], Rejected)
    assert (results[0].field, results[0].record) == (field, 1)
    assert len(results) == 3


def test_lines_that_are_no_syslog_are_rejected_beside_the_good_ones():
    results = read(f"{LINE}\nnothing\n\n{LINE}\n<999>Oct 11 22:14:15 a b: c\n")
    assert [type(result) for result in results] == [SystemEvent, Rejected, SystemEvent, Rejected]
    assert [result.record for result in results if isinstance(result, Rejected)] == [2, 5]
    assert [result.field for result in results if isinstance(result, Rejected)] == ["timestamp", "priority"]


def test_a_line_without_end_is_one_reject_and_the_next_line_is_read():
    results = read("Mar  2 09:15:40 web-1 app: " + "x" * (4 * LINE_LIMIT) + "\n" + LINE)
    assert [type(result) for result in results] == [Rejected, SystemEvent]
    assert len(results[0].raw if isinstance(results[0], Rejected) else "") <= 512


def test_the_same_line_twice_is_two_events_and_a_redelivery_is_none():
    twice = read(f"{LINE}\n{LINE}\n")
    ids = [event.event_id for event in twice if isinstance(event, SystemEvent)]
    assert len(set(ids)) == 2
    assert [event.event_id for event in read(f"{LINE}\n{LINE}\n") if isinstance(event, SystemEvent)] == ids


def test_a_repeated_message_is_read_as_the_message():
    event = only(f"{LINE.split(': ')[0]}: message repeated 5 times: [ Failed password for root from 198.51.100.7 port 1 ssh2]")
    assert (event.verb, event.user) == ("authenticate", "root")


def test_damage_is_said_after_what_came_before():
    # Text that does not compress, so that much of it stands before the cut.
    lines = "\n".join(f"{LINE} {hashlib.sha256(str(number).encode()).hexdigest()}" for number in range(5000))
    results = read(gzip.compress(lines.encode())[:-2000])
    assert isinstance(results[-1], Rejected)
    assert "cannot be read to its end" in results[-1].reason
    assert sum(isinstance(result, SystemEvent) for result in results) > 100
