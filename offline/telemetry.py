"""Telemetry on its way into the lake: generated or recorded, moved to the present and onto machines of the seeded account."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from offline.aws.deployment import HOST_LOGS
from offline.aws.embedded import ACCOUNT, REGION, EmbeddedAws
from offline.seed import Instance, Role


def put_flow_log(aws: EmbeddedAws, text: bytes) -> str:
    """Deliver one gzip flow-log object as VPC Flow Logs does; return its key."""
    return _put(aws, "flow-logs", "vpcflowlogs", "log.gz", text)


def put_cloudtrail(aws: EmbeddedAws, records: Sequence[Mapping[str, Any]]) -> str:
    """Deliver one gzip log file as a trail does; return its key."""
    return _put(aws, "cloudtrail", "CloudTrail", "json.gz", json.dumps({"Records": list(records)}).encode())


def put_log_lines(aws: EmbeddedAws, stream: str, lines: Iterable[str], at: datetime | None = None) -> None:
    """Write lines into the log group that is subscribed; one stream per machine."""
    logs, now_ms = aws.client("logs"), int((at or datetime.now(UTC)).timestamp() * 1000)
    known = logs.describe_log_streams(logGroupName=HOST_LOGS, logStreamNamePrefix=stream)["logStreams"]
    if stream not in {each["logStreamName"] for each in known}:
        logs.create_log_stream(logGroupName=HOST_LOGS, logStreamName=stream)
    events = [{"timestamp": now_ms, "message": line} for line in lines]
    logs.put_log_events(logGroupName=HOST_LOGS, logStreamName=stream, logEvents=events)


def moved_flow_log(lines: Sequence[str], labels: Sequence[str], instance: Instance, at: datetime | None = None) -> bytes:
    """Move flow-log lines (with a header) onto a machine and to the present.

    The host that most of the records not labelled ``benign`` belong to becomes the machine: its instance and interface
    ids are replaced. All times move by the same amount, so that the last of those records ends now; what would come
    later has not happened yet, and is left out.

    Parameters
    ----------
    lines, labels : sequence of str
        As :class:`training.scenarios.flow_log.FlowLog` has them; the first line is the header.
    instance : Instance
    at : datetime, optional
        When the last of those records ends; now by default.
    """
    header = lines[0].split()
    rows = [dict(zip(header, line.split(), strict=True)) for line in lines[1:]]
    suspects = [row for row, label in zip(rows, labels[1:], strict=True) if label != "benign"]
    host = Counter(row["interface-id"] for row in suspects).most_common(1)[0][0]
    now = int((at or datetime.now(UTC)).timestamp())
    shift = now - max(int(row["end"]) for row in suspects)
    rows = [row for row in rows if int(row["end"]) + shift <= now]
    for row in rows:
        row["account-id"] = ACCOUNT
        for field in ("start", "end"):
            row[field] = str(int(row[field]) + shift)
        if row["interface-id"] == host:
            row["interface-id"] = instance.interfaces[0]
            row["instance-id"] = instance.id
    return "\n".join([lines[0], *(" ".join(row.values()) for row in rows), ""]).encode()


def moved_records(
    records: Sequence[Mapping[str, Any]], labels: Sequence[str], role: Role, session: str, at: datetime | None = None
) -> list[dict[str, Any]]:
    """Move CloudTrail records onto a session of a seeded role and to the present.

    Whoever made the calls not labelled ``benign`` becomes that session, in all its calls; every record moves to the account
    and by the same time, so that the last one is made now, and gets an event id of its own.
    """
    attacker = Counter(_caller(record) for record, label in zip(records, labels, strict=True) if label != "benign").most_common(
        1
    )[0][0]
    times = [datetime.fromisoformat(record["eventTime"]) for record in records]
    now = (at or datetime.now(UTC)).replace(microsecond=0)
    moved = []
    for record, time in zip(records, times, strict=True):
        made_at = now - (max(times) - time)
        identity = record["userIdentity"]
        if _caller(record) == attacker:
            identity = _identity(role, session, now - (max(times) - min(times)))
        moved.append(
            {
                **record,
                "userIdentity": identity,
                "eventTime": _text(made_at),
                "eventID": str(uuid.uuid4()),
                "recipientAccountId": ACCOUNT,
            }
        )
    return moved


def _caller(record: Mapping[str, Any]) -> str:
    return str(record["userIdentity"].get("principalId") or record["userIdentity"].get("arn"))


def _identity(role: Role, session: str, issued: datetime) -> dict[str, Any]:
    issuer = {"type": "Role", "principalId": role.id, "arn": role.arn, "accountId": ACCOUNT, "userName": role.name}
    return {
        "type": "AssumedRole",
        "principalId": f"{role.id}:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": {
            "sessionIssuer": issuer,
            "attributes": {"creationDate": _text(issued), "mfaAuthenticated": "false"},
        },
    }


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _put(aws: EmbeddedAws, prefix: str, service: str, suffix: str, content: bytes) -> str:
    now = datetime.now(UTC)
    name = f"{ACCOUNT}_{service.lower()}_{REGION}_{now:%Y%m%dT%H%MZ}_{uuid.uuid4().hex[:16]}.{suffix}"
    key = f"{prefix}/AWSLogs/{ACCOUNT}/{service}/{REGION}/{now:%Y/%m/%d}/{name}"
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped:
        zipped.write(content)
    aws.client("s3").put_object(Bucket=aws.outputs()["LakeBucketName"], Key=key, Body=buffer.getvalue())
    return key
