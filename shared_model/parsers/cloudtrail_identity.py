"""Who made a CloudTrail call: ``userIdentity`` in all its types → principal and session.

Format: CloudTrail user guide, "CloudTrail userIdentity element".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.events import Entity, EntityKind
from shared_model.parsers.fields import ID_LIMIT, FieldError, lookup, text, time_ms, within

_INSTANCE = re.compile(r"i-[0-9a-z]{8,17}")
_ASSUMED_ROLE = re.compile(r"arn:(?P<partition>[^:]*):sts::(?P<account>[^:]*):assumed-role/(?P<role>[^/]+)(?:/(?P<session>.+))?")
_ROLE_KINDS = frozenset({"AssumedRole", "Role"})


@dataclass(frozen=True, slots=True)
class Caller:
    """What ``userIdentity`` says.

    Attributes
    ----------
    kind : str
        ``userIdentity.type``; ``AWSService`` where only ``invokedBy`` stands there, ``Unknown`` where nothing does.
    principal : Entity
        ARN where there is one: of the role, not of the session that assumed it.
    session : Entity or None
        ``<role id>:<session name>``, which is what ``aws:userid`` says and a policy can name.
    session_issued_ms : int or None
    aliases : tuple of Entity
        Of a federated user: the IAM user that called GetFederationToken, whose rights it has.
    instance_id : str
        Session name of credentials that an instance profile gave out.
    """

    kind: str
    principal: Entity
    session: Entity | None
    session_issued_ms: int | None
    instance_id: str
    aliases: tuple[Entity, ...] = ()


def identify(record: Mapping[str, Any], account: str) -> Caller:
    """Read ``userIdentity``.

    ``account`` is the account that recorded the call; a caller of another one is watched there too.

    Raises FieldError where the id of the principal or of the session is too long to be one.
    """
    kind = text(record, "userIdentity.type")
    if not kind:
        kind = "AWSService" if text(record, "userIdentity.invokedBy") else "Unknown"
    session_name = ""
    session = None
    if kind in _ROLE_KINDS:
        principal, session_id = _role(record)
        if session_id:
            session = Entity(EntityKind.SESSION, within(session_id, ID_LIMIT, "userIdentity.principalId"), account)
            session_name = session_id.partition(":")[2]
    else:
        principal = _principal(record, kind, account)
    return Caller(
        kind=kind,
        principal=Entity(EntityKind.PRINCIPAL, within(principal, ID_LIMIT, "userIdentity"), account),
        session=session,
        session_issued_ms=_issued_ms(record),
        instance_id=session_name if _INSTANCE.fullmatch(session_name) else "",
        aliases=_aliases(record, kind, account),
    )


def _aliases(record: Mapping[str, Any], kind: str, account: str) -> tuple[Entity, ...]:
    issuer = text(record, "userIdentity.sessionContext.sessionIssuer.arn") if kind == "FederatedUser" else ""
    return (Entity(EntityKind.PRINCIPAL, within(issuer, ID_LIMIT, "userIdentity"), account),) if issuer else ()


def _role(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return the role's ARN and the session's id."""
    issuer = "userIdentity.sessionContext.sessionIssuer"
    arn = text(record, "userIdentity.arn")
    principal_id = text(record, "userIdentity.principalId")
    assumed = _ASSUMED_ROLE.fullmatch(arn)
    role = text(record, f"{issuer}.arn")
    if not role and assumed:
        # The issuer is absent from some services' records. A role's path is not in the session's ARN.
        role = f"arn:{assumed['partition']}:iam::{assumed['account']}:role/{assumed['role']}"
    session = principal_id if ":" in principal_id else ""
    if not session and assumed and assumed["session"] and (role_id := text(record, f"{issuer}.principalId")):
        session = f"{role_id}:{assumed['session']}"
    return role or arn or principal_id or "unknown", session


def _principal(record: Mapping[str, Any], kind: str, account: str) -> str:
    def value(name: str) -> str:
        return text(record, f"userIdentity.{name}")

    owner = value("accountId") or account
    candidates = [value("arn")]
    if kind == "Root":
        candidates.append(f"arn:aws:iam::{owner}:root")
    elif kind == "IAMUser" and value("userName"):
        candidates.append(f"arn:aws:iam::{owner}:user/{value('userName')}")
    elif kind == "AWSService":
        candidates.append(value("invokedBy"))
    elif kind == "IdentityCenterUser":
        candidates.append(value("onBehalfOf.userId"))
    elif kind in ("SAMLUser", "WebIdentityUser") and value("userName"):
        candidates.append(f"{value('identityProvider')}:{value('userName')}")
    candidates += [value("principalId"), value("userName"), value("invokedBy"), value("accountId"), text(record, "eventSource")]
    return next((candidate for candidate in candidates if candidate), "unknown")


def _issued_ms(record: Mapping[str, Any]) -> int | None:
    path = "userIdentity.sessionContext.attributes.creationDate"
    value = lookup(record, path)
    if value is None:
        return None
    try:
        return time_ms(value, path)
    except FieldError:
        return None  # the call stands without it; a containment then denies every session of the role
