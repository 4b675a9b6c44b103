"""Trusts that a CloudTrail record tells of: a role was made to let an outside account in, or such an account came in.

Format: IAM API reference, ``CreateRole`` and ``UpdateAssumeRolePolicy``; CloudTrail user guide, "Cross-account AssumeRole".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared_model.events import Entity
from shared_model.parsers.fields import ID_LIMIT, text
from shared_model.trust import account_of, outsiders, trust

#: Where the trust policy stands in each call that writes one.
_DOCUMENTS = {"CreateRole": "assumeRolePolicyDocument", "UpdateAssumeRolePolicy": "policyDocument"}
#: Trusts that a record names at most.
_MOST = 8


def trusts_of(record: Mapping[str, Any], account: str) -> tuple[Entity, ...]:
    """Return the trusts of roles of ``account`` that a call wrote or used.

    Parameters
    ----------
    record : mapping
        One that says of success; what failed let nobody in.
    account : str
        That recorded it.
    """
    return tuple(entity for entity in _trusts(record, account) if len(entity.id) <= ID_LIMIT)[:_MOST]


def _trusts(record: Mapping[str, Any], account: str) -> Iterator[Entity]:
    source, operation = text(record, "eventSource"), text(record, "eventName")
    if source == "sts.amazonaws.com" and operation == "AssumeRole":
        role, caller = text(record, "requestParameters.roleArn"), text(record, "userIdentity.accountId")
        if account_of(role) == account and caller.isdigit() and caller != account:
            yield trust(role, caller, account)
    elif source == "iam.amazonaws.com" and operation in _DOCUMENTS:
        role = text(record, "responseElements.role.arn") or _arn(record, account)
        try:
            document = json.loads(text(record, f"requestParameters.{_DOCUMENTS[operation]}"))
        except (ValueError, RecursionError):
            return  # a trail may shorten it: the call stands without
        for outsider in outsiders(document, account):
            yield trust(role, outsider, account)


def _arn(record: Mapping[str, Any], account: str) -> str:
    """The role's ARN without its path, which the request does not say."""
    caller = text(record, "userIdentity.arn").split(":")
    partition = caller[1] if len(caller) > 1 else "aws"
    return f"arn:{partition}:iam::{account}:role/{text(record, 'requestParameters.roleName')}"
