"""Events that are only said in us-east-1 (IAM, STS's global endpoint, console sign-ins), handed on to the home region."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk.region_info import RegionInfo
from constructs import Construct

from cdk.explanations import UNDELIVERABLE, acknowledge
from cdk.identities import bounded
from cdk.names import Names
from cdk.rules import API_CALLS, WITH_READS

#: Where AWS says them [EventBridge user guide, *Events from global services*].
GLOBAL_REGION = "us-east-1"
GLOBAL_SERVICES = ["iam.amazonaws.com", "sts.amazonaws.com", "signin.amazonaws.com", "organizations.amazonaws.com"]


def forwards_to(home: str) -> bool:
    """Say whether global events reach a home region by being handed on: not where they are said, nor from another partition.

    GovCloud, China and the others have no us-east-1, and no bus of another region is a target there.
    """
    return home != GLOBAL_REGION and RegionInfo.get(home).partition in (None, "aws")


class GlobalEventsStack(Stack):
    """One rule in us-east-1, and the role with which it puts events on the home region's bus.

    The role is named and bounded as those of the home region, so that it is one of our own there too.
    """

    def __init__(self, scope: Construct, construct_id: str, *, prefix: str, home: str, **stack: Any) -> None:
        super().__init__(scope, construct_id, **stack)
        names = Names.of(self, prefix)
        at_home = Names(prefix, self.partition, self.account, home)
        dead = self._dead_letters(names)
        bus = f"arn:{self.partition}:events:{home}:{self.account}:event-bus/default"
        ours = {"StringEquals": {"aws:SourceAccount": self.account}}
        role = iam.Role(
            self,
            "ForwardRole",
            role_name=at_home.role("forward"),
            description=f"Events of global services are handed on to {home}.",
            assumed_by=iam.ServicePrincipal("events.amazonaws.com", conditions=ours),
            permissions_boundary=bounded(self, at_home),
            inline_policies={
                "forward": iam.PolicyDocument(statements=[iam.PolicyStatement(actions=["events:PutEvents"], resources=[bus])])
            },
        )
        events.CfnRule(
            self,
            "ForwardRule",
            name=names.resource("forward"),
            description=f"API calls of global services, for Breakwater in {home}.",
            event_pattern={**API_CALLS, "detail": {**API_CALLS["detail"], "eventSource": GLOBAL_SERVICES}},
            state=WITH_READS,
            targets=[
                events.CfnRule.TargetProperty(
                    id="home",
                    arn=bus,
                    role_arn=role.role_arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=dead.queue_arn),
                )
            ],
        )

    def _dead_letters(self, names: Names) -> sqs.Queue:
        """Where the rule leaves what it cannot hand on: it must be in the rule's own region, where none of our keys is."""
        dead = sqs.Queue(
            self,
            "ForwardDeadLetters",
            queue_name=names.queue("forward-dead-letters"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        acknowledge(dead, "AwsSolutions-SQS3", UNDELIVERABLE)
        dead.add_to_resource_policy(
            iam.PolicyStatement(
                sid="SendUndeliverable",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[dead.queue_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": self.account},
                    "ArnEquals": {"aws:SourceArn": names.rule_arn("forward")},
                },
            )
        )
        return dead
