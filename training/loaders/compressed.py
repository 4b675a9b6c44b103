"""Opening the recorded data, which is compressed with xz."""

from __future__ import annotations

import lzma
from pathlib import Path


def read_xz(path: Path) -> bytes:
    """Whole content of an xz file."""
    with lzma.open(path) as file:
        return file.read()


def read_xz_text(path: Path) -> str:
    """The same as text; bytes that are no UTF-8 become U+FFFD (some published files have such)."""
    return read_xz(path).decode("utf-8", "replace")
