"""Stored objects as byte streams: plain or gzip, whatever the name says."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

from isal import isal_zlib  # Intel's ISA-L: gunzips two and a half times as fast as zlib

from shared_model.errors import UnreadableTelemetry

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: What ISA-L raises on damaged data; its stub calls the class an instance.
_Damaged: type[Exception] = isal_zlib.error  # type: ignore[assignment]
_GZIP_MAGIC = b"\x1f\x8b"
_COMPRESSED_PIECE = 1 << 16
_UNPACKED_PIECE = 1 << 18


def open_object(stream: BinaryIO, *, source: str = "") -> io.BufferedReader:
    """Return the object's own bytes: gunzipped where it starts with gzip's magic number (RFC 1952), else as they are.

    Several gzip members after one another read as one stream, and zero padding behind the last is ignored.
    Memory stays flat: a small compressed input that unpacks to gigabytes is unpacked piece by piece.
    The stream need not be seekable.

    Parameters
    ----------
    stream : BinaryIO
        The object, open at its beginning.
    source : str
        Name for errors.

    Returns
    -------
    io.BufferedReader
        Its reading methods raise UnreadableTelemetry where the compressed data is damaged or ends early.
        With ``read1`` everything before that point has been returned by then; ``read`` drops what it had collected.
    """
    head = b""
    while len(head) < len(_GZIP_MAGIC):
        piece = stream.read(len(_GZIP_MAGIC) - len(head))
        if not piece:
            break
        head += piece
    raw = _Gunzip(head, stream, source) if head == _GZIP_MAGIC else _Plain(head, stream)
    return io.BufferedReader(raw, _UNPACKED_PIECE)


class _Plain(io.RawIOBase):
    """The bytes that were looked at, then the rest of the stream."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, target: WriteableBuffer) -> int:
        view = memoryview(target)
        piece = self._head[: len(view)] or self._stream.read(len(view))
        self._head = self._head[len(view) :]
        view[: len(piece)] = piece
        return len(piece)


class _Gunzip(io.RawIOBase):
    """Members of a gzip stream, one after another, at most one piece in memory."""

    def __init__(self, head: bytes, stream: BinaryIO, source: str) -> None:
        self._packed = head
        self._stream = stream
        self._source = source
        self._member: Any = isal_zlib.decompressobj(wbits=31)  # None between members

    def readable(self) -> bool:
        return True

    def readinto(self, target: WriteableBuffer) -> int:
        view = memoryview(target)
        while True:
            if not self._packed:
                self._packed = self._stream.read(_COMPRESSED_PIECE)
            if self._member is None:
                self._packed = self._packed.lstrip(b"\0")
                if self._packed:
                    self._member = isal_zlib.decompressobj(wbits=31)
                elif not (more := self._stream.read(_COMPRESSED_PIECE)):
                    return 0
                else:
                    self._packed = more
                continue
            try:
                piece = self._member.decompress(self._packed, len(view))
            except _Damaged as error:
                raise UnreadableTelemetry(self._source, f"damaged gzip data ({error}): deliver the object again") from error
            if not piece and not self._packed and not self._member.eof:
                raise UnreadableTelemetry(self._source, "gzip data ends before its end mark: deliver the object again")
            if self._member.eof:
                self._packed = self._member.unused_data
                self._member = None
            else:
                self._packed = self._member.unconsumed_tail
            if piece:
                view[: len(piece)] = piece
                return len(piece)
