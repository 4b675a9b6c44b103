"""Text objects, a piece of whole lines at a time: memory stays flat in the object's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_model.errors import UnreadableTelemetry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

#: How many bytes are parsed at once: columns of so many lines stay in the processor's cache.
CHUNK = 1 << 20
#: A line that has not ended by then is no flow record; what follows up to its end is skipped.
_LONGEST_LINE = 1 << 16


def line_chunks(stream: BufferedReader, source: str) -> Iterator[bytes]:
    """Cut a text object into pieces of whole lines; every line ends with a newline.

    Of a line that does not end within a piece the first 64 KiB at most are given, so that no input takes more memory.

    Raises
    ------
    UnreadableTelemetry
        The object is Apache Parquet; or where its data is damaged, after all whole lines before that were given.
    """
    rest, begun, skipping = b"", False, False
    while True:
        piece, damage = read_up_to(stream, CHUNK)
        if not begun and piece[:4] == b"PAR1":
            raise UnreadableTelemetry(source, "Apache Parquet: set the flow log's destination file format to plain text")
        begun = True
        at_end = not piece
        if skipping:
            end = piece.find(b"\n")
            piece, skipping = (piece[end:], False) if end >= 0 else (b"", True)
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
        if damage:
            raise damage  # the line before it has no end and cannot be trusted
        if at_end:
            break
        if len(rest) > _LONGEST_LINE:
            rest, skipping = rest[:_LONGEST_LINE], True
    if rest:
        yield rest + b"\n"


def read_up_to(stream: BufferedReader, size: int) -> tuple[bytes, UnreadableTelemetry | None]:
    """About so many bytes, fewer at the end or before a damage, which is given beside them."""
    pieces: list[bytes] = []
    missing = size
    try:
        while missing > 0 and (piece := stream.read1(missing)):
            pieces.append(piece)
            missing -= len(piece)
    except UnreadableTelemetry as damage:
        return b"".join(pieces), damage
    return b"".join(pieces), None
