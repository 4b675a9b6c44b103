"""Entra ID's sign-in and audit logs → :class:`~shared_model.events.ApiCall`.

They arrive as diagnostic settings write them to a hub (``{"records": [...]}``, details under ``properties``), or as rows
of the tables SigninLogs, AADNonInteractiveUserSignInLogs, AADServicePrincipalSignInLogs, AADManagedIdentitySignInLogs and
AuditLogs (details beside the rest, nested parts as JSON text). Format: Graph's resource types ``signIn`` and
``directoryAudit``; the table reference of Azure Monitor.

A sign-in is logged again under its id when what was still open (conditional access, risk) is known: it counts once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared_model.events import ApiCall, Entity, EntityKind, Rejected
from shared_model.parsers.azure_fields import (
    caller_address,
    folded,
    items,
    machine_of,
    object_id,
    part,
    records,
    said,
    tenant_of,
)
from shared_model.parsers.fields import ID_LIMIT, FieldError, lookup, rejected, time_ms, within

SERVICE = "entra"
#: Category of a diagnostic setting, or table → operation.
SIGN_INS: dict[str, str] = {
    "signinlogs": "SignIn",
    "adfssigninlogs": "SignIn",
    "noninteractiveusersigninlogs": "NonInteractiveUserSignIn",
    "aadnoninteractiveusersigninlogs": "NonInteractiveUserSignIn",
    "serviceprincipalsigninlogs": "ServicePrincipalSignIn",
    "aadserviceprincipalsigninlogs": "ServicePrincipalSignIn",
    "microsoftserviceprincipalsigninlogs": "ServicePrincipalSignIn",
    "managedidentitysigninlogs": "ManagedIdentitySignIn",
    "aadmanagedidentitysigninlogs": "ManagedIdentitySignIn",
}
AUDITS = frozenset({"auditlogs", "auditlog"})

_TARGET_LENGTH = 256
_TARGETS = 16
_NOBODY = "00000000-0000-0000-0000-000000000000"
_SUCCEEDED = frozenset({"", "0", "success", "succeeded"})
_TIMES_OF_SIGN_IN = ("createddatetime", "time", "timegenerated")
_TIMES_OF_AUDIT = ("activitydatetime", "time", "timegenerated")


def parse_entra(document: object, *, source: str) -> Iterator[ApiCall | Rejected]:
    """Read the sign-ins and directory changes of one decoded document.

    Parameters
    ----------
    document : object
        The body of an event, ``{"records": [...]}``, a single record or a list of these.
    source : str
        Where it came from, for rejects.

    Yields
    ------
    ApiCall or Rejected
        One per record, in order.
    """
    for number, record in enumerate(records(document), 1):
        try:
            yield entra_call(folded(record))
        except FieldError as error:
            yield rejected(source, number, error, record)


def entra_call(record: Mapping[str, Any]) -> ApiCall:
    """Read one folded record. Raises FieldError."""
    details = part(record, "properties") or record
    for kind in (said(record, "category").lower(), said(record, "type").lower()):
        if operation := SIGN_INS.get(kind):
            return _sign_in(record, details, operation)
        if kind in AUDITS:
            return _audit(record, details)
    if lookup(details, "initiatedby") is not None or lookup(details, "activitydisplayname") is not None:
        return _audit(record, details)  # exports of a single category name that one ("ApplicationManagement")
    raise FieldError("category", f"{said(record, 'category')[:60]!r} is neither a sign-in log nor the audit log of Entra ID")


def _sign_in(record: Mapping[str, Any], details: Mapping[str, Any], operation: str) -> ApiCall:
    account = _tenant(record)
    application = operation in ("ServicePrincipalSignIn", "ManagedIdentitySignIn")
    error = _sign_in_error(record, details)
    address = said(details, "ipaddress") or said(record, "calleripaddress")
    client = said(details, "appid").lower()
    machine = said(details, "managedserviceidentity.associatedresourceid", "managedserviceidentity.msiresourceid")
    machine = machine or said(part(details, "managedserviceidentity", "managedidentitydetails"), "associatedresourceid")
    asked_for = said(details, "resourceidentity", "resourceid")  # of a table's row, the second is the directory's own resource
    targets = ("" if asked_for.startswith("/") else asked_for, said(details, "resourcedisplayname"), client)
    return ApiCall(
        event_id=said(details, "id", "originalrequestid") or _hash(record),
        time_ms=_time(details, record, _TIMES_OF_SIGN_IN),
        provider="azure",
        account=account,
        region="",
        service=SERVICE,
        operation=operation,
        principal=_application(details, account) if application else _user(details, record, account),
        session=None,
        caller_kind=operation.removesuffix("SignIn") if application else _kind_of_user(details),
        succeeded=not error,
        error_code=error,
        # CloudTrail counts taking a role as a read and signing in as a change; the model knows them so.
        read_only=operation != "SignIn",
        source_address=caller_address(address) or address[:_TARGET_LENGTH],
        user_agent=said(details, "useragent") or (f"appid/{client}" if client else ""),
        mfa=None if application else _mfa(details, error),
        access_key_id=said(details, "serviceprincipalcredentialkeyid")[:_TARGET_LENGTH],
        session_issued_ms=None,
        targets=tuple(dict.fromkeys(target[:_TARGET_LENGTH] for target in targets if target)),
        instance_id=machine_of(machine),
    )


def _user(details: Mapping[str, Any], record: Mapping[str, Any], account: str) -> Entity:
    """The user's object id; a name that nobody has is watched under that name: it is being guessed."""
    own_id = object_id(said(details, "userid"))
    name = said(details, "userprincipalname") or said(record, "identity") or said(details, "appid") or "unknown"
    principal = own_id if own_id and own_id != _NOBODY else name.lower()
    return Entity(EntityKind.PRINCIPAL, within(principal, ID_LIMIT, "properties.userId"), account)


