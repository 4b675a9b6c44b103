"""Azure Activity log → :class:`~shared_model.events.ApiCall`.

They arrive in three shapes: as diagnostic settings write them to a hub or a storage account
(``{"records": [...]}``), as the REST API and ``az monitor activity-log list`` give them, and as rows of the table
AzureActivity. Format: "Azure Activity Log event schema" and the table reference of Azure Monitor.

**One operation, one call.** Resource Manager writes up to three records of an operation, under one correlation id: it began
(``Start``), it was taken on (``Accept``, where it runs on for minutes), it ended (``Success``, ``Failure``). A ``Start``
says nothing that the answer does not repeat, and is passed over. The first record with an answer counts; what repeats
it (the success after the acceptance, a second delivery) has the same :attr:`ApiCall.event_id` and is dropped where events are
remembered. Each failure counts for itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared_model.events import ApiCall, Rejected
from shared_model.grants import granted_by_azure
from shared_model.parsers.azure_fields import caller_address, folded, part, records, said, subscription_of, tenant_of
from shared_model.parsers.azure_identity import identify
from shared_model.parsers.azure_opened import opened
from shared_model.parsers.fields import FieldError, lookup, rejected, text, time_ms

#: Categories of the Activity log; records of before 2019 write the kind of operation there.
CATEGORIES = frozenset(
    {"administrative", "security", "servicehealth", "alert", "autoscale", "recommendation", "policy", "resourcehealth"}
    | {"write", "delete", "action"}
)
TABLE = "azureactivity"

_BEGUN = frozenset({"start", "started", "begin", "begun"})
_FAILED = frozenset({"failure", "failed", "fail", "error", "canceled", "cancelled", "timeout", "timedout"})
_FAILED_LEVELS = frozenset({"error", "critical"})
_CREATED = {"created": True, "201": True, "ok": False, "200": False, "nocontent": False, "204": False}
_HTTP_STATUS = re.compile(r"[1-5]\d\d")
_TARGET_LENGTH = 256
_TARGETS = 16


def parse_azure_activity(document: object, *, source: str) -> Iterator[ApiCall | Rejected]:
    """Read the records of one decoded document.

    Parameters
    ----------
    document : object
        The body of an event, ``{"records": [...]}``, ``{"value": [...]}``, a single record or a list of these.
    source : str
        Where it came from, for rejects.

    Yields
    ------
    ApiCall or Rejected
        One per record, in order, except for a record that :func:`is_begun`.
    """
    for number, record in enumerate(records(document), 1):
        try:
            call = activity_call(folded(record))
        except FieldError as error:
            yield rejected(source, number, error, record)
        else:
            if call:
                yield call


def activity_call(record: Mapping[str, Any]) -> ApiCall | None:
    """Read one folded record; None where it only says that an operation began. Raises FieldError."""
    resource = said(record, "resourceid", "_resourceid", "resourceuri") or said(record, "authorization.scope")
    full_name = said(record, "operationname", "operationnamevalue")
    if not full_name:
        raise FieldError("operationName", "is missing or empty")
    service, operation = _split(full_name.lower(), resource.lower())
    time_field = next((name for name in ("time", "eventtimestamp", "timegenerated") if name in record), "time")
    when = time_ms(lookup(record, time_field), time_field)
    if is_begun(record):
        return None
    properties = part(record, "properties", "properties_d")
    account = subscription_of(resource) or said(record, "subscriptionid").lower()
    account = account or tenant_of(resource) or said(record, "tenantid").lower()
    claims = part(record, "identity.claims", "claims_d", "claims")
    authorization = part(record, "identity.authorization", "authorization_d", "authorization")
    address = said(record, "calleripaddress", "httprequest.clientipaddress") or text(
        part(record, "httprequest"), "clientipaddress"
    )
    origin = caller_address(address) or address[:_TARGET_LENGTH]
    evidence = part(authorization, "evidence")
    caller = identify(claims, evidence, said(record, "caller"), address=origin, service=service, account=account)
    error = _error(record, properties)
    return ApiCall(
        event_id=_event_id(record, properties, full_name, resource, error),
        time_ms=when,
        provider="azure",
        account=account,
        region=said(record, "location").lower(),
        service=service,
        operation=operation,
        principal=caller.principal,
        session=caller.session,
        caller_kind=caller.kind,
        succeeded=not error,
        error_code=error,
        read_only=_read_only(operation),
        source_address=origin or (service if caller.kind == "Service" else ""),
        user_agent=f"appid/{caller.client}" if caller.client else "",
        mfa=caller.mfa,
        access_key_id="",
        session_issued_ms=caller.session_issued_ms,
        targets=tuple(dict.fromkeys(_targets(resource, properties)))[:_TARGETS],
        instance_id=caller.instance_id,
        aliases=caller.aliases,
        created=_created(record, properties),
        opened=() if error else opened(f"{service}/{operation}", resource, part(properties, "requestbody"), account),
        grant=granted_by_azure(part(properties, "requestbody"), account),
    )


def is_begun(record: Mapping[str, Any]) -> bool:
    """Whether a folded record only says that an operation began: its answer is another record."""
    return _result(record) in _BEGUN


def _result(record: Mapping[str, Any]) -> str:
    return said(record, "resulttype", "status", "activitystatusvalue", "activitystatus").lower()


def _split(name: str, resource: str) -> tuple[str, str]:
    """``microsoft.compute/virtualmachines/write`` → provider and the rest; of an extension resource, the extension's provider."""
    service, _, operation = name.rpartition("/providers/")[2].partition("/")
    if operation:
        return service, operation
    # Platform categories have names without a provider ("Microsoft.ServiceHealth/…" has one, "Autoscale up" has none).
    provider = resource.rpartition("/providers/")[2].partition("/")[0]
    return provider or "microsoft.insights", name


