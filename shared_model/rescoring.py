"""Scoring again what is remembered of an entity, without a new event: for triage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared_model.encoders import audit, network
from shared_model.events import Entity, Telemetry
from shared_model.memory import Remembered
from shared_model.scorer import Scorer, verdict_of
from shared_model.verdicts import Evidence, Verdict

#: Events that a verdict shows.
EVIDENCE = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The newest window of one entity: features (T, F), and what is known of the n events at its end."""

    features: NDArray[np.float32]
    events: int
    telemetry: Telemetry
    describe: Callable[[int], str]
    completed_flow: bool = False


def rescore(entity: Entity, remembered: Remembered, detector: Scorer) -> Verdict | None:
    """Score the newest window that is remembered of an entity, as a verdict whatever its probability.

    None where nothing usable is remembered (no rows, or rows of another encoder's format). ``correlation_id``
    and ``related`` are left empty.
    """
    window = (_network if detector.name == "network" else _audit)(remembered, detector.window)
    if window is None:
        return None
    probability, kind = detector.score(window.features[None])
    weights = np.asarray(detector.explain(window.features))[-window.events :]
    ids, times = remembered.event_ids[-window.events :], remembered.times_ms[-window.events :]
    evidence = tuple(
        Evidence(ids[place], times[place], float(weights[place]), window.describe(place))
        for place in np.argsort(-weights, kind="stable")[:EVIDENCE].tolist()
    )
    return verdict_of(
        detector,
        window.telemetry,
        entity,
        (),
        times[-1],
        float(probability[0]),
        int(kind[0]),
        remembered.cause or ids[-1],
        evidence,
        completed_flow=window.completed_flow,
    )


def _rows(remembered: Remembered, width: int) -> NDArray[np.uint8] | None:
    count = len(remembered.times_ms)
    if not count or len(remembered.rows) != width * count or len(remembered.event_ids) != count:
        return None
    return np.frombuffer(remembered.rows, np.uint8).reshape(count, width)


def _audit(remembered: Remembered, length: int) -> _Window | None:
    now = replace(remembered, rows=audit.as_now(remembered.rows, len(remembered.times_ms)))
    rows = _rows(now, audit.ROW_BYTES)
    if rows is None:
        return None
    rows = rows[-length:]
    padded = np.zeros((1, length, audit.ROW_BYTES), np.uint8)
    padded[0, length - len(rows) :] = rows
    (features,) = audit.expand(padded)
    return _Window(features, len(rows), audit.telemetry_of_row(rows[-1]), lambda place: audit.describe_row(rows[place]))


def _network(remembered: Remembered, length: int) -> _Window | None:
    rows = _rows(remembered, network.FACTS.itemsize)
    if rows is None:
        return None
    facts = rows.view(network.FACTS)[:, 0]
    first = np.zeros(len(facts), np.bool_)
    first[0] = True
    known = network.expand(facts, np.array(remembered.times_ms, np.int64), first)[-length:]
    features = np.zeros((length, known.shape[1]), np.float32)
    features[length - len(known) :] = known
    kept = facts[-length:]
    return _Window(
        features,
        len(known),
        Telemetry.FLOW_LOGS,
        lambda place: network.describe_facts(kept[place]),
        completed_flow=bool(network.is_two_way(kept).any()),
    )
