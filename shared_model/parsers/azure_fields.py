"""Reading Azure's records: envelopes, keys in any case, JSON inside text, resource ids.

The same record reaches a hub in several spellings: diagnostic settings write camelCase (and resource ids in upper
case), Log Analytics exports its tables in PascalCase with nested parts as JSON text, and the REST API wraps a word into
``{"value", "localizedValue"}``. All are read with keys in lower case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared_model.parsers.fields import FieldError, address_text, lookup, text

#: Deeper nesting than any record has; stops a hostile document from exhausting the stack.
_DEPTH = 40
_LIST_KEYS = ("records", "Records", "value")
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)
_TENANT = re.compile(r"/tenants/([^/]+)", re.IGNORECASE)
_MACHINE = re.compile(r".*/providers/microsoft\.compute/virtualmachines/[^/]+", re.IGNORECASE)
_PORT = re.compile(r"(?P<address>\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}")
_BARE_GUID = re.compile(r"[0-9a-f]{32}")


def records(document: object) -> Iterator[object]:
    """Records of a document: one record, ``{"records": [...]}``, REST's ``{"value": [...]}``, or a list of any of these."""
    for item in document if isinstance(document, list) else (document,):
        inner = (
            next((item[key] for key in _LIST_KEYS if isinstance(item.get(key), list)), None)
            if isinstance(item, Mapping)
            else None
        )
        if inner is None:
            yield item
        else:
            yield from inner


def folded(record: object) -> dict[str, Any]:
    """The record with every key in lower case. Raises FieldError where it is no object or nested too deeply."""
    if not isinstance(record, Mapping):
        raise FieldError("", "is not a JSON object")
    folded: dict[str, Any] = _folded(dict(record), 0)
    return folded


def _folded(value: object, depth: int) -> Any:
    """Of decoded JSON: objects are dictionaries."""
    if isinstance(value, dict):
        if depth == _DEPTH:
            raise FieldError("", f"is nested deeper than {_DEPTH} levels")
        return {str(key).lower(): _folded(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        if depth == _DEPTH:
            raise FieldError("", f"is nested deeper than {_DEPTH} levels")
        return [_folded(item, depth + 1) for item in value]
    return value


def embedded(value: object) -> Any:
    """A part that may be written as JSON text, decoded and folded; the value itself where it is no such text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    return _folded(value, 0)


def part(record: object, *paths: str) -> Mapping[str, Any]:
    """The first of the paths that holds an object that is not empty, also one written as text; else an empty one."""
    for path in paths:
        value = lookup(record, path)
        if isinstance(value, str):
            value = embedded(value)
        if isinstance(value, Mapping) and value:
            return value
    return {}


def items(record: object, *paths: str) -> list[Any]:
    """The first of the paths that holds a list, also one written as text; else an empty one."""
    for path in paths:
        value = lookup(record, path)
        if isinstance(value, str):
            value = embedded(value)
        if isinstance(value, list):
            return value
    return []


def said(record: object, *paths: str) -> str:
    """The first of the paths that holds text; of ``{"value", "localizedValue"}`` the value."""
    for path in paths:
        value = record.get(path) if isinstance(record, dict) and "." not in path else lookup(record, path)
        if isinstance(value, dict):
            value = value.get("value")
        if value is not None and (found := text({"": value}, "")):
            return found
    return ""


def subscription_of(resource_id: str) -> str:
    """Subscription in a resource id, lower case, ``""`` where it names none."""
    match = _SUBSCRIPTION.search(resource_id)
    return match[1].lower() if match else ""


def tenant_of(resource_id: str) -> str:
    """Tenant in the id of a directory's own resource (``/tenants/…/providers/Microsoft.aadiam``), lower case, or ``""``."""
    match = _TENANT.search(resource_id)
    return match[1].lower() if match else ""


def machine_of(resource_id: str) -> str:
    """The virtual machine that a resource id is or lies under, lower case, ``""`` where it is none."""
    match = _MACHINE.match(resource_id)
    return match[0].lower() if match else ""


def object_id(value: str) -> str:
    """An object id as Graph writes it: lower case, with dashes (the Activity log's evidence leaves them out)."""
    value = value.lower()
    if _BARE_GUID.fullmatch(value):
        return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"
    return value


def caller_address(value: str) -> str:
    """Canonical address, without the port that some services write behind it; ``""`` where it is none."""
    match = _PORT.fullmatch(value)
    return address_text(match["address"] if match else value)
