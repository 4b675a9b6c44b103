"""Audit records of Azure, of whatever log, → :class:`~shared_model.events.ApiCall`: each goes to the parser of its category.

One hub receives the Activity log of every subscription and the logs of Entra ID, and one event may mix them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from shared_model.events import ApiCall, Rejected
from shared_model.parsers import azure_activity, entra
from shared_model.parsers.azure_activity import activity_call
from shared_model.parsers.azure_fields import folded, records, said
from shared_model.parsers.entra import entra_call
from shared_model.parsers.fields import FieldError, rejected
from shared_model.parsers.json_stream import read_json_records
from shared_model.parsers.objects import open_object

_DIRECTORY = "/providers/microsoft.aadiam"


def read_audit_records(stream: BinaryIO, *, source: str) -> Iterator[ApiCall | Rejected]:
    """Read an object as a diagnostic setting archives it, or an export, one record at a time.

    Parameters
    ----------
    stream : BinaryIO
        Plain or gzip: JSON lines (a storage account's ``PT1H.json``), ``{"records": [...]}``, a list, or single records.
    source : str
        Where it came from, e.g. ``azure_audit:account/container/blob``.

    Yields
    ------
    ApiCall or Rejected
        One per record that counts (see :mod:`~shared_model.parsers.azure_activity`), in order. An object that breaks off
        gives what came before and one Rejected.
    """
    for item in read_json_records(open_object(stream, source=source), source=source):
        if isinstance(item, Rejected):
            yield item
        else:
            yield from _each(item.value, item.number, source)


def parse_audit_records(document: object, *, source: str) -> Iterator[ApiCall | Rejected]:
    """Read the records of one decoded document: the body of an event of the hub, a single record, or a list of either.

    Yields
    ------
    ApiCall or Rejected
        One per record that counts, in order. A record of a category that is not read here is rejected, and the reason names
        it: it was sent here by a diagnostic setting that need not send it.
    """
    yield from _each(document, 1, source)


def _each(document: object, first: int, source: str) -> Iterator[ApiCall | Rejected]:
    for number, record in enumerate(records(document), first):
        try:
            call = _call(folded(record))
        except FieldError as error:
            yield rejected(source, number, error, record)
        else:
            if call:
                yield call


def _call(record: Mapping[str, Any]) -> ApiCall | None:
    # Rows of an exported table say which one; a row of Entra's audit log has the category of the change beside it.
    table = said(record, "type").lower()
    category = said(record, "category", "categoryvalue").lower()
    directory = _DIRECTORY in said(record, "resourceid").lower()
    if directory or {table, category} & (entra.SIGN_INS.keys() | entra.AUDITS):
        return entra_call(record)
    if table == azure_activity.TABLE or category in azure_activity.CATEGORIES or "eventtimestamp" in record:
        return activity_call(record)
    if said(record, "properties.loggedbyservice"):
        return entra_call(record)
    raise FieldError("category", f"{(category or table)[:60]!r} is not read here: take it out of the diagnostic setting")
