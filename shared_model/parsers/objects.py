"""Opening an object as it lies in the lake: gzip or plain, told apart by its first bytes, never by its name."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_BITS = 16 + zlib.MAX_WBITS
_CHUNK = 64 * 1024


def open_object(stream: BinaryIO) -> BinaryIO:
    """Give the object's own bytes, decompressed where it is gzip (also of several members, one after the other).

    Parameters
    ----------
    stream : BinaryIO
        Only ``read(size)`` is used: the body of a download will do.

    Returns
    -------
    BinaryIO
        To be read forwards with ``read(size)``, which may give less than ``size`` before the end. A gzip member that is cut off
        raises EOFError, a damaged one zlib.error, once what can be had of it has been given (``gzip.GzipFile``
        would keep the last buffer to itself).
    """
    start = stream.read(len(_GZIP_MAGIC))
    opened = _Gunzipped(start, stream) if start == _GZIP_MAGIC else _Rejoined(start, stream)
    return cast(BinaryIO, opened)


class _Rejoined(io.RawIOBase):
    """A stream with the bytes that were read from it for a look put back in front."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._start = start
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._start[: len(view)] or self._rest.read(len(view))
        self._start = self._start[len(view) :]
        view[: len(data)] = data
        return len(data)


class _Gunzipped(io.RawIOBase):
    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._compressed = start
        self._rest = rest
        self._member = zlib.decompressobj(_GZIP_BITS)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        while self._fill():
            if self._member.eof:
                # Zero bytes may pad the space between members and behind the last one.
                self._compressed = self._compressed.lstrip(b"\0")
                if self._compressed:
                    self._member = zlib.decompressobj(_GZIP_BITS)
                continue
            data = self._member.decompress(self._compressed, len(view))
            self._compressed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if data:
                return _put(data, view)
        if self._member.eof:
            return 0
        # A match may still be half written out when all input is taken.
        data = self._member.decompress(b"", len(view))
        if not data and not self._member.eof:
            raise EOFError("the gzip data is cut off")
        return _put(data, view)

    def _fill(self) -> bool:
        self._compressed = self._compressed or self._rest.read(_CHUNK)
        return bool(self._compressed)


def _put(data: bytes, view: memoryview) -> int:
    view[: len(data)] = data
    return len(data)
