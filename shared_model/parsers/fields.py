"""Reading fields of decoded JSON: each reader either gives the type it promises or raises :class:`FieldError`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import Any

from shared_model.events import Rejected

#: The longest id of a principal, session or resource; an ARN of IAM is far shorter.
ID_LIMIT = 1024
#: Times of records in milliseconds: the years 1970 to 9999 in UTC. Any other has no day in the lake, and no cloud writes one.
_TIMES_MS = range(253_402_300_800_000)
#: How much of a rejected record is kept for a person to look at.
RAW_LIMIT = 512


class FieldError(ValueError):
    """One field of a record is absent or wrong. Caught by the parser, which makes it a ``Rejected``."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


def rejected(source: str, record: int, error: FieldError, raw: object) -> Rejected:
    """Build the ``Rejected`` of one record. ``raw`` is the record itself, as text or decoded."""
    if isinstance(raw, bytes):
        text = raw[: 4 * RAW_LIMIT].decode("utf-8", "replace")
    elif isinstance(raw, str):
        text = raw
    else:
        text = json.dumps(raw, default=str, ensure_ascii=False)
    return Rejected(source, record, error.field, error.reason, text[:RAW_LIMIT])


def lookup(record: object, path: str) -> Any:
    """Value under a dotted path of mappings, None where any step is absent or not a mapping."""
    value = record
    for step in path.split(".") if "." in path else (path,):
        # What JSON decodes to is a dict; asking whether something is a Mapping takes ten times as long.
        if type(value) is not dict and not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def mapping(record: object, path: str) -> Mapping[str, Any]:
    """Mapping under the path, empty where there is none."""
    value = lookup(record, path)
    return value if isinstance(value, Mapping) else {}


def text(record: object, path: str) -> str:
    """Text under the path, ``""`` where there is none. Numbers become text; anything else counts as absent."""
    value = lookup(record, path)
    if isinstance(value, str):
        # JSON can spell half a surrogate pair, which no other encoding can: it would break every hash and store.
        return value.strip() if value.isascii() else value.encode("utf-8", "replace").decode().strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def required_text(record: object, path: str) -> str:
    """Text under the path. Raises FieldError where it is absent or empty."""
    value = text(record, path)
    if not value:
        raise FieldError(path, "is missing or empty")
    return value


def within(value: str, limit: int, field: str) -> str:
    """Return a name that is at most ``limit`` characters long. Raises FieldError where it is longer."""
    if len(value) > limit:
        raise FieldError(field, f"has {len(value)} characters, more than the {limit} that such a name can have: check its source")
    return value


def boolean(record: object, path: str) -> bool | None:
    """Truth value under the path; logs write it as JSON boolean or as text. None where it is neither."""
    value = lookup(record, path)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false", "yes", "no"):
        return value.lower() in ("true", "yes")
    return None


def time_ms(value: object, field: str) -> int:
    """ISO 8601 time of the years 1970 to 9999 as milliseconds since the epoch; without a zone it is UTC. Raises FieldError."""
    if not isinstance(value, str) or not value:
        raise FieldError(field, "is missing or not an ISO 8601 time")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        # Whole milliseconds without a float in between: the same instant always gives the same number.
        milliseconds = int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
    except (ValueError, OverflowError) as error:
        raise FieldError(field, f"{value[:40]!r} is not an ISO 8601 time") from error
    return dated(milliseconds, field)


def dated(milliseconds: int, field: str) -> int:
    """Return a time of the years 1970 to 9999, in milliseconds since the epoch. Raises FieldError for any other."""
    if milliseconds not in _TIMES_MS:
        raise FieldError(field, f"{milliseconds} ms since 1970 is not within the years 1970 to 9999")
    return milliseconds


def address_text(value: object) -> str:
    """Canonical text of an IP address (an IPv4-mapped IPv6 address as IPv4), ``""`` where it is none."""
    if not isinstance(value, str):
        return ""
    try:
        address = ip_address(value.strip().strip("[]"))
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
