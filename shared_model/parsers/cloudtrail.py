"""CloudTrail records → :class:`~shared_model.events.ApiCall`.

They arrive as S3 log files (``{"Records": [...]}``, gzip), as EventBridge envelopes, or singly.
Format: CloudTrail user guide, "CloudTrail record contents" and "CloudTrail userIdentity element"; sign-in
events: "AWS Management Console sign-in events".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from shared_model.events import ApiCall, Rejected
from shared_model.grants import granted_by_aws
from shared_model.parsers.cloudtrail_identity import identify
from shared_model.parsers.cloudtrail_opened import opened
from shared_model.parsers.cloudtrail_trust import trusts_of
from shared_model.parsers.fields import (
    FieldError,
    address_text,
    boolean,
    lookup,
    mapping,
    rejected,
    required_text,
    text,
    time_ms,
)
from shared_model.parsers.json_stream import read_json_records
from shared_model.parsers.objects import open_object

_TARGETS = 16
_TARGET_LENGTH = 256
_TARGET_DEPTH = 4
_NAMES_A_TARGET = re.compile(r"(?:name|id|ids|arn|identifier)$", re.IGNORECASE)
_NAMES_NO_TARGET = frozenset({"roleSessionName", "externalId", "requestId", "availabilityZoneId", "ownerId", "accountId"})
# Addresses with leading zeros occur in logs that were made anonymous; they are decimal there.
_LEADING_ZEROS = re.compile(r"\b0+(?=\d)")
_IPV4_LIKE = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def read_cloudtrail(stream: BinaryIO, *, source: str) -> Iterator[ApiCall | Rejected]:
    """Read an object as it lies in the trail's bucket, one record at a time.

    Parameters
    ----------
    stream : BinaryIO
        Plain or gzip: ``{"Records": [...]}``, a list, JSON lines, or a single record or envelope.
    source : str
        Where it came from, e.g. ``cloudtrail:s3://bucket/key``.

    Yields
    ------
    ApiCall or Rejected
        One per record, in order. An object that breaks off (damaged gzip) gives what came before and one Rejected.
    """
    for item in read_json_records(open_object(stream, source=source), source=source):
        if isinstance(item, Rejected):
            yield item
        else:
            yield from _each(_records(item.value), item.number, source)


def parse_cloudtrail(document: object, *, source: str) -> Iterator[ApiCall | Rejected]:
    """Read the records of one decoded document: a record, an EventBridge envelope, ``{"Records": [...]}`` or a list of these.

    Yields
    ------
    ApiCall or Rejected
        One per record, in order.
    """
    yield from _each(_records(document), 1, source)


def _each(records: Sequence[object], first: int, source: str) -> Iterator[ApiCall | Rejected]:
    for number, record in enumerate(records, first):
        try:
            yield _api_call(record)
        except FieldError as error:
            yield rejected(source, number, error, record)


def _records(document: object) -> Sequence[object]:
    if isinstance(document, list):
        return document
    if isinstance(document, Mapping):
        if isinstance(document.get("Records"), list):
            return list(document["Records"])
        if "digestS3Object" in document:
            return ()  # the trail's signature over its log files lies beside them and holds no records
    return (document,)


def _api_call(record: object) -> ApiCall:
    if not isinstance(record, Mapping):
        raise FieldError("", "is not a JSON object")
    envelope: Mapping[str, Any] = {}
    if "detail-type" in record:
        envelope, record = record, record.get("detail")
        if not text(envelope, "detail-type").endswith("via CloudTrail"):
            raise FieldError("detail-type", f"{text(envelope, 'detail-type')!r} is no CloudTrail event: check the rule's pattern")
        if not isinstance(record, Mapping):
            raise FieldError("detail", "is missing or not a JSON object")
    account = text(record, "recipientAccountId") or text(record, "userIdentity.accountId") or text(envelope, "account")
    event_source = required_text(record, "eventSource")
    operation = required_text(record, "eventName")
    when = time_ms(lookup(record, "eventTime"), "eventTime")
    caller = identify(record, account)
    error = _error(record)
    region, service = text(record, "awsRegion") or text(envelope, "region"), event_source.lower().split(".amazonaws.", 1)[0]
    return ApiCall(
        event_id=text(record, "eventID") or _hash(record),
        time_ms=when,
        provider="aws",
        account=account,
        region=region,
        service=service,
        operation=operation,
        principal=caller.principal,
        session=caller.session,
        caller_kind=caller.kind,
        succeeded=not error,
        error_code=error,
        read_only=boolean(record, "readOnly"),
        source_address=_source(text(record, "sourceIPAddress")),
        user_agent=text(record, "userAgent"),
        mfa=_mfa(record),
        access_key_id=text(record, "userIdentity.accessKeyId"),
        session_issued_ms=caller.session_issued_ms,
        targets=tuple(dict.fromkeys(_targets(record)))[:_TARGETS],
        instance_id=caller.instance_id,
        aliases=caller.aliases,
        trusts=() if error else trusts_of(record, account),
        opened=() if error else opened(record, service, operation, account, region),
        grant=granted_by_aws(operation, mapping(record, "requestParameters"), account),
    )


def _error(record: Mapping[str, Any]) -> str:
    if code := text(record, "errorCode"):
        return code
    # Sign-ins say it in the answer, and some services only in a message.
    if text(record, f"responseElements.{text(record, 'eventName')}") == "Failure":
        return "FailedAuthentication"
    return "Error" if text(record, "errorMessage") else ""


def _mfa(record: Mapping[str, Any]) -> bool | None:
    used = boolean(record, "additionalEventData.MFAUsed")
    return boolean(record, "userIdentity.sessionContext.attributes.mfaAuthenticated") if used is None else used


def _source(value: str) -> str:
    if _IPV4_LIKE.fullmatch(value):
        value = _LEADING_ZEROS.sub("", value)
    return address_text(value) or value[:_TARGET_LENGTH]


def _targets(record: Mapping[str, Any]) -> Iterator[str]:
    resources = record.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        if name := text(resource, "ARN") or text(resource, "arn") or text(resource, "resourceName"):
            yield name[:_TARGET_LENGTH]
    yield from _named(mapping(record, "requestParameters"), _TARGET_DEPTH)


def _named(value: Any, depth: int) -> Iterator[str]:
    """Texts under keys that name a thing (``roleName``, ``instanceId``, ``secretArn`` …), at any depth down to the limit."""
    if depth == 0:
        return
    if isinstance(value, list):
        for item in value:
            yield from _named(item, depth)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, str):
                if item and _NAMES_A_TARGET.search(key) and key not in _NAMES_NO_TARGET:
                    yield text(value, key)[:_TARGET_LENGTH]
            else:
                yield from _named(item, depth - 1)


def _hash(record: Mapping[str, Any]) -> str:
    """Id of a record without one: the same record gives the same id on both delivery paths."""
    return hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()[:32]
