"""API calls and system events → verdicts: encode, join with what is remembered, score every event in a window, explain."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shared_model.audit_descriptions import Described, describe_call, describe_event
from shared_model.detection import Detection, EntityScore
from shared_model.encoders.audit import as_now, describe_row, encode_api_calls, encode_system_events, expand
from shared_model.events import ApiCall, Entity, SystemEvent, Telemetry
from shared_model.memory import EntityMemory, Remembered
from shared_model.pasts import tell_pasts
from shared_model.remembering import remember
from shared_model.scorer import Scorer, memory_key, verdict_of
from shared_model.verdicts import Evidence, seen_in
from shared_model.windows import Events, Sequences, Windows, cut, first_new, latest_alarm, merge

#: Events that a verdict shows.
EVIDENCE = 5
#: What was opened, that a verdict names at most.
_OPENED = 64
_CHUNK = 1024  # windows that are expanded at once: bounds memory, however many events a batch holds


def detect_api_calls(
    calls: Sequence[ApiCall], detector: Scorer, memory: EntityMemory, *, now_ms: int, correlation_id: str
) -> Detection:
    """Score a batch of API calls. The entity is the session where there is one, else the principal.

    Parameters
    ----------
    calls : sequence of ApiCall
        In any order; what is delivered twice (also on the other delivery path) counts once.
    detector : Scorer
        The ``audit`` detector.
    memory : EntityMemory
        Read only: the caller stores ``Detection.states`` after it has sent the verdicts.
    now_ms : int
        No verdict is dated later.
    correlation_id : str

    Returns
    -------
    Detection
    """
    described = [describe_call(call) for call in calls]
    return _detect(encode_api_calls(calls), described, Telemetry.API_CALLS, detector, memory, now_ms, correlation_id, calls)


def detect_system_events(
    events: Sequence[SystemEvent], detector: Scorer, memory: EntityMemory, *, now_ms: int, correlation_id: str
) -> Detection:
    """Score a batch of system-log records. The entity is the host (or instance); see :func:`detect_api_calls`."""
    described = [describe_event(event) for event in events]
    return _detect(encode_system_events(events), described, Telemetry.SYSTEM_LOGS, detector, memory, now_ms, correlation_id)


def _detect(
    rows: NDArray[np.uint8],
    described: Sequence[Described],
    telemetry: Telemetry,
    detector: Scorer,
    memory: EntityMemory,
    now_ms: int,
    correlation_id: str,
    calls: Sequence[ApiCall] = (),
) -> Detection:
    if not described:
        return Detection((), {}, ())
    numbers: dict[Entity, int] = {}
    of_event = np.array([numbers.setdefault(item.entity, len(numbers)) for item in described], np.intp)
    entities = tuple(numbers)
    keys = [memory_key(detector, entity) for entity in entities]
    loaded = memory.load(keys)
    before = [_as_rows_are_now(loaded.get(key)) for key in keys]
    sketches, apart = dict[str, bytes](), dict[str, Remembered]()
    if calls:
        principals = [memory_key(detector, call.principal) for call in calls]
        sketches, apart = tell_pasts(rows, calls, [keys[number] for number in of_event.tolist()], principals, loaded, memory)
    times = np.array([item.time_ms for item in described], np.int64)
    events = Events(of_event, times, np.array([_id_hash(item.event_id) for item in described], np.uint64), rows, len(entities))
    sequences = merge(events, before, length=detector.window)
    windows = cut(sequences, length=detector.window, stride=detector.stride)
    probabilities, kinds = _score(sequences, windows, detector)
    best = _best_windows(windows, probabilities)
    alarms = probabilities >= detector.threshold
    latest = latest_alarm(sequences, windows, alarms, len(entities)) if alarms.any() else None
    fresh = np.bincount(of_event[sequences.event[sequences.event >= 0]], minlength=len(entities))
    verdicts, scores = [], []
    causes: dict[int, str] = {}
    for number, window in best.items():
        last = int(windows.last[window])
        when = min(int(sequences.times_ms[last]), now_ms)
        probability = float(probabilities[window])
        scores.append(EntityScore(entities[number], when, probability, int(fresh[number])))
        if latest is not None and alarms[window]:
            evidence, peers, opened = _explain(sequences, windows.index[window], described, detector)
            own = _new_events(sequences, number, described)
            issued = [item.session_issued_ms for item in own if item.session_issued_ms is not None]
            related = dict.fromkeys(name for item in own for name in item.related)
            related |= dict.fromkeys(peers)
            (first,) = first_new(sequences, events, np.array([number])).tolist()
            causes[number] = described[first].event_id
            verdict = verdict_of(
                detector,
                telemetry,
                entities[number],
                tuple(name for name in related if name != entities[number]),
                min(int(latest[number]), now_ms),
                probability,
                int(kinds[window]),
                causes[number],
                evidence,
                correlation_id=correlation_id,
                session_issued_ms=max(issued, default=None),
                opened=opened,
                seen=seen_in(_shown(sequences, windows.index[window], own, described)),
            )
            verdicts.append(verdict)
    states = remember(
        sequences,
        events,
        before,
        length=detector.window,
        id_texts=lambda chosen: [described[place].event_id for place in chosen.tolist()],
        now_ms=now_ms,
        causes=causes,
        habits={number: sketches.get(key, b"") for number, key in enumerate(keys)},
    )
    return Detection(
        verdicts=tuple(verdicts),
        states=apart | {keys[number]: state for number, state in states.items()},
        scores=tuple(scores),
        duplicates=sequences.duplicates,
        late=sequences.late,
    )


def _as_rows_are_now(state: Remembered | None) -> Remembered | None:
    if state is None or (rows := as_now(state.rows, len(state.times_ms))) is state.rows:
        return state
    return replace(state, rows=rows)


def _score(sequences: Sequences, windows: Windows, detector: Scorer) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    probabilities = np.zeros(len(windows), np.float64)
    kinds = np.zeros(len(windows), np.intp)
    for start in range(0, len(windows), _CHUNK):
        part = slice(start, start + _CHUNK)
        probabilities[part], kinds[part] = detector.score(expand(_rows_of(sequences, windows.index[part])))
    return probabilities, kinds


def _rows_of(sequences: Sequences, index: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Rows of windows, zero bytes where there is padding (index -1, the row behind the last)."""
    padded: NDArray[np.uint8] = np.concatenate([sequences.rows, np.zeros((1, sequences.rows.shape[1]), np.uint8)])
    return padded[index]


