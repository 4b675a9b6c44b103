"""Rules on the account's default event bus, and the queues that they feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_events as events
from constructs import Construct

from cdk.names import Names, dead_letters, pascal

#: Calls that every encrypted read and write makes, Breakwater's own among them: taking them in would be a loop that feeds
#: itself. The trail still has them (the complete path).
KEY_USES = ["Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncrypt"]
API_CALLS: dict[str, Any] = {
    # The prefix is reserved to AWS: nobody else can put such an event on the bus.
    "source": [{"prefix": "aws."}],
    "detail-type": ["AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail"],
    "detail": {
        "eventName": [{"anything-but": KEY_USES}],
        # Any trail of the account that records data events puts them on the bus too: every read and write of an object, a table
        # or a queue, Breakwater's own among them. Taken in, they would be the same loop, and a bill.
        "managementEvent": [True, {"exists": False}],
    },
}
FINDINGS = {"source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"]}
#: Plain ENABLED leaves out what only reads (Get, List, Describe): discovery by an intruder is exactly that.
WITH_READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


def rule_to_queue(
    scope: Construct,
    name: str,
    names: Names,
    queue: str,
    *,
    pattern: Mapping[str, Any] | None = None,
    schedule: str | None = None,
    state: str = "ENABLED",
    message: str | None = None,
    description: str,
) -> events.CfnRule:
    """Make a rule that sends to a queue; what cannot be delivered goes to that queue's dead letters.

    The low-level construct: the higher one would write the queue's policy, and make the two stacks depend on each other.
    """
    return events.CfnRule(
        scope,
        f"{pascal(name)}Rule",
        name=names.resource(name),
        description=description,
        event_pattern=pattern,
        schedule_expression=schedule,
        state=state,
        targets=[
            events.CfnRule.TargetProperty(
                id=queue,
                arn=names.queue_arn(queue),
                input=message,
                dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=names.queue_arn(dead_letters(queue))),
            )
        ],
    )
