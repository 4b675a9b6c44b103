"""A recording after cleaning, in the format that its loader reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Content of one cleaned file, and how many of how many rows or records it keeps.

    Its loader reads the same of it as of the original, and can read nothing else: what cleaning leaves out is not there.
    """

    content: bytes
    read: int
    kept: int


def written_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> bytes:
    """These columns of the rows as comma-separated text with a header line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
