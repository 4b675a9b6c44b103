"""What a principal has done before, beyond the window: a sketch of bounded size, and what a call shows that it does not hold.

A **word** is four bytes: its kind, and the hash of an operation, a service and verb, an effect, a network or a program.
The sketch holds of each word when it was first seen, and on which day last. A call's word is new unless it was seen in an EARLIER
second. So a call that is delivered twice is judged alike both times, also where its first delivery was killed between the sending
of verdicts and the end of storing, and neither late arrival nor the order within a batch makes anything known before its time.

What is not seen for longest makes way first, each kind within its own bound: many networks or operations of one afternoon
make the others of their kind new again, which an intruder gains nothing by.
"""

from __future__ import annotations

import math
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from shared_model.effects import effects_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Kinds of words, and how many of each are kept. The operations that bring something about stand apart from those that only look.
KINDS = {"operation": 64, "lasting": 40, "dealing": 40, "effect": 15, "network": 10, "program": 7}
_OPERATION, _LASTING, _DEALING, _EFFECT, _NETWORK, _PROGRAM = range(len(KINDS))
_AT_MOST = tuple(KINDS.values())
_BITS = 32 - 3
_ALL = 2**32 - 1
_SALT = 0x9E3779B1
_DAY_S = 86_400
_HEADER = Struct("<BI")  # format, the second in which the principal was first seen
_ENTRY = Struct("<IIH")  # word, the second in which it was first seen, the day on which it was last seen
_FORMAT = 1
#: The most that a sketch takes, in bytes.
LARGEST = _HEADER.size + _ENTRY.size * sum(_AT_MOST)

#: What a call may be the first of, in the order of the bits of :attr:`Judged.novel`.
FIRSTS = ("operation", "dealing", "effect", "network", "program")
#: Amounts are codes of one byte, so many steps a power of ten.
CODES_A_TENFOLD = 32
#: Bit of :attr:`Judged.novel`: the principal was known before this call.
KNOWN = 0x80
#: Words of a call, one for each of :data:`FIRSTS`; 0 where it says nothing.
Words = tuple[int, int, int, int, int]


class Judged(NamedTuple):
    """What a call shows that its principal had not shown before, a byte each.

    Attributes
    ----------
    novel : bits of :data:`FIRSTS`, and :data:`KNOWN`
        No bit is set of a principal's first second: before it nothing is known.
    days : code of the days since it was first seen
    operations : code of how many different operations it had shown
    since_operation, since_lasting : codes of the hours since it last showed a first operation, and a first one that lasts
    """

    novel: int
    days: int
    operations: int
    since_operation: int
    since_lasting: int


