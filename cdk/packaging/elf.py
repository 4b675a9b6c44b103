"""Reads and slims ELF files, of any machine, on any machine.

Format: Tool Interface Standard, *Executable and Linking Format* 1.2, and the GNU symbol-version tables of the Linux
Standard Base (``.gnu.version_r``). Only what the loader itself reads is read: program headers and the dynamic segment,
never section headers, which :func:`without_sections` takes away.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MACHINES = {62: "x86_64", 183: "aarch64"}
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _VERNEED, _VERNEEDNUM = 1, 5, 0x6FFFFFFE, 0x6FFFFFFF


class NotElf(ValueError):
    """The file is no 64-bit little-endian ELF file."""


@dataclass(frozen=True, slots=True)
class SharedObject:
    """What the loader must find before the file's code runs.

    Attributes
    ----------
    machine : str
        As ``uname -m`` says it.
    needed : tuple of str
        Names of the libraries it asks for.
    versions : frozenset of str
        Symbol versions it asks those for, such as ``GLIBC_2.28``.
    """

    machine: str
    needed: tuple[str, ...]
    versions: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def is_elf(path: Path) -> bool:
    """Say whether a file starts as ELF files do."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def read_shared_object(path: Path) -> SharedObject:
    """Read an ELF file. Raises NotElf."""
    data = path.read_bytes()
    segments = _segments(data, path)
    dynamic = list(_dynamic(data, segments))
    tables = dict(dynamic)
    strings = _file_offset(tables[_STRTAB], segments) if _STRTAB in tables else 0

    def name(at: int) -> str:
        start = strings + at
        return data[start : data.index(b"\0", start)].decode()

    versions = set()
    at = _file_offset(tables[_VERNEED], segments) if _VERNEED in tables else 0
    for _ in range(tables.get(_VERNEEDNUM, 0)):
        _, count, _, first, following = struct.unpack_from("<HHIII", data, at)
        entry = at + first
        for _ in range(count):
            _, _, _, label, step = struct.unpack_from("<IHHII", data, entry)
            versions.add(name(label))
            entry += step
        at += following
    machine = struct.unpack_from("<H", data, 18)[0]
    return SharedObject(
        machine=MACHINES.get(machine, f"machine {machine}"),
        needed=tuple(name(value) for tag, value in dynamic if tag == _NEEDED),
        versions=frozenset(versions),
    )


def without_sections(path: Path) -> bytes:
    """Return the file without section headers and without what follows the last loaded byte.

    That is symbols and debugging data: the loader reads neither. Unlike ``strip``, it needs no tools for the
    file's machine. Raises NotElf.
    """
    data = path.read_bytes()
    end = max((segment.offset + segment.size for segment in _segments(data, path)), default=0)
    slim = bytearray(data[:end])
    struct.pack_into("<Q", slim, 40, 0)  # e_shoff
    struct.pack_into("<HHH", slim, 58, 64, 0, 0)  # e_shentsize, e_shnum, e_shstrndx
    return bytes(slim)


def _segments(data: bytes, path: Path) -> list[_Segment]:
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < 64:
        raise NotElf(f"{path} is no 64-bit little-endian ELF file")
    start = struct.unpack_from("<Q", data, 32)[0]
    size, count = struct.unpack_from("<HH", data, 54)
    segments = []
    for number in range(count):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", data, start + number * size)
        segments.append(_Segment(kind, offset, address, length))
    return segments


def _dynamic(data: bytes, segments: list[_Segment]) -> Iterator[tuple[int, int]]:
    for segment in segments:
        if segment.kind == _DYNAMIC:
            for at in range(segment.offset, segment.offset + segment.size, 16):
                tag, value = struct.unpack_from("<qQ", data, at)
                yield tag, value


def _file_offset(address: int, segments: list[_Segment]) -> int:
    for segment in segments:
        if segment.kind == _LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise NotElf(f"address {address:#x} lies in no loaded segment")
