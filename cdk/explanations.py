"""Why a policy names more than one thing, or a rule of cdk-nag does not hold: every exception, once, with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aws_cdk import Acknowledgment, Aws, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct


class WildcardUnexplained(Exception):
    """A statement allows more than one thing, and nobody has said why."""


_WHEN_IT_HAPPENS = (
    "Which one must be contained is known when it happens; the operator's policy and the explicit denies narrow it."
)
#: What a pattern may stand for, and why it is not narrower.
REASONS: tuple[tuple[str, str], ...] = (
    (r".*:log-group:/aws/lambda/[^*]+:\*", "One function's own log group: Lambda names the streams."),
    (r"arn:[^*]+:s3:::[^*]+/\*", "Objects below one prefix of the lake: their names carry times and accounts."),
    (r".*:table/[^*]+/index/\*", "The indexes of one table."),
    (r"arn:[^*]+:autoscaling:[^*]+:autoScalingGroup:\*:autoScalingGroupName/\*", _WHEN_IT_HAPPENS),
    (r"arn:[^*]+:ec2:[^*]+:(instance|network-acl|network-interface|security-group|security-group-rule|vpc)/\*", _WHEN_IT_HAPPENS),
    (
        r"arn:[^*]+:ec2:[^*]+:volume/\*",
        "Snapshots are taken of the volumes of the instance that is contained, where the policy asks for them.",
    ),
    (
        r"arn:[^*]+:wafv2:\*:[^*]+:\*/(rulegroup|webacl)/\*",
        "Reads: which web ACL blocks by an IP set, in whatever region that is.",
    ),
    (r"arn:[^*]+:iam::[^*]+:(role|user)/\*", _WHEN_IT_HAPPENS),
    (r"arn:[^*]+:s3:::\*", _WHEN_IT_HAPPENS),
    (r"arn:[^*]+:ec2:[^*]+::(image|snapshot)/\*", _WHEN_IT_HAPPENS),
    (r"arn:[^*]+:rds:[^*]+:(cluster-)?snapshot:\*", _WHEN_IT_HAPPENS),
    (r"\*", "Describe calls of EC2 and Auto Scaling, IAM's count and lists, and the list of web ACLs know no resources."),
)
BOUNDARY = "A boundary gives nothing: it names the actions of all roles, and each role's own policy names the resources."
RUNTIME = "python3.12 is the newest runtime of Lambda on which the engine's native code loads (docs/decisions)."
UNDELIVERABLE = "It is itself where a rule's undeliverable events go; nothing consumes it that could fail."
LINKS_ARE_OPEN = (
    "It shows a plan to whoever holds a signed link and changes nothing; answers come by another route, with an authorizer."
)
ACCESS_LOGS = "It holds the access logs: logging access to itself would feed itself."


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept one finding of cdk-nag on a construct and what is below it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::{rule}", reason=reason))


def explain_wildcards(construct: IConstruct, statements: Iterable[iam.PolicyStatement]) -> None:
    """Accept the wildcards of a role's statements, each for the reason that is written down here.

    Raises
    ------
    WildcardUnexplained
        Names the pattern.
    """
    patterns = {
        pattern
        for statement in statements
        if statement.effect == iam.Effect.ALLOW
        for pattern in statement.resources
        if "*" in pattern
    }
    for pattern in sorted(patterns):
        known = pattern.replace(Aws.ACCOUNT_ID, "<AWS::AccountId>").replace(Aws.REGION, "<AWS::Region>")
        known = known.replace(Aws.PARTITION, "<AWS::Partition>")
        reason = next((reason for shape, reason in REASONS if re.fullmatch(shape, known)), None)
        if reason is None:
            raise WildcardUnexplained(f"{known} on {construct.node.path}: say in cdk/explanations.py why it is not narrower")
        acknowledge(construct, f"AwsSolutions-IAM5[Resource::{known}]", reason)
