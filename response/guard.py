"""The guard: what must never be touched.

A refusal is a result: text that says why and what to do instead, which ends in the journal.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from response.actions import Plan
from response.policy import NeverTouch
from shared_model.events import EntityKind
from shared_model.verdicts import Verdict

#: Principals that no policy gives free: roles that can only be changed where they are made, and root.
_MANAGED_ELSEWHERE = {
    "arn:*:iam::*:root": "the account's root user, whom nothing here may lock out: change its credentials by hand",
    "arn:*:iam::*:role/aws-service-role/*": "a service-linked role, which only its service can change",
    "arn:*:iam::*:role/aws-reserved/*": "managed by IAM Identity Center: end the session or remove the assignment there",
    "arn:*:iam::*:role/*AWSReservedSSO_*": "managed by IAM Identity Center: end the session or remove the assignment there",
}


#: What a plan carries in the place of a sign-in name that nobody may read.
UNKNOWN_NAME = "a sign-in name that cannot be read"


def refusal(plan: Plan, verdict: Verdict, never_touch: NeverTouch) -> str:
    """Return why this plan must not be carried out, ``""`` when it may.

    The plan's own refusal comes first: it knows the alternative.
    """
    if plan.refusal:
        return plan.refusal
    if plan.target.kind is EntityKind.ADDRESS and not verdict.completed_flow:
        return f"{plan.target.id} was not seen in a completed two-way flow: its address may be spoofed"
    return protection(plan, never_touch)


def protection(plan: Plan, never_touch: NeverTouch) -> str:
    """Return what on the never-touch list protects the target or whatever the plan changes, ``""`` where nothing does."""
    if plan.target.kind is EntityKind.ADDRESS and (block := _listed_block(plan.target.id, never_touch)):
        return f"{plan.target.id} is on the never-touch list ({block})"
    for resource in (plan.target.id, *plan.resources):
        if reason := _protected(resource, never_touch):
            return f"{resource} is {reason}"
    # In any case of letters: Azure tells none apart, and on AWS Break-Glass is meant as break-glass is.
    keys = {key.casefold() for key in never_touch.tags}
    for key, value in (plan.tags or {}).items():
        if key.casefold() in keys and value.strip().lower() != "false":
            return f"{plan.target.id} carries the tag {key}={value}: the policy never touches it"
    return ""


def _listed_block(address: str, never_touch: NeverTouch) -> str:
    if not never_touch.addresses:
        return ""
    from ipaddress import ip_network  # here, because few policies need it

    from response.addresses import read_address

    found = read_address(address)
    if found is None:  # nobody can tell whether it lies within: then it does
        return "it is no address that can be compared with it"
    return next((block for block in never_touch.addresses if found in ip_network(block)), "")


def _protected(resource: str, never_touch: NeverTouch) -> str:
    listed = (*never_touch.instances, *never_touch.security_groups, *never_touch.resources)
    if pattern := next((p for p in listed if fnmatchcase(resource, p)), ""):
        return f"on the policy's never-touch list ({pattern})"
    names = (*never_touch.principals, *never_touch.resources)
    if resource == UNKNOWN_NAME and (pattern := next((p for p in names if "@" in p), "")):
        return f"perhaps on the never-touch list ({pattern}): let Breakwater read users (docs/deploy-azure.md)"
    for pattern, reason in _MANAGED_ELSEWHERE.items():
        if fnmatchcase(resource, pattern):
            return reason
    if pattern := next((p for p in never_touch.principals if fnmatchcase(resource, p)), ""):
        return f"on the never-touch list ({pattern})"
    return ""
