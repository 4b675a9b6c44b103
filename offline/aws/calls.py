"""Who called what: every AWS call that reaches the server, with the function that made it, and faults placed on calls."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS call.

    Attributes
    ----------
    function : str
        Name of the function whose sandbox made it; ``""`` for anybody outside (the CDK, the tests, the demo).
    access_key : str
    service, action : str
        As IAM names them: ``dynamodb``, ``PutItem``.
    resource : str
        ARN of what it was about, as far as the request says; ``*`` where it does not.
    role : str
        Name of the role that the function had assumed for it; ``""`` for a call under its own.
    session : str
        Name of that session, as CloudTrail would have it.
    """

    function: str
    access_key: str
    service: str
    action: str
    resource: str
    role: str = ""
    session: str = ""

    @property
    def permission(self) -> str:
        """``service:action``, as in a policy."""
        return f"{self.service}:{self.action}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Kill a function's process once, when a call that it makes has reached the server.

    Attributes
    ----------
    function : str
        Name of the function.
    action : str
        Last part of the call's name, e.g. ``PutItem`` or ``ModifyNetworkInterfaceAttribute``.
    contains : str
        Text that the request's body must contain; ``""`` matches any.
    when : {"before", "after"}
        Before the call takes effect (it then does not), or after (the function never sees the answer).
    """

    function: str
    action: str
    contains: str = ""
    when: str = "after"


class CallLog:
    """Calls in order, and the faults that wait for theirs. Safe to use from the server's threads."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def record(self, call: Call) -> None:
        """Append one call."""
        with self._lock:
            self._calls.append(call)

    def since(self, position: int) -> tuple[int, list[Call]]:
        """Return the calls from that position on, and the position after them."""
        with self._lock:
            return len(self._calls), self._calls[position:]

    def arm(self, fault: Fault) -> None:
        """Place a fault; it strikes once."""
        with self._lock:
            self._faults.append(fault)

    @property
    def armed(self) -> bool:
        """Whether any fault waits."""
        return bool(self._faults)

    def strike(self, function: str, action: str, body: bytes) -> Fault | None:
        """Take the fault that this call triggers, if there is one."""
        with self._lock:
            for fault in self._faults:
                if fault.function == function and fault.action == action and fault.contains.encode() in body:
                    self._faults.remove(fault)
                    return fault
        return None


def action_of(headers: Mapping[str, str], body: bytes) -> str:
    """Operation that a request of a JSON or query service names; ``""`` for REST services."""
    target = headers.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rsplit(".", 1)[-1]
    if b"Action=" in body[:8192]:
        return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    return ""


def access_key_of(authorization: str) -> str:
    """Access key id in a Signature Version 4 header; ``""`` where there is none."""
    _, found, rest = authorization.partition("Credential=")
    return rest.split("/", 1)[0] if found else ""


#: Operations that IAM knows under another name.
_PERMISSIONS: Mapping[str, str] = {
    "sqs:SendMessageBatch": "SendMessage",
    "sqs:DeleteMessageBatch": "DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "lambda:Invoke": "InvokeFunction",
    "sns:PublishBatch": "Publish",
    "s3:HeadObject": "GetObject",
    "s3:HeadBucket": "ListBucket",
    "s3:DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "s3:GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "s3:ListObjects": "ListBucket",
    "s3:PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "s3:ListObjectsV2": "ListBucket",
}


def permitted_as(service: str, operation: str, body: bytes) -> tuple[str, ...]:
    """Actions that IAM asks for when an operation is called; a transaction asks for those of its parts."""
    if operation in ("TransactWriteItems", "TransactGetItems"):
        parts = json.loads(body).get("TransactItems", ())  # each {"Put": …}, {"ConditionCheck": …}
        return tuple(dict.fromkeys(f"{kind}Item" for part in parts for kind in part))
    return (_PERMISSIONS.get(f"{service}:{operation}", operation),)


_ARN_OF: Mapping[str, Callable[[str, str, Mapping[str, Any]], str]] = {
    "dynamodb": lambda region, account, body: f"arn:aws:dynamodb:{region}:{account}:table/{_table(body)}",
    "sqs": lambda region, account, body: f"arn:aws:sqs:{region}:{account}:{body['QueueUrl'].rsplit('/', 1)[-1]}",
    "ssm": lambda region, account, body: f"arn:aws:ssm:{region}:{account}:parameter/{body['Name'].removeprefix('/')}",
    "events": lambda region, account, body: f"arn:aws:events:{region}:{account}:event-bus/default",
}


def resource_of(service: str, region: str, account: str, body: bytes, form: Mapping[str, Any]) -> str:
    """ARN that a request names in its body, for the services that say it there; ``*`` otherwise."""
    if service == "iam" and form.get("RoleName"):
        return f"arn:aws:iam::{account}:role/{_first(form['RoleName'])}"
    if service == "iam" and form.get("UserName"):
        return f"arn:aws:iam::{account}:user/{_first(form['UserName'])}"
    if service == "sts" and form.get("RoleArn"):
        return str(_first(form["RoleArn"]))
    if service == "sns" and form.get("TopicArn"):
        return str(_first(form["TopicArn"]))
    try:
        document = json.loads(body or b"{}")
        return _ARN_OF[service](region, account, document) if isinstance(document, dict) else "*"
    except (KeyError, ValueError, AttributeError):  # another operation of that service, which names nothing
        return "*"


def _table(body: Mapping[str, Any]) -> str:
    """Table of a request, with its index; the one table of a batch (Breakwater's batches have one)."""
    (table,) = body.get("RequestItems", {body.get("TableName"): None})
    if not isinstance(table, str):
        raise KeyError("TableName")
    return f"{table}/index/{body['IndexName']}" if "IndexName" in body else table


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value