_STRANGER = Judged(0, 0, 0, 0, 0)


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """The coarse network of an address (/16 of IPv4, /32 of IPv6); what is no address stands for itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return f"{parsed.packed[:2].hex()}/4" if isinstance(parsed, IPv4Address) else f"{parsed.packed[:4].hex()}/6"


def words_of_rows(fields: NDArray[np.void], addresses: Sequence[str]) -> list[Words]:
    """Words of encoded calls.

    Parameters
    ----------
    fields : (n,)
        Rows of the audit encoder.
    addresses : sequence of str, n
    """
    # Python's numbers: for the one call of one delivery, what counts is how often numpy is called.
    effects = effects_of(fields["service"], fields["verb"], fields["object"], fields["grant"]).tolist()
    columns = (fields[name].tolist() for name in ("operation", "service", "verb", "agent"))
    return [
        (
            _word(_LASTING if effect else _OPERATION, operation),
            _word(_DEALING, service << 8 | verb),
            _word(_EFFECT, effect),
            _word(_NETWORK, zlib.crc32(network_of(address).encode("utf-8", "replace")) if address else 0),
            _word(_PROGRAM, agent),
        )
        for operation, service, verb, agent, effect, address in zip(*columns, effects, addresses, strict=True)
    ]


def judge(sketch: bytes, words: Sequence[Words], times_ms: Sequence[int]) -> tuple[list[Judged], bytes]:
    """Judge one principal's calls by what it did before each of them, and add them to the sketch.

    Parameters
    ----------
    sketch : bytes
        Empty for a principal of which nothing is kept; one of a format that this code does not know counts as that.
    words : sequence of Words, n
    times_ms : sequence of int, n
        In any order.

    Returns
    -------
    list of Judged, bytes
        The sketch with these calls, at most :data:`LARGEST` bytes.
    """
    since, firsts, lasts = _read(sketch)
    seconds = [min(max(time // 1000, 0), _ALL) for time in times_ms]
    since = min(since, *seconds)
    for said, second in zip(words, seconds, strict=True):
        day = second // _DAY_S
        for word in said:
            if word:
                firsts[word] = min(firsts.get(word, _ALL), second)
                lasts[word] = max(lasts.get(word, 0), day)
    shown = sorted(first for word, first in firsts.items() if word >> _BITS <= _LASTING)
    lasting = sorted(first for word, first in firsts.items() if word >> _BITS == _LASTING)
    judged = []
    for said, second in zip(words, seconds, strict=True):
        if second <= since:
            judged.append(_STRANGER)
            continue
        new = sum(1 << place for place, word in enumerate(said) if word and firsts[word] >= second)
        operations, lasted = bisect_left(shown, second), bisect_left(lasting, second)
        judged.append(
            Judged(
                new | KNOWN,
                _code((second - since) / _DAY_S),
                _code(operations),
                _code((second - (shown[operations - 1] if operations else since)) / 3600),
                _code((second - (lasting[lasted - 1] if lasted else since)) / 3600),
            )
        )
    return judged, _kept(since, firsts, lasts)


def merged(sketches: Sequence[bytes]) -> bytes:
    """One sketch of what several of one principal hold; empty where they all are."""
    told = [sketch for sketch in sketches if sketch]
    if len(set(told)) < 2:
        return told[0] if told else b""
    since, firsts, lasts = _ALL, dict[int, int](), dict[int, int]()
    for began, first, last in map(_read, told):
        since = min(since, began)
        firsts |= {word: min(second, firsts.get(word, _ALL)) for word, second in first.items()}
        lasts |= {word: max(day, lasts.get(word, 0)) for word, day in last.items()}
    return _kept(since, firsts, lasts)


def last_day(sketch: bytes) -> int:
    """The last day (since 1970) on which the principal was seen; -1 for an empty sketch."""
    return max(_read(sketch)[2].values(), default=-1)


def day_of(time_ms: int) -> int:
    """The day (since 1970) that a sketch keeps of a call at that time."""
    return min(max(time_ms // 1000, 0), _ALL) // _DAY_S


def _code(amount: float) -> int:
    """An amount in one byte (:data:`CODES_A_TENFOLD`)."""
    return min(int(CODES_A_TENFOLD * math.log10(1 + amount)), 255)


def _read(sketch: bytes) -> tuple[int, dict[int, int], dict[int, int]]:
    """Since when the principal is known, and of each word the second it was first seen in and the day it was last seen on."""
    size = len(sketch) - _HEADER.size
    if size < 0 or size % _ENTRY.size or sketch[0] != _FORMAT:
        return _ALL, {}, {}
    entries = list(_ENTRY.iter_unpack(sketch[_HEADER.size :]))
    return _HEADER.unpack_from(sketch)[1], {word: first for word, first, _ in entries}, {word: last for word, _, last in entries}


def _kept(since: int, firsts: dict[int, int], lasts: dict[int, int]) -> bytes:
    """The sketch, each kind within its bound: the ones seen last stay, of one day those that are known longest."""
    ordered = sorted(firsts)
    kept: list[int] = []
    for kind, at_most in enumerate(_AT_MOST):
        own = ordered[bisect_left(ordered, kind << _BITS) : bisect_left(ordered, kind + 1 << _BITS)]
        if len(own) > at_most:
            own = sorted(sorted(own, key=lambda word: (-lasts[word], firsts[word], word))[:at_most])
        kept += own
    return _HEADER.pack(_FORMAT, since) + b"".join([_ENTRY.pack(word, firsts[word], lasts[word]) for word in kept])


def _word(kind: int, value: int) -> int:
    """The word of a value: never 0 for one, which says nothing where it is 0."""
    return kind << _BITS | (((value * _SALT & _ALL) >> 32 - _BITS) or 1) if value else 0
