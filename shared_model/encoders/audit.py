"""Audit records and system-log records → compact rows that are kept, and the dense features the model sees.

A **row** is 37 bytes (:data:`ROW`): codes of the vocabulary, the time, hashes of operation, source and target that
only answer "the same as before?", and what a call shows that its principal never did before (:mod:`shared_model.habits`).
But the operation of a system-log record is its template, and templates are words: its hash says which, by two buckets
(:data:`TEMPLATE_BUCKETS`).

**Features** are made from a window of rows by :func:`expand`: pure, and the same in training and in serving. What relates an
event to others (new here, same as the one before, the gap in time) is taken within the window, so it does not depend on how the
events were batched.

Each feature and what a missing value becomes is described in ``docs/features-audit.md``.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_model.call_words import words_of
from shared_model.effects import EFFECTS, effects_of
from shared_model.events import ApiCall, SystemEvent, Telemetry
from shared_model.grants import GRANTS
from shared_model.habits import CODES_A_TENFOLD, FIRSTS, KNOWN, judge, words_of_rows
from shared_model.vocabulary import (
    AGENTS,
    CALLERS,
    ERRORS,
    OBJECTS,
    ORIGINS,
    OUTCOMES,
    SERVICES,
    VERBS,
    code,
    is_read_only,
    origin_of,
    service_of_process,
)

#: Layout of a stored row. A row of zero bytes is padding; hashes of 0 mean "the record does not say".
ROW = np.dtype(
    [
        ("time_ms", "<i8"),
        ("operation", "<u4"),
        ("source", "<u4"),
        ("target", "<u4"),
        ("kind", "u1"),  # 0 padding, 1 API call, 2 system event
        ("service", "u1"),
        ("verb", "u1"),
        ("object", "u1"),
        ("outcome", "u1"),
        ("error", "u1"),
        ("caller", "u1"),
        ("origin", "u1"),
        ("agent", "u1"),
        ("read_only", "u1"),
        ("mfa", "u1"),  # 0 not stated, 1 without, 2 with
        ("grant", "u1"),  # what the request opens, 0 nothing or not said
        ("novel", "u1"),  # from here on shared_model.habits.Judged: 0 where nothing is known of the principal's past
        ("days", "u1"),
        ("operations", "u1"),
        ("since_operation", "u1"),
        ("since_lasting", "u1"),
    ]
)
ROW_BYTES = ROW.itemsize
#: What a row had before it told of habits: such rows are still remembered, as calls of a principal whose past is not known.
_FORMER_BYTES = 32


class _Row(NamedTuple):
    """One row before it is one: the fields of :data:`ROW`, in their order."""

    time_ms: int
    operation: int
    source: int
    target: int
    kind: int
    service: int
    verb: int
    object: int
    outcome: int
    error: int
    caller: int
    origin: int
    agent: int = 0
    read_only: int = 0
    mfa: int = 0
    grant: int = 0
    novel: int = 0
    days: int = 0
    operations: int = 0
    since_operation: int = 0
    since_lasting: int = 0


_API_CALL, _SYSTEM_EVENT = 1, 2
_FAILURE = code(OUTCOMES, "failure")

# (row field, levels, whether code 0 is a level of its own; else it is "not stated" and leaves the block empty)
_BLOCKS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("service", SERVICES, True),
    ("verb", VERBS, True),
    ("object", OBJECTS, True),
    ("outcome", OUTCOMES, False),
    ("error", ERRORS, False),
    ("caller", CALLERS, False),
    ("origin", ORIGINS, False),
    ("agent", AGENTS, False),
    ("mfa", ("not_stated", "without", "with"), False),
    ("grant", GRANTS, False),
)
#: Buckets of each of two hashes of a log template. The model's first layer learns a vector for each bucket and adds a template's
#: two: two templates are one only where both hashes meet.
TEMPLATE_BUCKETS = 64
_TEMPLATE_HASHES = np.array([0x9E3779B1, 0x85EBCA77], np.uint32)  # odd multipliers (Knuth; xxHash's second prime)
_TEMPLATE_SHIFT = np.uint32(32 - TEMPLATE_BUCKETS.bit_length() + 1)
_FLAGS = ("system_event", "read_only")
_RELATED = ("operation", "source", "target")
_RELATIONS = tuple(f"{relation}_{name}" for name in _RELATED for relation in ("same", "new"))
#: Words of which it is told when the entity shows one that it has not shown in the window.
_NOVEL = ("service", "agent", "effect")
_NUMBERS = ("gap", "gap_known", *(f"distinct_{name}s" for name in _RELATED), "failure_share")

#: What is known of the principal's past, as numbers, each a byte of a row.
_PAST = ("days", "operations", "since_operation", "since_lasting")

#: Names of the dense features, in order: the contract between the model and :func:`expand`. The last is 1 for every event and
#: 0 in padding.
FEATURES: tuple[str, ...] = (
    *_FLAGS,
    *(f"{field}={level}" for field, levels, zero in _BLOCKS for level in (levels if zero else levels[1:])),
    *(f"effect={effect}" for effect in EFFECTS[1:]),
    *_RELATIONS,
    *(f"new_{name}" for name in _NOVEL),
    *_NUMBERS,
    *(f"first_{name}" for name in FIRSTS),
    "past_known",
    *(f"past_{name}" for name in _PAST),
    *(f"template_{hash_}={bucket}" for hash_ in ("a", "b") for bucket in range(TEMPLATE_BUCKETS)),
    "present",
)
_COLUMN = {name: column for column, name in enumerate(FEATURES)}


def _columns(*names: str) -> slice:
    """Columns that stand at equal distances, as a slice: writing through it takes a tenth of writing through a list."""
    columns = [_COLUMN[name] for name in names]
    found = slice(columns[0], columns[-1] + 1, columns[1] - columns[0])
    if [*range(*found.indices(len(FEATURES)))] != columns:
        raise ValueError(f"{names} do not stand at equal distances")
    return found


_SAME_COLUMNS, _NEW_COLUMNS = (_columns(*(f"{relation}_{name}" for name in _RELATED)) for relation in ("same", "new"))
_DISTINCT_COLUMNS = _columns(*(f"distinct_{name}s" for name in _RELATED))
_NOVEL_COLUMNS = _columns(*(f"new_{name}" for name in _NOVEL))
_FIRST_COLUMNS = _columns(*(f"first_{name}" for name in FIRSTS))
_PAST_COLUMNS = _columns(*(f"past_{name}" for name in _PAST))
_TEMPLATE_COLUMNS = np.array([_COLUMN["template_a=0"], _COLUMN["template_b=0"]])
# Of each block: its byte in a row, its number of codes, the lowest code that is a level, and the column where code 0 would be.
_BLOCK_BYTES = np.array([dict(ROW.fields or {})[field][1] for field, _, _ in _BLOCKS])
_BLOCK_SIZES = np.array([len(levels) for _, levels, _ in _BLOCKS], np.uint8)
_BLOCK_LOWEST = np.array([0 if zero else 1 for _, _, zero in _BLOCKS], np.uint8)
_BLOCK_COLUMNS = np.array([_COLUMN[f"{field}={levels[0 if zero else 1]}"] for field, levels, zero in _BLOCKS]) - _BLOCK_LOWEST


def encode_api_calls(calls: Sequence[ApiCall]) -> NDArray[np.uint8]:
    """Encode calls as rows.

    Parameters
    ----------
    calls : sequence of ApiCall, n

    Returns
    -------
    uint8 (n, ROW_BYTES)
    """
    return _rows([_of_call(call) for call in calls])


def encode_system_events(events: Sequence[SystemEvent]) -> NDArray[np.uint8]:
    """Encode system-log records as rows: uint8 (n, ROW_BYTES)."""
    return _rows([_of_event(event) for event in events])


def tell_firsts(
    rows: NDArray[np.uint8], calls: Sequence[ApiCall], principal: NDArray[np.intp], sketches: Sequence[bytes]
) -> list[bytes]:
    """Write into rows what each call shows that its principal never did before, and return the sketches with these calls.

    Parameters
    ----------
    rows : uint8 (n, ROW_BYTES)
        As encoded; written to.
    calls : sequence of ApiCall, n
        Of one delivery, in any order.
    principal : intp (n,)
        Which principal each is of: 0 … k-1.
    sketches : sequence of bytes, k
        What is kept of each, of whom there is a call (:mod:`shared_model.habits`), empty where nothing is.
    """
    fields = rows.view(ROW)[:, 0]
    words = words_of_rows(fields, [call.source_address for call in calls])
    times = fields["time_ms"].tolist()
    places: list[list[int]] = [[] for _ in sketches]
    for place, number in enumerate(principal.tolist()):
        places[number].append(place)
    after = []
    for own, sketch in zip(places, sketches, strict=True):
        judged, kept = judge(sketch, [words[place] for place in own], [times[place] for place in own])
        rows[own, _FORMER_BYTES:] = judged
        after.append(kept)
    return after


def of_novel_rows(rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which calls show anything that their principal never did before: bool (n,)."""
    novel: NDArray[np.bool_] = (rows.view(ROW)[:, 0]["novel"] & ~np.uint8(KNOWN)) > 0
    return novel


