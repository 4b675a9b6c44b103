"""What an attack sequence of GuardDuty is about: it names its machines, buckets and keys in a list of their own.

Format: GuardDuty API reference, types ``Sequence`` and ``ResourceV2``; keys as :mod:`shared_model.parsers.guardduty` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared_model.parsers.fields import mapping, text

# A sequence may list 400 resources; each one's name is asked about and kept as a signal.
_MOST = 32
# An id, or an ARN that ends in it. Of a bucket, the ARN is arn:aws:s3:::NAME.
_IDS = {
    "EC2_INSTANCE": re.compile(r"(?:.*/)?(i-[0-9a-f]+)"),
    "EC2_NETWORK_INTERFACE": re.compile(r"(?:.*/)?(eni-[0-9a-f]+)"),
    "S3_BUCKET": re.compile(r"(?:arn:[\w-]+:s3:::)?([^:/]+)"),
    "ACCESS_KEY": re.compile(r"(?:.*[/:])?([A-Z0-9]+)"),
}


def named_in(sequence: Mapping[str, Any], kind: str) -> list[str]:
    """Return the ids of its resources of a kind (``EC2_INSTANCE``, ``S3_BUCKET`` …), the first 32, without repeats."""
    return [*dict.fromkeys(identifier for identifier, _ in _resources(sequence, kind) if identifier)][:_MOST]


def interfaces_in(sequence: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return its network interfaces, the first 32, in the form that a finding about one instance has."""
    found = [*_resources(sequence, "EC2_NETWORK_INTERFACE")][:_MOST]
    return [{**mapping(data, "ec2NetworkInterface"), "networkInterfaceId": identifier} for identifier, data in found]


def credentials_in(sequence: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return its access keys, the first 32, each with whose it is, in the form that a finding about one has."""
    return [(identifier, mapping(data, "accessKey")) for identifier, data in _resources(sequence, "ACCESS_KEY")][:_MOST]


def _resources(sequence: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    resources = sequence.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        if text(resource, "resourceType") == kind:
            said = (_IDS[kind].fullmatch(text(resource, name)) for name in ("uid", "name"))
            yield next((found[1] for found in said if found), ""), mapping(resource, "data")
