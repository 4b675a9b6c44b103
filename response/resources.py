"""How a never-touch list names resources: the forms of ids that plans carry, as patterns (``*`` and ``?`` stand for anything).

An action declares the forms that its plans carry (``carries``). A pattern of a form that no action of a cloud carries would
protect nothing there, and is refused.
"""

from __future__ import annotations

import re
from types import MappingProxyType

INSTANCE, SECURITY_GROUP, SECURITY_GROUP_RULE = "instance", "security group", "security group rule"
NETWORK_INTERFACE, SUBNET, NETWORK_ACL = "network interface", "subnet", "network ACL"
SNAPSHOT, IMAGE, DATABASE_SNAPSHOT, BUCKET = "snapshot", "image", "database snapshot", "bucket"
ACCESS_KEY, ROLE_OR_USER, IP_SET, FUNCTION = "access key", "role or user", "IP set", "function"
AUTO_SCALING_GROUP = "auto-scaling group"
ARM_ID, OBJECT_ID, SIGN_IN_NAME = "ARM id", "object id", "sign-in name"
WEB_ADDRESS = "web address"

_SOME_ACCOUNT = r"[\d*?]*"
_SOME_REGION = r"[\w*?-]*"
#: Each form: what a pattern of it looks like, and an example.
FORMS = MappingProxyType(
    {
        INSTANCE: (r"i-[0-9a-f*?]+", "i-0ab*"),
        SECURITY_GROUP: (r"sg-[0-9a-f*?]+", "sg-0ab*"),
        SECURITY_GROUP_RULE: (r"sgr-[0-9a-f*?]+", "sgr-0ab*"),
        NETWORK_INTERFACE: (r"eni-[0-9a-f*?]+", "eni-0ab*"),
        SUBNET: (r"subnet-[0-9a-f*?]+", "subnet-0ab*"),
        NETWORK_ACL: (r"acl-[0-9a-f*?]+", "acl-0ab*"),
        SNAPSHOT: (r"snap-[0-9a-f*?]+", "snap-0ab*"),
        IMAGE: (r"ami-[0-9a-f*?]+", "ami-0ab*"),
        ACCESS_KEY: (r"AKIA[A-Z0-9*?]+", "AKIA…"),
        ROLE_OR_USER: (
            rf"arn:[\w*?-]+:iam::{_SOME_ACCOUNT}:(role/\S+|user/\S+|root|\*\S*)",
            "arn:*:iam::*:role/break-glass-*",
        ),
        BUCKET: (r"arn:[\w*?-]+:s3:::[a-z0-9.*?-]+", "arn:*:s3:::payroll-*"),
        DATABASE_SNAPSHOT: (
            rf"arn:[\w*?-]+:rds:{_SOME_REGION}:{_SOME_ACCOUNT}:(cluster-)?snapshot:\S+",
            "arn:*:rds:*:*:snapshot:payroll-*",
        ),
        IP_SET: (
            rf"arn:[\w*?-]+:wafv2:{_SOME_REGION}:{_SOME_ACCOUNT}:\S*/?ipset/\S+",
            "arn:*:wafv2:*:*:regional/ipset/partners/*",
        ),
        FUNCTION: (rf"arn:[\w*?-]+:lambda:{_SOME_REGION}:{_SOME_ACCOUNT}:function:\S+", "arn:*:lambda:*:*:function:contain-*"),
        # By its name: the id before it is known to nobody who writes a policy, nor to a plan.
        AUTO_SCALING_GROUP: (
            rf"arn:[\w*?-]+:autoscaling:{_SOME_REGION}:{_SOME_ACCOUNT}:autoScalingGroup:\*:autoScalingGroupName/\S+",
            "arn:*:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/payroll-*",
        ),
        ARM_ID: (r"/subscriptions/\S+", "/subscriptions/*/resourcegroups/core/*"),
        OBJECT_ID: (r"[0-9a-f*?]{1,8}(-[0-9a-f*?]{1,12}){0,4}", "an object id of Entra"),
        SIGN_IN_NAME: (r"[^@\s/:]+@[^@\s/:]+", "break-glass*@contoso.example"),
        WEB_ADDRESS: (r"https://\S+", "https://contain-*.azurewebsites.net/*"),
    }
)


def form_of(pattern: str) -> str:
    """Return the form that a pattern has, ``""`` for one that is of none: nothing that a plan carries could match it."""
    return next((name for name, (looks, _) in FORMS.items() if re.fullmatch(looks, pattern)), "")


def in_one_spelling(pattern: str) -> str:
    """Return a pattern as plans spell what it names.

    ARM and object ids mean the same in any case, and are compared in lower case; ARNs are not. A bucket's name is one in all
    partitions, so that its ARN's partition says nothing.
    """
    if not pattern.startswith("arn:"):
        return pattern if form_of(pattern) == ACCESS_KEY else pattern.lower()
    return re.sub(r"^arn:[^:]*:s3:::", "arn:*:s3:::", pattern)
