r"""What Azure Tables takes: keys without ``/ \ # ?`` or control characters, properties of 64 KiB, rows of 1 MiB.

https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

#: A key has at most 512 UTF-16 units; ours are ASCII.
_KEY_LENGTH = 512
_DIGEST = 64
#: A binary property may have 65,536 bytes, a text 32,768 UTF-16 units.
_PART, _TEXT_PART = 65_000, 32_000
#: A row may have 1 MiB, names and keys included.
LARGEST = 960_000


def encode_key(text: str) -> str:
    """Return the text as a partition or row key: percent-encoded, with ``!`` for ``%``.

    The percent sign itself is left out, because keys travel in addresses and are decoded on the way, by some once and by
    others twice. No encoded key holds a ``~``: the tail of one that is too long gives way to ``~`` and its SHA-256, and
    what starts with ``~`` is free for partitions of other kinds.
    """
    encoded = quote(text, safe=":@", errors="surrogatepass").replace("%", "!").replace("~", "!7E")
    if len(encoded) <= _KEY_LENGTH:
        return encoded
    digest = hashlib.sha256(encoded.encode()).hexdigest()
    return f"{encoded[: _KEY_LENGTH - _DIGEST - 1]}~{digest}"


def decode_key(key: str) -> str:
    """Read :func:`encode_key` back. Raises ValueError for a key whose tail gave way."""
    if "~" in key:
        raise ValueError(f"{key} was too long to be kept whole")
    return unquote(key.replace("!", "%"), errors="surrogatepass")


def pack(name: str, data: bytes) -> dict[str, bytes]:
    """Return bytes of any length as binary properties ``<name>0``, ``<name>1`` … of one row."""
    return {f"{name}{number}": data[start : start + _PART] for number, start in enumerate(range(0, max(1, len(data)), _PART))}


def unpack(name: str, row: Mapping[str, Any]) -> bytes:
    """Read :func:`pack` back. Raises KeyError when the row holds nothing of that name."""
    parts = [bytes(row[f"{name}0"])]
    while (part := row.get(f"{name}{len(parts)}")) is not None:
        parts.append(bytes(part))
    return b"".join(parts)


def pack_json(name: str, value: Any) -> dict[str, str]:
    """Return a JSON value as text properties ``<name>0``, ``<name>1`` …: for a person to read, all ASCII."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    return {f"{name}{number}": text[start : start + _TEXT_PART] for number, start in enumerate(range(0, len(text), _TEXT_PART))}


def unpack_json(name: str, row: Mapping[str, Any]) -> Any:
    """Read :func:`pack_json` back. Raises KeyError when the row holds nothing of that name."""
    parts = [row[f"{name}0"]]
    while (part := row.get(f"{name}{len(parts)}")) is not None:
        parts.append(part)
    return json.loads("".join(parts))


def sortable(number: int) -> str:
    """Return a number as text that sorts as the number does (times: Tables' own integers are typed by hand)."""
    return str(max(number, 0)).zfill(15)
