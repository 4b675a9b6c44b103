"""Two-way flows → verdicts: encode, join with what is remembered, score every flow in a window of its initiator, explain."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from shared_model import addresses
from shared_model.detection import Detection, EntityScore
from shared_model.encoders import network
from shared_model.events import Entity, EntityKind, FlowBatch, Telemetry
from shared_model.memory import Remembered
from shared_model.recent_ids import hex_ids
from shared_model.remembering import remember
from shared_model.scorer import memory_key, verdict_of
from shared_model.verdicts import Evidence, Verdict, seen_in
from shared_model.windows import Events, Sequences, Windows, cut, first_new, gather, latest_alarm, merge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shared_model.detector import Detector
    from shared_model.memory import EntityMemory

#: Flows that a verdict shows, and interfaces that it names at most as reached.
EVIDENCE = 5
REACHED = 16


def detect(
    batch: FlowBatch, detector: Detector, memory: EntityMemory, *, now_ms: int, correlation_id: str, delivery: str = ""
) -> Detection:
    """Score a batch of flows. The entity of a flow is its initiator, an address within an account.

    Parameters
    ----------
    batch : FlowBatch
        In any order; a flow that is delivered twice counts once.
    detector : Detector
        The ``network`` detector.
    memory : EntityMemory
        Read only: the caller stores ``Detection.states`` after it has sent the verdicts.
    now_ms : int
        No verdict is dated later.
    correlation_id : str
    delivery : str
        Names this batch the same way whenever it is delivered: the object, its writing, and which part of it this is.
        A batch whose states were stored once is not scored again then, however many flows it has; what is remembered of an
        entity alone tells its newest flows only. ``""``: nothing is known of the delivery.

    Returns
    -------
    Detection
        A verdict names the interface and the instance too (``related``) when the initiator is the monitored interface itself.
    """
    if not len(batch):
        return Detection((), {}, ())
    mark = _delivery_key(detector, delivery) if delivery else ""
    if mark and memory.load((mark,)):
        return Detection((), {}, (), duplicates=len(batch))
    events = network.encode(batch)
    entities = _entities(batch, events)
    keys = [memory_key(detector, entity) for entity in entities]
    loaded = memory.load(keys)
    before = [loaded.get(key) for key in keys] if loaded else []
    sequences = merge(events, before, length=detector.window)
    windows = cut(sequences, length=detector.window, stride=detector.stride)
    features = network.expand(sequences.rows, sequences.times_ms, sequences.first)
    probability, kind = detector.score_sequences(features, windows.index)
    best = _best_windows(windows, probability)
    when = np.minimum(sequences.times_ms[windows.last[best]], now_ms).tolist()
    fresh = np.bincount(events.entity[sequences.event[sequences.event >= 0]], minlength=events.entities)[windows.entity[best]]
    numbers, highest = windows.entity[best].tolist(), probability[best].tolist()
    scores = tuple(map(EntityScore, [entities[number] for number in numbers], when, highest, fresh.tolist()))
    alarms = probability >= detector.threshold
    over = np.flatnonzero(alarms[best]).tolist()
    alarming = windows.index[best[over]]
    weights = detector.explain_each(gather(features, alarming))
    latest = latest_alarm(sequences, windows, alarms, events.entities)
    causes = hex_ids(events.ids[first_new(sequences, events, windows.entity[best[over]])])
    verdicts = tuple(
        _verdict(
            batch,
            events,
            sequences,
            alarming[number],
            weights[number],
            detector,
            scores[place],
            int(kind[best[place]]),
            min(int(latest[numbers[place]]), now_ms),
            causes[number],
            correlation_id,
        )
        for number, place in enumerate(over)
    )
    states = remember(
        sequences,
        events,
        before,
        length=detector.window,
        id_texts=lambda flows: hex_ids(events.ids[flows]),
        causes=dict(zip([numbers[place] for place in over], causes, strict=True)),
    )
    kept = {keys[number]: state for number, state in states.items()}
    if mark:
        kept[mark] = Remembered(b"", (), ())  # the last to be stored: it stands for all that were before it
    return Detection(
        verdicts=verdicts,
        states=kept,
        scores=scores,
        duplicates=sequences.duplicates,
        late=sequences.late,
    )


def _delivery_key(detector: Detector, delivery: str) -> str:
    """Key under which it is remembered that a batch was scored by this version of the detector."""
    return f"{detector.name}#delivered/{hashlib.sha256(f'{detector.version} {delivery}'.encode()).hexdigest()[:32]}"


def describe_flow(batch: FlowBatch, flow: int) -> str:
    """One line about one flow: ``10.0.1.5:49152 -> 198.51.100.7:22 tcp, 12 packets, rejected``."""
    protocol = int(batch.protocol[flow])
    source = _endpoint(batch.source[flow], int(batch.source_port[flow]), protocol)
    destination = _endpoint(batch.destination[flow], int(batch.destination_port[flow]), protocol)
    counts = [int(column[flow]) for column in (batch.packets_out, batch.packets_in)]
    said = [f"{source} -> {destination} {network.protocol_name(protocol)}"]
    if min(counts) >= 0:
        said.append(network.counted(sum(counts), "packet"))
    said += [word for word, true in (("rejected", batch.rejected[flow]), ("answered", batch.two_way[flow])) if true]
    return ", ".join(said)


def _endpoint(words: NDArray[np.uint64], port: int, protocol: int) -> str:
    high, low = words.tolist()
    text = addresses.to_text(high, low)
    if protocol not in (network.TCP, network.UDP):
        return text
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def _entities(batch: FlowBatch, events: Events) -> list[Entity]:
    """The entities of the batch by number."""
    sample = np.empty(events.entities, np.intp)
    sample[events.entity] = np.arange(len(events))  # any flow of an entity names it
    accounts = [interface.account for interface in batch.interfaces]
    spelled = zip(*batch.source[sample].T.tolist(), batch.interface[sample].tolist(), strict=True)
    return [Entity(EntityKind.ADDRESS, addresses.to_text(high, low), accounts[place]) for high, low, place in spelled]


def _best_windows(windows: Windows, probability: NDArray[np.float64]) -> NDArray[np.intp]:
    """The earliest of the highest-scoring windows of each entity, as indices into the windows."""
    if not len(windows):
        return np.empty(0, np.intp)
    begins = np.flatnonzero(np.diff(windows.entity, prepend=-1))
    counts = np.diff(begins, append=len(windows))
    highest = np.flatnonzero(probability == np.repeat(np.maximum.reduceat(probability, begins), counts))
    _, first = np.unique(windows.entity[highest], return_index=True)
    best: NDArray[np.intp] = highest[first]
    return best


def _verdict(
    batch: FlowBatch,
    events: Events,
    sequences: Sequences,
    window: NDArray[np.intp],
    weight_of_place: NDArray[np.float64],
    detector: Detector,
    score: EntityScore,
    kind: int,
    time_ms: int,
    cause: str,
    correlation_id: str,
) -> Verdict:
    """Put one alarming window of one entity into words. ``window`` and its events' weights are (T,)."""
    rows, weights = window[window >= 0], weight_of_place[window >= 0]

    def event_id(row: int) -> str:
        event = int(sequences.event[row])
        return f"{int(events.ids[event]):016x}" if event >= 0 else sequences.remembered_ids[-1 - event]

    def summary(row: int) -> str:
        event = int(sequences.event[row])
        return describe_flow(batch, event) if event >= 0 else network.describe_facts(sequences.rows[row])

    heaviest = np.argsort(-weights, kind="stable")[:EVIDENCE]
    evidence = tuple(
        Evidence(event_id(row), int(sequences.times_ms[row]), weight, summary(row))
        for row, weight in zip(rows[heaviest].tolist(), weights[heaviest].tolist(), strict=True)
    )
    own = sequences.event[rows]
    new = own[own >= 0].tolist()
    return verdict_of(
        detector,
        Telemetry.FLOW_LOGS,
        score.entity,
        tuple(dict.fromkeys(_own_names(batch, new))),
        time_ms,
        score.probability,
        kind,
        cause,
        evidence,
        correlation_id=correlation_id,
        completed_flow=bool(network.is_two_way(sequences.rows[rows]).any()),
        reached=tuple(dict.fromkeys(_reached(batch, new)))[:REACHED],
        seen=seen_in(_answered(batch, new)),
    )


def _own_names(batch: FlowBatch, flows: list[int]) -> Iterator[Entity]:
    """Instance and interface that are the initiator of these flows: what can be isolated."""
    for flow in flows:
        if batch.local_source[flow]:
            interface = batch.interfaces[int(batch.interface[flow])]
            for kind, name in ((EntityKind.INSTANCE, interface.instance_id), (EntityKind.INTERFACE, interface.interface_id)):
                if name:
                    yield Entity(kind, name, interface.account)


def _answered(batch: FlowBatch, flows: list[int]) -> Iterator[str]:
    """Addresses at both ends of the flows that were answered: no spoofed one is among them."""
    for flow in flows:
        if batch.two_way[flow]:
            yield from (addresses.to_text(*end[flow].tolist()) for end in (batch.destination, batch.source))


def _reached(batch: FlowBatch, flows: list[int]) -> Iterator[Entity]:
    """Interfaces that answered the initiator of these flows from inside: where it can be denied."""
    for flow in flows:
        if batch.two_way[flow] and not batch.local_source[flow]:
            interface = batch.interfaces[int(batch.interface[flow])]
            if interface.interface_id:
                yield Entity(EntityKind.INTERFACE, interface.interface_id, interface.account)
