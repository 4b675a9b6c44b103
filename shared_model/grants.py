"""What a request opens, and to whom: everybody, an account outside, or an administrator's rights; or what it hides.

The same call is work when it lets a colleague in and an attack when it lets the internet in; only what was asked for tells. It is
read where the parsers have the request; what is kept is one word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: Append only: rows and artifacts hold their places. ``""`` is "nothing of the kind, or not said".
GRANTS = ("", "public", "foreign", "admin", "unwatched")

_DEPTH = 6
_LIMIT = 400  # values of one request that are looked at
_TEXT = 20_000
_ACCOUNT = re.compile(r"(?:^|:)(\d{12})(?::|$)")
_EVERY_ADDRESS = re.compile(r"[0-9a-f.:]+/0")
_TAKES_BACK = ("Revoke", "Delete", "Detach", "Remove", "Disassociate", "Deregister", "Reject")
_OPEN_ACLS = frozenset({"public-read", "public-read-write", "authenticated-read", "all", "*"})
_ADMIN_POLICIES = ("AdministratorAccess", "IAMFullAccess", "PowerUserAccess")
#: Owner, User Access Administrator, Role Based Access Control Administrator: the same ids in every directory.
_ADMIN_ROLES = (
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
)
_ANYWHERE = frozenset({"*", "any", "internet", "0.0.0.0/0", "::/0"})
#: Switches of CloudTrail and Config that make a trail or recorder see less when they are off.
_SEEING = frozenset({"includemanagementevents", "ismultiregiontrail", "includeglobalserviceevents", "allsupported"})
_PEOPLE = ("userid", "valuestoadd", "principal", "accountid", "accountids", "awsaccountids", "destinationaccount", "aws")


def granted_by_aws(operation: str, request: Mapping[str, Any], account: str) -> str:
    """What a CloudTrail record's ``requestParameters`` open: one of :data:`GRANTS`. ``account`` is the one that recorded it."""
    if not request or operation.startswith(_TAKES_BACK):
        return ""
    found = {_of_aws(key, value, account) or _hidden(operation, key.lower(), value) for key, value in _values(request)}
    return next((grant for grant in GRANTS[1:] if grant in found), "")


def granted_by_azure(asked: Mapping[str, Any], account: str) -> str:
    """What the body of a request to Resource Manager opens. Keys are in lower case; ``account`` is the subscription."""
    if not asked:
        return ""
    values = list(_values(asked))
    said = {key: value for key, value in values if isinstance(value, str)}
    if said.get("access", "allow").lower() != "allow":
        return ""
    if said.get("startipaddress") == "0.0.0.0" and said.get("endipaddress", "").startswith("255."):  # noqa: S104  (no socket)
        return "public"
    found = {_of_azure(key, value, account) for key, value in values}
    return next((grant for grant in GRANTS[1:] if grant in found), "")


def _of_aws(key: str, value: object, account: str) -> str:
    name = key.lower()
    if isinstance(value, bool):
        return "public" if value and name == "publiclyaccessible" else ""
    text = str(value)
    if name.startswith("cidr") and _EVERY_ADDRESS.fullmatch(text):
        return "public"
    if (name in ("group", "valuestoadd", "x-amz-acl", "acl", "principal", "aws") and text in _OPEN_ACLS) or (
        name == "authtype" and text == "NONE"
    ):
        return "public"
    if name in _PEOPLE and any(other != account for other in _ACCOUNT.findall(text)):
        return "foreign"
    if name == "policyarn" and text.endswith(_ADMIN_POLICIES):
        return "admin"
    return "admin" if name == "action" and text == "*" else ""


def _hidden(operation: str, name: str, value: object) -> str:
    """Whether a change of a trail, recorder, detector or filter of findings leaves it seeing less."""
    if value is False and not operation.startswith("Create"):
        off = name in _SEEING or (name == "enable" and operation == "UpdateDetector")
    else:
        off = name == "action" and value == "ARCHIVE" and operation.endswith("Filter")
    return "unwatched" if off else ""


def _of_azure(key: str, value: object, account: str) -> str:
    if isinstance(value, bool):
        return "public" if value and key == "allowblobpublicaccess" else ""
    text = str(value).lower()
    if key in ("sourceaddressprefix", "sourceaddressprefixes") and text in _ANYWHERE:
        return "public"
    if key == "publicaccess" and text in ("blob", "container"):
        return "public"
    if key == "roledefinitionid" and text.endswith(_ADMIN_ROLES):
        return "admin"
    if key == "actions" and text == "*":
        return "admin"
    if (key, text) in (("pricingtier", "free"), ("autoprovision", "off")):
        return "unwatched"
    if key in ("id", "destinationaccount") and text.startswith("/subscriptions/"):
        return "foreign" if text.split("/")[2] != account.lower() else ""
    return ""


def _values(request: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Single values with the key that they stand under, at any depth down to the limit; a policy written as text is read."""
    waiting: list[tuple[str, object, int]] = [(str(key), value, 0) for key, value in request.items()]
    for _ in range(_LIMIT):
        if not waiting:
            return
        key, value, depth = waiting.pop()
        if isinstance(value, str) and "policy" in key.lower() and value.lstrip()[:1] == "{":
            value = _decoded(value)
        if isinstance(value, Mapping):
            allowed = str(value.get("Effect", "Allow")) == "Allow" and "Condition" not in value
            if depth < _DEPTH and allowed:
                waiting += [(str(name), item, depth + 1) for name, item in value.items() if str(name).lower() != "remove"]
        elif isinstance(value, list):
            waiting += [(key, item, depth) for item in value[:_LIMIT]]
        elif value is not None:
            yield key, value


def _decoded(text: str) -> object:
    if len(text) > _TEXT:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
