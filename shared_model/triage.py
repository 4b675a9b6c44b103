"""Triage: a finding of the cloud's own detector becomes a verdict, and the entities it names are looked at again.

The finding is one signal. The model's view of the remembered events of the same entities is another one
where it was drawn from other telemetry; whether the two may contain is decided by the response, not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from shared_model.detection import EntityScore
from shared_model.events import SPOOFABLE, Entity, EntityKind, Finding
from shared_model.memory import EntityMemory
from shared_model.scorer import Scorer, memory_key
from shared_model.verdicts import Evidence, Verdict, seen_in, verdict_id

#: Version of the reading of findings: part of the verdict id.
FINDING_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Triage:
    """What came of one finding.

    Attributes
    ----------
    verdicts : tuple of Verdict
        The finding's own first, then the model's for each remembered entity that reached the threshold.
    scores : tuple of EntityScore
        One per remembered window that was scored again, whether or not it reached the threshold.
    skipped : str
        Why the finding gave no verdict (a sample, nothing that can be watched), ``""`` when it did.
    """

    verdicts: tuple[Verdict, ...]
    scores: tuple[EntityScore, ...] = ()
    skipped: str = ""


def triage(
    finding: Finding,
    detectors: Mapping[str, Scorer],
    memory: EntityMemory,
    *,
    now_ms: int,
    correlation_id: str,
) -> Triage:
    """Turn a finding into a verdict and score the remembered windows of the entities that it names.

    Parameters
    ----------
    finding : Finding
    detectors : mapping of detector name to Scorer
        Empty where no model is deployed: the finding stands alone.
    memory : EntityMemory
        Read only. A failed read raises, so that the finding is delivered again.
    now_ms : int
        Caps the verdict's time: a finding dated in the future would outlive every corroboration window.
    correlation_id : str

    Returns
    -------
    Triage
    """
    if finding.sample:
        return Triage((), skipped=f"finding {finding.finding_id} is a sample: samples are never acted on")
    verdict = finding_verdict(finding, now_ms=now_ms, correlation_id=correlation_id)
    if verdict is None:
        return Triage((), skipped=f"finding {finding.finding_id} ({finding.type}) names no entity that can be watched")
    if not detectors:
        return Triage((verdict,))
    from shared_model.rescoring import rescore  # brings numpy, which a finding alone does not need

    asked = {memory_key(detector, entity): (detector, entity) for detector in detectors.values() for entity in _watched(finding)}
    verdicts, scores = [verdict], []
    for key, remembered in memory.load(asked).items():
        detector, entity = asked[key]
        again = rescore(entity, remembered, detector)
        if again is None:
            continue
        scores.append(EntityScore(entity, again.time_ms, again.probability, 0))
        if again.probability >= again.threshold:
            verdicts.append(
                replace(
                    again,
                    correlation_id=correlation_id,
                    time_ms=min(again.time_ms, now_ms),
                    related=_also_known_as(entity, finding),
                )
            )
    return Triage(tuple(verdicts), tuple(scores))


def finding_verdict(finding: Finding, *, now_ms: int, correlation_id: str) -> Verdict | None:
    """Return the finding as a verdict of its own, None where it names nothing that can be watched.

    The probability is severity / 10 and the threshold 0: every finding is a signal, and the operator's policy says
    from which severity on it counts. The id rests on the finding's id and the alerts that it groups: a
    repeated or updated delivery is the same cause, while a further alert is a new one. It shows its remote addresses where nobody
    can have made them up.
    """
    entities = (*finding.entities, *(Entity(EntityKind.ADDRESS, address, finding.account) for address in finding.local_addresses))
    if not entities:
        # Only the other side is known. Nothing shows a completed flow, so the response will not block it, and the further
        # addresses are told and lend no signal.
        entities = tuple(Entity(EntityKind.ADDRESS, address, finding.account) for address in finding.remote_addresses)
    if not entities:
        return None
    time_ms = min(finding.time_ms, now_ms)
    return Verdict(
        id=verdict_id(finding.product, FINDING_VERSION, entities[0], "\n".join((finding.finding_id, *finding.alerts))),
        correlation_id=correlation_id,
        detector=finding.product,
        detector_version=FINDING_VERSION,
        telemetry=finding.telemetry,
        entity=entities[0],
        related=entities[1:],
        time_ms=time_ms,
        probability=finding.severity / 10,
        threshold=0.0,
        technique=finding.technique,
        title=finding.title,
        evidence=(Evidence(finding.finding_id, time_ms, 1.0, _summary(finding)),),
        seen=() if finding.telemetry in SPOOFABLE else seen_in(finding.remote_addresses),
    )


def _watched(finding: Finding) -> Iterator[Entity]:
    yield from finding.entities
    for address in (*finding.local_addresses, *finding.remote_addresses):
        yield Entity(EntityKind.ADDRESS, address, finding.account)


def _also_known_as(entity: Entity, finding: Finding) -> tuple[Entity, ...]:
    """Other names of an entity that the finding tells: an own address or interface is the instance's; a remote side has none."""
    if entity.kind is EntityKind.ADDRESS and entity.id not in finding.local_addresses:
        return ()
    return tuple(other for other in finding.entities if other != entity)


def _summary(finding: Finding) -> str:
    remote = ""
    if finding.remote_addresses:
        more = len(finding.remote_addresses) - 1
        remote = f", remote {finding.remote_addresses[0]}" + (f" and {more} more" if more else "")
    return f"{finding.type}, severity {finding.severity:g}, seen {finding.count} times{remote}"