def _best_windows(windows: Windows, probabilities: NDArray[np.float64]) -> dict[int, int]:
    """The earliest of the highest-scoring windows of each entity."""
    best: dict[int, int] = {}
    scores = probabilities.tolist()
    for window, number in enumerate(windows.entity.tolist()):
        if number not in best or scores[window] > scores[best[number]]:
            best[number] = window
    return best


def _explain(
    sequences: Sequences, index: NDArray[np.intp], described: Sequence[Described], detector: Scorer
) -> tuple[tuple[Evidence, ...], tuple[Entity, ...], tuple[Entity, ...]]:
    """Return the events that weighed most, heaviest first, the remote sides that they name, and what any call has opened."""
    (dense,) = expand(_rows_of(sequences, index[None]))
    weights = np.asarray(detector.explain(dense))
    evidence: list[Evidence] = []
    peers: list[Entity] = []
    opened: list[Entity] = []
    for place in np.argsort(-weights, kind="stable").tolist():
        row = int(index[place])
        if row < 0:
            continue
        event = int(sequences.event[row])
        opened += described[event].opened if event >= 0 else ()
        if len(evidence) == EVIDENCE:
            continue
        summary = described[event].summary() if event >= 0 else describe_row(sequences.rows[row])
        evidence.append(
            Evidence(_event_id(sequences, row, described), int(sequences.times_ms[row]), float(weights[place]), summary)
        )
        peers += described[event].peer if event >= 0 else ()
    return tuple(evidence), tuple(peers), tuple(dict.fromkeys(opened))[:_OPENED]


def _new_events(sequences: Sequences, number: int, described: Sequence[Described]) -> list[Described]:
    begin, end = sequences.offsets[number], sequences.offsets[number + 1]
    return [described[event] for event in sequences.event[begin:end].tolist() if event >= 0]


def _shown(sequences: Sequences, index: NDArray[np.intp], own: list[Described], described: Sequence[Described]) -> Iterator[str]:
    """What new events show: those of the window first, the newest first, who acted before what it was about.

    Only so many are kept: whoever makes many harmless calls first would else hide what the alarm is about.
    """
    alarming = [described[event] for event in sequences.event[index[index >= 0]].tolist() if event >= 0]
    for items in (alarming[::-1], own[::-1]):
        yield from (name for item in items for name in item.seen)
        yield from (name for item in items for name in item.targets)


def _event_id(sequences: Sequences, row: int, described: Sequence[Described]) -> str:
    event = int(sequences.event[row])
    return described[event].event_id if event >= 0 else sequences.remembered_ids[-1 - event]


def _id_hash(event_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(event_id.encode("utf-8", "replace"), digest_size=8).digest())
