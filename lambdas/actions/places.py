"""Where an address was seen: the interfaces and instances that a verdict names, as EC2 describes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_INTERFACE = re.compile(r"eni-[0-9a-f]{8,17}")
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")

Interface = Mapping[str, Any]


def named_targets(verdict: Verdict) -> tuple[str, ...]:
    """Return the ids of the interfaces and instances that a verdict names or that its address has reached."""
    named = (verdict.entity, *verdict.related, *verdict.reached)
    return tuple(dict.fromkeys(entity.id for entity in named if _is_place(entity)))


class Places:
    """Reads interfaces and what protects them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def interfaces(self, named: Iterable[str]) -> list[Interface]:
        """Return the interfaces that are named, and those of the instances that are; what is gone is absent."""
        names = tuple(named)
        found: dict[str, Interface] = {}
        for filter_name, shape in (("network-interface-id", _INTERFACE), ("attachment.instance-id", _INSTANCE)):
            if wanted := [name for name in names if shape.fullmatch(name)]:
                filters = [{"Name": filter_name, "Values": wanted}]
                with in_core_words("DescribeNetworkInterfaces"):
                    pages = self._clients("ec2").get_paginator("describe_network_interfaces").paginate(Filters=filters)
                    found |= {one["NetworkInterfaceId"]: one for page in pages for one in page["NetworkInterfaces"]}
        return [found[name] for name in sorted(found)]

    def instances(self, interfaces: Iterable[Interface]) -> list[Mapping[str, Any]]:
        """Return the instances that have these interfaces."""
        wanted = sorted({name for one in interfaces if (name := (one.get("Attachment") or {}).get("InstanceId"))})
        if not wanted:
            return []
        filters = [{"Name": "instance-id", "Values": wanted}]
        with in_core_words("DescribeInstances"):
            pages = self._clients("ec2").get_paginator("describe_instances").paginate(Filters=filters)
            return [instance for page in pages for reservation in page["Reservations"] for instance in reservation["Instances"]]


def tags_of(*described: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of what EC2 described, together."""
    return {tag["Key"]: tag["Value"] for one in described for tag in (*one.get("Tags", ()), *one.get("TagSet", ()))}


def _is_place(entity: Entity) -> bool:
    if entity.kind is EntityKind.INTERFACE:
        return _INTERFACE.fullmatch(entity.id) is not None
    return entity.kind is EntityKind.INSTANCE and _INSTANCE.fullmatch(entity.id) is not None
