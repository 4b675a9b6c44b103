"""Entities that an alert of Sentinel or Defender names → what can be watched and contained, and addresses.

Three spellings: ``relatedEntities`` of an incident (``kind`` and ``properties``), ``Entities`` of an alert (``Type`` beside the
rest, often as JSON text, with ``$ref`` to entities before), and ``resourceIdentifiers``. Format: "Microsoft Sentinel entity
types reference".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_model.events import Entity, EntityKind
from shared_model.parsers.azure_fields import caller_address, machine_of, object_id, part, said, subscription_of
from shared_model.parsers.fields import ID_LIMIT, within
from shared_model.vocabulary import origin_of

_INTERFACE = "/providers/microsoft.network/networkinterfaces/"
_STORAGE = "/providers/microsoft.storage/storageaccounts/"
_RESOURCE_IDS = ("azureid", "azureresourceid", "resourceid")
_OBJECT_IDS = ("aaduserid", "azureadid", "serviceprincipalobjectid", "objectid", "objectguid")


@dataclass(frozen=True, slots=True)
class Named:
    """What the entities of an alert come to: entities machines first, addresses without repeats and in order."""

    entities: tuple[Entity, ...]
    remote_addresses: tuple[str, ...]
    local_addresses: tuple[str, ...]


def read_entities(
    found: Iterable[object], resources: Sequence[str], *, seen_in: str, account: str, tenant: str, callers_first: bool
) -> Named:
    """Read the entities of one finding.

    Parameters
    ----------
    found : iterable
        Folded entities of its alerts and of itself.
    resources : sequence of str
        Ids of resources that it names beside them.
    seen_in, account, tenant : str
        Subscription in which it happened (``""`` where only the named machines tell), subscription of the finding itself (of the
        workspace, which often has one of its own), and directory. A principal goes by each of them, what it did first: Resource
        Manager's records are of a subscription, those of Entra ID of a directory.
    callers_first : bool
        Whether what it is about is who called, not the machine.

    Raises
    ------
    FieldError
        Where a name is too long to be one.
    """
    machines: dict[Entity, None] = {}
    principals: dict[tuple[str, str], None] = {}
    others: dict[Entity, None] = {}
    addresses: dict[str, None] = {}
    for resource in resources:
        _sort_in(_resource(resource), machines, others)
    for entity in found:
        if not isinstance(entity, Mapping):
            continue
        facts = {**entity, **part(entity, "properties")}
        kind = (said(entity, "kind") or said(entity, "type")).lower().replace("-", "").rpartition("/")[2]
        resource = said(facts, *_RESOURCE_IDS)
        if kind == "ip":
            if address := caller_address(said(facts, "address")):
                addresses[address] = None
        elif kind in ("account", "securityprincipal", "serviceprincipal", "cloudapplication"):
            if own_id := _principal(facts):
                principals[own_id, said(facts, "aadtenantid").lower() or tenant] = None
        elif resource:
            _sort_in(_resource(resource), machines, others)
        elif kind == "host" and (name := _host_name(facts)):
            machines[Entity(EntityKind.HOST, within(name, ID_LIMIT, "entities.hostName"), account)] = None
    happened = seen_in or next((entity.account for entity in (*machines, *others) if entity.kind is not EntityKind.HOST), "")
    callers = {
        Entity(EntityKind.PRINCIPAL, own_id, owner): None
        for own_id, directory in principals
        for owner in dict.fromkeys((happened, directory, account))
        if owner
    }
    # A machine that can be contained stands before one that only has a name.
    machines = dict.fromkeys(sorted(machines, key=lambda entity: entity.kind is EntityKind.HOST))
    order = (callers, machines, others) if callers_first else (machines, callers, others)
    local = tuple(address for address in addresses if origin_of(address) == "private")
    return Named(
        entities=tuple(dict.fromkeys(entity for group in order for entity in group)),
        remote_addresses=tuple(address for address in addresses if address not in local),
        local_addresses=local,
    )


def _sort_in(entity: Entity | None, machines: dict[Entity, None], others: dict[Entity, None]) -> None:
    if entity:
        (machines if entity.kind is EntityKind.INSTANCE else others)[entity] = None


def _resource(resource: str) -> Entity | None:
    """A virtual machine, a network interface or a storage account; other resources cannot be watched."""
    account, own_id = subscription_of(resource), resource.lower()
    within(own_id, ID_LIMIT, "entities.resourceId")
    if machine := machine_of(resource):
        return Entity(EntityKind.INSTANCE, machine, account)
    if _INTERFACE in own_id:
        return Entity(EntityKind.INTERFACE, own_id, account)
    if _STORAGE in own_id:
        before, _, after = own_id.partition(_STORAGE)
        return Entity(EntityKind.BUCKET, before + _STORAGE + after.partition("/")[0], account)
    return None


def _principal(facts: Mapping[str, Any]) -> str:
    """Object id, else the user's name in its directory; ``""`` of a machine's or a domain's account, which is nobody in Azure."""
    own_id = object_id(said(facts, *_OBJECT_IDS))
    name, suffix = said(facts, "accountname", "name"), said(facts, "upnsuffix")
    if not own_id and name:
        user = said(facts, "userprincipalname") or (f"{name}@{suffix}" if suffix and "@" not in name else name)
        own_id = user.lower() if "@" in user else ""
    return within(own_id, ID_LIMIT, "entities.aadUserId")


def _host_name(facts: Mapping[str, Any]) -> str:
    name, domain = said(facts, "hostname", "netbiosname"), said(facts, "dnsdomain")
    return f"{name}.{domain}" if name and domain and "." not in name else name