def as_now(rows: bytes, count: int) -> bytes:
    """So many remembered rows, of the size that they have now: those written before a row told of habits tell nothing of them."""
    if not count or len(rows) != _FORMER_BYTES * count:
        return rows
    former = np.frombuffer(rows, np.uint8).reshape(count, _FORMER_BYTES)
    return np.pad(former, ((0, 0), (0, ROW_BYTES - _FORMER_BYTES))).tobytes()


def _of_call(call: ApiCall) -> _Row:
    words = words_of(call)
    return _Row(
        time_ms=call.time_ms,
        operation=_hash(f"{call.service}:{call.operation}"),
        source=_hash(call.source_address),
        target=_hash(call.targets[0] if call.targets else ""),
        kind=_API_CALL,
        service=code(SERVICES, words.operation.service),
        verb=code(VERBS, words.operation.verb),
        object=code(OBJECTS, words.operation.object),
        outcome=code(OUTCOMES, "success" if call.succeeded else "failure"),
        error=code(ERRORS, words.error),
        caller=code(CALLERS, words.caller),
        origin=code(ORIGINS, words.origin),
        agent=code(AGENTS, words.agent),
        read_only=is_read_only(call.read_only, words.operation.verb),
        mfa=0 if call.mfa is None else 1 + call.mfa,
        grant=code(GRANTS, call.grant),
    )


