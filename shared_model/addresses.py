"""IP addresses as columns: text to 128 bits, many at once, and back.

An address is two unsigned 64-bit words (high, low); IPv4 is ``::ffff:a.b.c.d`` (RFC 4291, 2.5.5.2), so that both
kinds stand in one column. Text is accepted only in the forms that have one meaning: no octet with a leading zero.
"""

from __future__ import annotations

import ipaddress
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Low word of an IPv4-mapped address: this prefix and the 32 bits of the address.
MAPPED_PREFIX = np.uint64(0xFFFF_0000_0000)
_MASK_32 = np.uint64(0xFFFF_FFFF)
#: By the number of an octet's characters, 0 to 15: what right-aligns it, and the least value that is written with so many
#: ("010" would be octal to some readers); no octet reaches the value of impossible lengths.
_SHIFT_OF_DIGITS = np.array([24, 24, 16] + [8] * 13, np.uint32)
_LEAST_OF_DIGITS = np.array([1000, 0, 10, 100] + [1000] * 12, np.uint32)
#: Behind the text, so that a word that starts at its last byte can be read.
PADDING = 24


class Scope(IntEnum):
    """Where an address can be reached from (IANA special-purpose registries, RFC 6890)."""

    PUBLIC = 0
    PRIVATE = 1  # RFC 1918, RFC 6598, RFC 4193; and AZURE_PLATFORM
    SPECIAL = 2  # loopback, link-local, multicast, unspecified, broadcast


def parse_ipv4(
    text: NDArray[np.uint8], starts: NDArray[np.intp], lengths: NDArray[np.intp]
) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Read dotted-quad addresses out of a byte buffer.

    Parameters
    ----------
    text : uint8 (m,)
        The buffer, with at least ``PADDING`` bytes behind the last address.
    starts, lengths : intp (n,)
        Where each address stands in it.

    Returns
    -------
    value : uint32 (n,)
        0 where the text is no IPv4 address.
    ok : bool (n,)
        The text is an IPv4 address.
    """
    value = np.zeros(len(starts), np.uint32)
    ok = (lengths >= 7) & (lengths <= 15)
    if not ok.all():
        rows = np.flatnonzero(ok)
        if len(rows):
            value[rows], ok[rows] = parse_ipv4(text, starts[rows], lengths[rows])
        return value, ok
    if not len(starts):
        return value, ok
    window = np.ndarray((len(text) - 15,), "V16", text, 0, (1,))  # every 16 neighbouring bytes, without a copy
    characters = window[starts].view(np.uint8).reshape(-1, 16)
    dots = np.flatnonzero((characters == ord(".")) & (np.arange(16, dtype=np.uint8) < lengths.astype(np.uint8)[:, None]))
    three = np.bincount(dots >> 4, minlength=len(starts)) == 3
    if not three.all():
        rows = np.flatnonzero(three)
        if len(rows):
            value[rows], three[rows] = parse_ipv4(text, starts[rows], lengths[rows])
        return value, three
    ends = np.empty((len(starts), 4), np.uint8)
    ends[:, :3] = (dots & 15).reshape(-1, 3)
    ends[:, 3] = lengths
    begins = np.zeros_like(ends)
    begins[:, 1:] = ends[:, :3] + 1
    digits = ends - begins
    words = np.ndarray((len(text) - 3,), "<u4", text, 0, (1,))[starts[:, None] + begins]
    # Right-align the octet's one to three digits in its word: the byte order makes the last digit the highest byte.
    words ^= np.uint32(0x30303030)
    words <<= _SHIFT_OF_DIGITS[digits]
    not_digit = ((words + np.uint32(0x76767676)) | words) & np.uint32(0x80808080)
    octets = (words >> 24) + 10 * ((words >> 16) & 0xFF) + 100 * ((words >> 8) & 0xFF)
    right = (not_digit == 0) & (octets <= 255) & (octets >= _LEAST_OF_DIGITS[digits])
    ok = right.all(axis=1)
    value = (octets[:, 0] << 24) | (octets[:, 1] << 16) | (octets[:, 2] << 8) | octets[:, 3]
    value[~ok] = 0
    return value, ok


def from_ipv4(values: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """IPv4 addresses as (n, 2) words."""
    words = np.zeros((len(values), 2), np.uint64)
    words[:, 1] = values.astype(np.uint64) | MAPPED_PREFIX
    return words


def to_words(text: str) -> tuple[int, int]:
    """One address as (high, low). Raises ValueError where it is none; a zone index (``%eth0``) is none here."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return 0, int(MAPPED_PREFIX) | int(address)
    if address.scope_id is not None:
        raise ValueError(f"{text!r} has a zone index")
    return int(address) >> 64, int(address) & (2**64 - 1)


