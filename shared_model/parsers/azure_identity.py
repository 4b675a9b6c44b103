"""Who made a call that Azure Resource Manager recorded: the token's claims → principal and session.

Format: Microsoft Entra "access token claims reference"; the Activity log keeps the claims under the long names of
WS-Federation beside the short ones of OpenID Connect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.events import Entity, EntityKind
from shared_model.parsers.azure_fields import machine_of, object_id
from shared_model.parsers.fields import ID_LIMIT, text, within

_MICROSOFT = "http://schemas.microsoft.com/"
_XMLSOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_OBJECT_ID = (f"{_MICROSOFT}identity/claims/objectidentifier", "oid")
_USER_NAME = (f"{_XMLSOAP}upn", "upn", "unique_name", f"{_XMLSOAP}emailaddress", "email")
_METHODS = (f"{_MICROSOFT}claims/authnmethodsreferences", "amr")
_IDENTITY_PROVIDER = (f"{_MICROSOFT}identity/claims/identityprovider", "idp")
_TENANT = (f"{_MICROSOFT}identity/claims/tenantid", "tid")
_EXTERNAL = "#ext#"
_LATEST = 2**33  # seconds: the year 2242


@dataclass(frozen=True, slots=True)
class AzureCaller:
    """What a token's claims say.

    Attributes
    ----------
    kind : str
        ``User``, ``Guest`` (a user of another directory), ``ServicePrincipal``, ``ManagedIdentity``, ``Service`` (the
        platform itself, which shows no token), or ``Unknown``.
    principal : Entity
        Object id of user or service principal, lower case; else the name that the record has.
    session : Entity or None
        ``<object id>:<uti>``: the token. Every call with the same token is one session.
    session_issued_ms : int or None
        ``iat``.
    mfa : bool or None
        ``amr`` names it. An application with a token has shown no second factor, as a session of a role on AWS.
    client : str
        ``appid``: the program that asked for the token, lower case.
    aliases : tuple of Entity
        The principal under its directory (``tid``).
    instance_id : str
        The machine whose system-assigned identity made the call (``xms_mirid``).
    """

    kind: str
    principal: Entity
    session: Entity | None
    session_issued_ms: int | None
    mfa: bool | None
    client: str
    aliases: tuple[Entity, ...]
    instance_id: str


def identify(
    claims: Mapping[str, Any], evidence: Mapping[str, Any], caller: str, *, address: str, service: str, account: str
) -> AzureCaller:
    """Read who called.

    Parameters
    ----------
    claims : mapping
        Claims of the token, keys in lower case.
    evidence : mapping
        ``identity.authorization.evidence``: the role assignment that allowed it.
    caller : str
        ``caller`` of the REST shape: a user's name or an object id.
    address : str
        Where the call came from: the platform itself calls from nowhere.
    service : str
        Resource provider; it is the caller where nobody else is named.
    account : str
        Subscription (or tenant) that recorded the call.

    Raises
    ------
    FieldError
        Where the id of the principal or of the session is too long to be one.
    """
    name = (_claim(claims, _USER_NAME) or (caller if "@" in caller else "")).lower()
    own_id = object_id(_claim(claims, _OBJECT_ID) or text(evidence, "principalid"))
    kind = _kind(claims, evidence, caller, name, address)
    principal = own_id or name or caller.lower() or text(claims, "appid").lower() or service or "unknown"
    token = text(claims, "uti")
    session = None
    if token and own_id:
        session = Entity(EntityKind.SESSION, within(f"{own_id}:{token}", ID_LIMIT, "identity.claims.uti"), account)
    methods = _claim(claims, _METHODS).lower()
    directory = _claim(claims, _TENANT).lower()
    aliases = (Entity(EntityKind.PRINCIPAL, own_id, directory),) if own_id and directory not in ("", account) else ()
    return AzureCaller(
        kind=kind,
        principal=Entity(EntityKind.PRINCIPAL, within(principal, ID_LIMIT, "identity.claims"), account),
        session=session,
        session_issued_ms=_seconds_ms(text(claims, "iat")),
        mfa=_mfa(kind, methods, bool(claims)),
        client=text(claims, "appid").lower(),
        aliases=aliases,
        instance_id=machine_of(text(claims, "xms_mirid")),
    )


def _kind(claims: Mapping[str, Any], evidence: Mapping[str, Any], caller: str, name: str, address: str) -> str:
    if text(claims, "xms_mirid"):
        return "ManagedIdentity"
    stated = text(claims, "idtyp").lower() or text(evidence, "principaltype").lower()
    if name and stated not in ("app", "serviceprincipal"):
        return "Guest" if _is_external(claims, name) else "User"
    if stated == "user":
        return "User"
    if stated in ("app", "serviceprincipal") or text(claims, "appid") or caller:
        return "ServicePrincipal"
    return "Unknown" if claims or evidence or address else "Service"


def _mfa(kind: str, methods: str, token: bool) -> bool | None:
    if kind in ("ServicePrincipal", "ManagedIdentity"):
        return False if token else None
    return "mfa" in methods if methods else None


def _is_external(claims: Mapping[str, Any], name: str) -> bool:
    if _EXTERNAL in name:
        return True
    home = _claim(claims, _IDENTITY_PROVIDER)
    return bool(home) and _claim(claims, _TENANT) not in home


def _claim(claims: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """A claim under the first of its names. Names are addresses with dots, so they are no paths."""
    for name in names:
        if found := text({"claim": claims.get(name)}, "claim"):
            return found
    return ""


def _seconds_ms(value: str) -> int | None:
    """Seconds since the epoch, as claims write times, to milliseconds; the call stands where it is none."""
    if not value.isascii() or not value.isdigit() or len(value) > len(str(_LATEST)):
        return None
    return int(value) * 1000