def _of_event(event: SystemEvent) -> _Row:
    return _Row(
        time_ms=event.time_ms,
        operation=_hash(f"{service_of_process(event.process)}:{event.template}"),
        source=_hash(event.source_address),
        target=_hash(event.user),
        kind=_SYSTEM_EVENT,
        service=code(SERVICES, service_of_process(event.process)),
        verb=code(VERBS, event.verb),
        object=code(OBJECTS, event.object),
        outcome=code(OUTCOMES, event.outcome),
        error=code(ERRORS, _error_of_event(event)),
        caller=code(CALLERS, "root" if event.user == "root" else "host_user" if event.user else "unknown"),
        origin=code(ORIGINS, origin_of(event.source_address)),
    )


def _rows(rows: list[_Row]) -> NDArray[np.uint8]:
    # One array of whole rows: to set the fields of each in turn takes twice as long.
    return np.array(rows, ROW).view(np.uint8).reshape(len(rows), ROW_BYTES)


def expand(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Make the dense features of windows of rows.

    Parameters
    ----------
    windows : uint8 (B, T, ROW_BYTES)
        In order of time, padded on the left with rows of zero bytes.

    Returns
    -------
    float32 (B, T, len(FEATURES))
        Not scaled. Padding is all zero.
    """
    count, length, _ = windows.shape
    raw = np.ascontiguousarray(windows)
    rows = raw.view(ROW)[..., 0]
    present = rows["kind"] > 0
    dense = np.zeros((count, length, len(FEATURES)), np.float32)
    dense[..., _COLUMN["system_event"]] = rows["kind"] == _SYSTEM_EVENT
    dense[..., _COLUMN["read_only"]] = rows["read_only"] > 0
    # All blocks at once: for the one window of one event, what counts is the number of calls.
    codes = raw.reshape(count * length, ROW_BYTES)[:, _BLOCK_BYTES]
    stated = present.reshape(-1, 1) & (codes < _BLOCK_SIZES) & (codes >= _BLOCK_LOWEST)
    begins = np.arange(0, dense.size, len(FEATURES))
    dense.reshape(-1)[(begins[:, None] + (_BLOCK_COLUMNS + codes))[stated]] = 1
    first = present & ~_shifted(present)
    effects = effects_of(rows["service"], rows["verb"], rows["object"], rows["grant"])
    lasting = np.flatnonzero(effects)
    dense.reshape(-1)[begins[lasting] + (_COLUMN[f"effect={EFFECTS[1]}"] - 1) + effects.reshape(-1)[lasting]] = 1
    dense[..., _FIRST_COLUMNS] = rows["novel"][..., None] >> np.arange(len(FIRSTS)) & 1
    dense[..., _COLUMN["past_known"]] = rows["novel"] & KNOWN > 0
    dense[..., _PAST_COLUMNS] = np.stack([rows[name] for name in _PAST], axis=-1) / np.float32(CODES_A_TENFOLD)
    _name_templates(dense.reshape(-1), begins, rows)
    _relate(dense, rows, effects, present, first)
    _gaps(dense, rows["time_ms"], present, first)
    failures = (present & (rows["outcome"] == _FAILURE)).cumsum(axis=1)
    dense[..., _COLUMN["failure_share"]] = failures / np.maximum(present.cumsum(axis=1), 1)
    dense[..., _COLUMN["present"]] = 1
    dense[~present] = 0
    return dense


def _name_templates(dense: NDArray[np.float32], begins: NDArray[np.int64], rows: NDArray[np.void]) -> None:
    """Write the two buckets of each system-log record's template. ``begins`` is where each row's features begin."""
    told = np.flatnonzero(rows["kind"] == _SYSTEM_EVENT)
    if len(told):
        buckets = (rows["operation"].reshape(-1)[told, None] * _TEMPLATE_HASHES) >> _TEMPLATE_SHIFT
        dense[begins[told, None] + _TEMPLATE_COLUMNS + buckets] = 1


def _relate(
    dense: NDArray[np.float32],
    rows: NDArray[np.void],
    effects: NDArray[np.uint8],
    present: NDArray[np.bool_],
    first: NDArray[np.bool_],
) -> None:
    """Write of each event whether its values equal the previous one's, are new in the window, and how many there were so far."""
    related = len(_RELATED)
    values = np.empty((related + len(_NOVEL), *present.shape), np.uint32)
    for place, field in enumerate(_RELATED):
        np.multiply(rows[field], present, out=values[place])
    values[related], values[related + 1], values[related + 2] = rows["service"], rows["agent"], effects
    new = _first_shown(values)
    counted = new[:related].cumsum(axis=-1)
    new &= ~first
    compared = values[:related]
    same = compared[..., 1:] == compared[..., :-1]
    same &= compared[..., 1:] != 0
    dense[:, 1:, _SAME_COLUMNS] = same.transpose(1, 2, 0)
    dense[..., _NEW_COLUMNS] = new[:related].transpose(1, 2, 0)
    dense[..., _NOVEL_COLUMNS] = new[related:].transpose(1, 2, 0)
    dense[..., _DISTINCT_COLUMNS] = np.log1p(counted).transpose(1, 2, 0)


def _first_shown(codes: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether no earlier event of the window has the same code: (n, B, T). A code of 0 says nothing, so it is never new."""
    length = codes.shape[-1]
    equal = codes[..., :, None] == codes[..., None, :]
    equal &= _earlier(length)
    shown: NDArray[np.bool_] = (codes > 0) & ~equal.any(axis=-1)
    return shown


@cache
def _earlier(length: int) -> NDArray[np.bool_]:
    """Which events of a window come before which: (T, T)."""
    return np.tri(length, length, -1, np.bool_)


def _gaps(dense: NDArray[np.float32], times: NDArray[np.int64], present: NDArray[np.bool_], first: NDArray[np.bool_]) -> None:
    """Write log(1 + seconds since the previous event); the first event takes its nearest neighbour's gap, and says so."""
    known = present & ~first
    gaps = np.zeros(times.shape, np.float64)
    gaps[:, 1:] = np.maximum(times[:, 1:] - times[:, :-1], 0) / 1000
    gaps = np.where(known, np.log1p(gaps), 0)
    following = np.zeros_like(gaps)
    following[:, :-1] = gaps[:, 1:]
    dense[..., _COLUMN["gap"]] = np.where(first, following, gaps)
    dense[..., _COLUMN["gap_known"]] = known


def _shifted(present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    before = np.zeros_like(present)
    before[:, 1:] = present[:, :-1]
    return before


def _hash(text: str) -> int:
    """Four bytes that tell texts of one window apart; never 0 for a text, which stands for "not stated"."""
    return (zlib.crc32(text.encode("utf-8", "replace")) or 1) if text else 0


def _error_of_event(event: SystemEvent) -> str:
    if event.outcome != "failure":
        return "none"
    if "invalid user" in event.template.lower() or "unknown" in event.template.lower():
        return "not_found"
    return "authentication" if event.verb == "authenticate" else "denied"


def telemetry_of_row(row: NDArray[np.uint8]) -> Telemetry:
    """Which telemetry a stored row came from."""
    return Telemetry.SYSTEM_LOGS if _fields(row)["kind"] == _SYSTEM_EVENT else Telemetry.API_CALLS


def describe_row(row: NDArray[np.uint8]) -> str:
    """One line about a stored row, for evidence: its words are all that is kept of an earlier event."""
    fields = _fields(row)

    def word(name: str, levels: tuple[str, ...]) -> str:
        place = int(fields[name])
        return levels[place] if place < len(levels) else levels[0]

    what = f"{word('verb', VERBS)} {word('object', OBJECTS)} on {word('service', SERVICES)}"
    return f"earlier: {what}, {word('outcome', OUTCOMES)}"


def _fields(row: NDArray[np.uint8]) -> np.void:
    fields: np.void = np.ascontiguousarray(row).view(ROW)[0]
    return fields
