"""What a verdict tells a person of an API call or a system event, and which names it gives the response to go by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared_model.events import ApiCall, Entity, EntityKind, SystemEvent, access_key
from shared_model.parsers.azure_fields import subscription_of


@dataclass(frozen=True, slots=True)
class Described:
    """What detection needs to know of one event beside its row."""

    entity: Entity
    event_id: str
    time_ms: int
    summary: Callable[[], str]
    #: Other names of the entity that this event tells, and the ones it only tells where it weighs in a verdict.
    related: tuple[Entity, ...]
    peer: tuple[Entity, ...] = ()
    session_issued_ms: int | None = None
    #: What it may have opened to others.
    opened: tuple[Entity, ...] = ()
    #: Addresses and ids that it shows of who acted, and of what it was about.
    seen: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


def describe_call(call: ApiCall) -> Described:
    related = [call.principal, *call.aliases] if call.session else [*call.aliases]
    if key := access_key(call.access_key_id, call.account):
        related.append(key)
    if call.instance_id:
        # An id of Azure names the subscription that the machine lies in, which need not be the one that saw the call.
        owner = subscription_of(call.instance_id) or call.account
        related.append(Entity(EntityKind.INSTANCE, call.instance_id, owner))
    return Described(
        entity=call.session or call.principal,
        event_id=call.event_id,
        time_ms=call.time_ms,
        summary=lambda: _say_call(call),
        related=tuple(related),
        peer=call.trusts,
        session_issued_ms=call.session_issued_ms if call.session else None,
        opened=call.opened,
        seen=(call.source_address, call.access_key_id, call.principal.id),
        targets=call.targets,
    )


def _say_call(call: ApiCall) -> str:
    outcome = "success" if call.succeeded else f"failure ({call.error_code})"
    target = f" of {call.targets[0]}" if call.targets else ""
    origin = f", from {call.source_address}" if call.source_address else ""
    return f"{call.operation} on {call.service}{target}, {outcome}{origin}"


def describe_event(event: SystemEvent) -> Described:
    peer = (Entity(EntityKind.ADDRESS, event.source_address, event.account),) if event.source_address else ()
    return Described(
        entity=event.host,
        event_id=event.event_id,
        time_ms=event.time_ms,
        summary=lambda: f"{event.process}: {event.message[:200]}" if event.process else event.message[:200],
        related=(),
        peer=peer,
        seen=(event.source_address,),
    )
