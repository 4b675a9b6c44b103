"""One row of a table, read and written without the SDK: both stand between every event and its verdict (docs/decisions/044).

Only what the entity memory needs: text and binary properties, whole rows, no ETags. Lists, transactions and conditions are the
SDK's. Protocol: https://learn.microsoft.com/rest/api/storageservices/insert-or-replace-entity and ``/query-entities``.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from azure_functions.clients import Clients
from azure_functions.http_date import http_date
from azure_functions.registry import Group

_HEADERS = {
    "x-ms-version": "2019-02-02",
    "DataServiceVersion": "3.0",
    "Accept": "application/json;odata=minimalmetadata",
    "Content-Type": "application/json",
}
#: Made once: ``json.dumps`` with settings of its own makes one for each row.
_JSON = json.JSONEncoder(separators=(",", ":"))
_TYPE, _BINARY = "@odata.type", "Edm.Binary"


class SingleRows:
    """Rows of one table, by their two keys, which :func:`azure_functions.adapters.table_rows.encode_key` made."""

    def __init__(self, clients: Clients, group: Group, table: str) -> None:
        self._clients = clients
        self._group = group
        self._table = table

    def get(self, partition: str, row: str) -> dict[str, Any]:
        """Return a row. Raises azure-core's errors, for :func:`azure_functions.cloud_errors.in_core_words`."""
        found: dict[str, Any] = json.loads(self._rest.get(self._place(partition, row), headers=_headers()))
        return {
            name: b64decode(value) if found.get(name + _TYPE) == _BINARY else value
            for name, value in found.items()
            if not name.endswith(_TYPE)
        }

    def put(self, row: Mapping[str, str | bytes]) -> None:
        """Write a row whole, in the place of what is there. Raises as :meth:`get`."""
        body: dict[str, str] = {}
        for name, value in row.items():
            if isinstance(value, bytes):
                body[name], body[name + _TYPE] = b64encode(value).decode(), _BINARY
            else:
                body[name] = value
        self._rest.put(self._place(row["PartitionKey"], row["RowKey"]), _JSON.encode(body).encode(), headers=_headers())

    @property
    def _rest(self) -> Any:
        return self._clients("rows", self._group)

    def _place(self, partition: str | bytes, row: str | bytes) -> str:
        # No encoded key holds what an address may not.
        return f"/{self._table}(PartitionKey='{partition!s}',RowKey='{row!s}')"


def _headers() -> dict[str, str]:
    return {**_HEADERS, "x-ms-date": http_date()}