def to_text(high: int, low: int) -> str:
    """Canonical text (RFC 5952) of an address; a mapped one as dotted quad."""
    if high == 0 and low >> 32 == 0xFFFF:
        return f"{(low >> 24) & 255}.{(low >> 16) & 255}.{(low >> 8) & 255}.{low & 255}"
    return str(ipaddress.IPv6Address(high << 64 | low))


def is_mapped(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which rows are IPv4 (bool (n,))."""
    mapped: NDArray[np.bool_] = (words[:, 0] == 0) & ((words[:, 1] ^ MAPPED_PREFIX) <= _MASK_32)
    return mapped


def same(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which rows are the same address (bool (n,)). Word by word: several times faster than a reduction over pairs."""
    equal: NDArray[np.bool_] = (one[:, 1] == other[:, 1]) & (one[:, 0] == other[:, 0])
    return equal


def keys(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One number per address, equal exactly where the addresses are: uint64 (n,), below 2**33.

    IPv4 keeps its value. IPv6 addresses get 2**32 plus their rank in this column: such keys compare within one call only.
    """
    mapped = is_mapped(words)
    result: NDArray[np.uint64] = words[:, 1] & _MASK_32
    if not mapped.all():
        rest = np.flatnonzero(~mapped)
        _, rank = np.unique(words[rest], axis=0, return_inverse=True)
        result[rest] = rank.reshape(-1).astype(np.uint64) + np.uint64(2**32)
    return result


#: 168.63.129.16, by which every virtual network of Azure reaches the platform (names, leases, health probes). It lies in a
#: public range and never leaves the host: what a private resolver is on AWS.
AZURE_PLATFORM = MAPPED_PREFIX | np.uint64(0xA83F8110)
_PRIVATE_4 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
_SPECIAL_4 = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
_PRIVATE_6 = ("fc00::/7",)
_SPECIAL_6 = ("::/127", "fe80::/10", "ff00::/8")


def scopes(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Scope of each address, as :class:`Scope` values: uint8 (n,)."""
    mapped = is_mapped(words)
    table = _scope_by_first_16_bits()
    result = table[((words[:, 1] >> np.uint64(16)) & np.uint64(0xFFFF)).astype(np.intp)]
    result[(words[:, 1] == AZURE_PLATFORM) & (words[:, 0] == 0)] = Scope.PRIVATE
    if not mapped.all():
        rest = np.flatnonzero(~mapped)
        result[rest] = _scopes_6(words[rest])
    return result


_scope_table: NDArray[np.uint8] | None = None


def _scope_by_first_16_bits() -> NDArray[np.uint8]:
    """Every IPv4 range is decided by the first 16 bits: one lookup replaces nine comparisons."""
    global _scope_table
    if _scope_table is None:
        _scope_table = np.zeros(1 << 16, np.uint8)
        for ranges, scope in ((_PRIVATE_4, Scope.PRIVATE), (_SPECIAL_4, Scope.SPECIAL)):
            for network in map(ipaddress.IPv4Network, ranges):
                first = int(network.network_address) >> 16
                _scope_table[first : first + max(1, network.num_addresses >> 16)] = scope
    return _scope_table


def _scopes_6(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    result = np.zeros(len(words), np.uint8)
    for ranges, scope in ((_PRIVATE_6, Scope.PRIVATE), (_SPECIAL_6, Scope.SPECIAL)):
        for network in map(ipaddress.IPv6Network, ranges):
            mask, base = int(network.netmask), int(network.network_address)
            inside = (words[:, 0] & np.uint64(mask >> 64)) == np.uint64(base >> 64)
            inside &= (words[:, 1] & np.uint64(mask & (2**64 - 1))) == np.uint64(base & (2**64 - 1))
            result[inside] = scope
    return result