def _error(record: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """The service's error code; ``""`` where the operation succeeded or was accepted."""
    result = _result(record)
    status = _status(record)
    if not result:
        failed = said(record, "level").lower() in _FAILED_LEVELS or (
            _HTTP_STATUS.fullmatch(status) is not None and status >= "400"
        )
    else:
        failed = result in _FAILED
    if not failed:
        return ""
    answer = part(properties, "statusmessage", "responsebody")
    code = said(answer, "error.code", "code") or said(properties, "errorcode") or said(properties, "statuscode")
    return (code or status or result or "failure")[:_TARGET_LENGTH]


def _created(record: Mapping[str, Any], properties: Mapping[str, Any]) -> bool | None:
    """By the HTTP status of the answer; 202 (accepted) is given for both."""
    status = said(properties, "statuscode") or _status(record)
    return _CREATED.get(status.lower())


def _status(record: Mapping[str, Any]) -> str:
    """The last word of ``Succeeded.Created``, ``Failed.Forbidden``, ``OK.``, ``403``."""
    return said(record, "resultsignature", "substatus", "activitysubstatusvalue").rstrip(".").rpartition(".")[2].strip()


def _read_only(operation: str) -> bool | None:
    kind = operation.rpartition("/")[2]
    return True if kind == "read" else False if kind in ("write", "delete") else None


def _targets(resource: str, properties: Mapping[str, Any]) -> Iterator[str]:
    if resource:
        yield resource.lower()[:_TARGET_LENGTH]
    # Whom a role was given to stands in what was asked.
    asked = part(properties, "requestbody")
    for path in ("properties.principalid", "properties.roledefinitionid"):
        if name := text(asked, path):
            yield name.lower()[:_TARGET_LENGTH]


def _event_id(record: Mapping[str, Any], properties: Mapping[str, Any], name: str, resource: str, error: str) -> str:
    """The same for every record that tells of the same answer."""
    operation_id = said(record, "operationid") or said(properties, "operationid")
    correlation = said(record, "correlationid")
    if not operation_id and not correlation:
        return hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()[:32]
    parts = [operation_id or correlation, name, resource]
    if error:
        parts += [error, said(record, "time", "eventtimestamp", "timegenerated")]
    return hashlib.sha256("\n".join(parts).lower().encode()).hexdigest()[:32]
