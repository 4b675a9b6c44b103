"""Rules with a schedule: moto keeps them and never fires them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class TargetNotScheduled(Exception):
    """A schedule has a target that is no queue: Breakwater has none such."""


def fire_schedules(events: Any, sqs: Any, *, account: str, region: str) -> list[str]:
    """Send to the targets of every enabled rule with a schedule what it would send now.

    Parameters
    ----------
    events, sqs : boto3 clients
    account, region : str

    Returns
    -------
    list of str
        Names of the rules that fired.
    """
    fired = []
    for rule in events.list_rules()["Rules"]:
        if rule.get("ScheduleExpression") and rule.get("State", "").startswith("ENABLED"):
            for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                _send(sqs, target, _envelope(rule["Arn"], account, region))
            fired.append(rule["Name"])
    return fired


def _send(sqs: Any, target: Mapping[str, Any], envelope: Mapping[str, Any]) -> None:
    if ":sqs:" not in target["Arn"]:
        raise TargetNotScheduled(f"{target['Arn']} is not a queue: let the schedule send to the function's queue")
    url = sqs.get_queue_url(QueueName=target["Arn"].rsplit(":", 1)[-1])["QueueUrl"]
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    body = target.get("Input") or json.dumps(envelope)
    sqs.send_message(QueueUrl=url, MessageBody=body, **({"MessageGroupId": group} if group else {}))


def _envelope(rule_arn: str, account: str, region: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule_arn],
        "detail": {},
    }