def _application(details: Mapping[str, Any], account: str) -> Entity:
    principal = object_id(said(details, "serviceprincipalid")) or said(details, "appid", "serviceprincipalname").lower()
    return Entity(EntityKind.PRINCIPAL, within(principal or "unknown", ID_LIMIT, "properties.servicePrincipalId"), account)


def _kind_of_user(details: Mapping[str, Any]) -> str:
    return (
        "Guest"
        if said(details, "usertype").lower() == "guest" or "#ext#" in said(details, "userprincipalname").lower()
        else "User"
    )


def _sign_in_error(record: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    """Entra's number of the error, ``""`` for a sign-in that succeeded."""
    status = part(details, "status")
    for code in (said(status, "errorcode"), said(record, "resulttype"), said(details, "errorcode")):
        if code.lower() not in _SUCCEEDED:
            return code[:_TARGET_LENGTH]
    return "conditionalAccess" if said(details, "conditionalaccessstatus").lower() == "failure" else ""


def _mfa(details: Mapping[str, Any], error: str) -> bool | None:
    """Whether a second factor was shown, now or earlier in the same session (Entra counts both as satisfied)."""
    required = said(details, "authenticationrequirement").lower()
    if required == "multifactorauthentication":
        return not error
    if said(part(details, "mfadetail"), "authmethod"):
        return not error
    return False if required == "singlefactorauthentication" else None


def _audit(record: Mapping[str, Any], details: Mapping[str, Any]) -> ApiCall:
    account = _tenant(record)
    operation = " ".join((said(details, "activitydisplayname", "operationname") or said(record, "operationname")).split())
    if not operation:
        raise FieldError("properties.activityDisplayName", "is missing or empty")
    initiated = part(details, "initiatedby")
    user, application = part(initiated, "user"), part(initiated, "app")
    kind, principal = _initiator(record, details, user, application)
    address = said(user, "ipaddress") or said(application, "ipaddress") or said(record, "calleripaddress")
    origin = caller_address(address) or address[:_TARGET_LENGTH]
    error = _audit_error(record, details)
    return ApiCall(
        event_id=said(details, "id") or _hash(record),
        time_ms=_time(details, record, _TIMES_OF_AUDIT),
        provider="azure",
        account=account,
        region="",
        service=SERVICE,
        operation=operation[:_TARGET_LENGTH],
        principal=Entity(EntityKind.PRINCIPAL, within(principal, ID_LIMIT, "properties.initiatedBy"), account),
        session=None,
        caller_kind=kind,
        succeeded=not error,
        error_code=error,
        read_only=False,
        source_address=origin or ("microsoft.aadiam" if kind == "Service" else ""),
        user_agent=_user_agent(details),
        mfa=None,
        access_key_id="",
        session_issued_ms=None,
        targets=tuple(dict.fromkeys(_targets(details)))[:_TARGETS],
    )


def _initiator(
    record: Mapping[str, Any], details: Mapping[str, Any], user: Mapping[str, Any], application: Mapping[str, Any]
) -> tuple[str, str]:
    """Return the kind of caller and its id."""
    name = said(user, "userprincipalname").lower()
    if found := object_id(said(user, "id")) or name:
        return ("Guest" if "#ext#" in name else "User"), found
    own_id = object_id(said(application, "serviceprincipalid")) or said(application, "appid", "displayname").lower()
    if own_id:
        return "ServicePrincipal", own_id
    return "Service", (said(details, "loggedbyservice") or said(record, "identity") or "unknown").lower()


def _audit_error(record: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    result = (said(details, "result") or said(record, "result", "resulttype")).lower()
    if result in _SUCCEEDED:
        return ""
    return (said(details, "resultreason", "resultdescription") or said(record, "resultdescription") or result)[:_TARGET_LENGTH]


def _user_agent(details: Mapping[str, Any]) -> str:
    if stated := said(details, "useragent"):
        return stated
    named = (said(item, "value") for item in items(details, "additionaldetails") if said(item, "key").lower() == "user-agent")
    return next(named, "")


def _targets(details: Mapping[str, Any]) -> Iterator[str]:
    for target in items(details, "targetresources"):
        if name := said(target, "id") or said(target, "userprincipalname") or said(target, "displayname"):
            yield name.lower()[:_TARGET_LENGTH]


def _tenant(record: Mapping[str, Any]) -> str:
    """The directory. Of an exported table row, ``TenantId`` is the workspace, not the directory."""
    return tenant_of(said(record, "resourceid")) or said(record, "aadtenantid", "tenantid").lower()


def _time(details: Mapping[str, Any], record: Mapping[str, Any], names: tuple[str, ...]) -> int:
    for part_of_record in (details, record):
        for name in names:
            if (value := lookup(part_of_record, name)) is not None:
                return time_ms(value, name)
    raise FieldError("time", "is missing")


def _hash(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()[:32]
