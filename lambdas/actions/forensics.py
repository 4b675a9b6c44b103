"""What is kept of a quarantined instance for those who look into it, where the policy asks for it: snapshots, and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdas.actions.pages import tags_of
from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from response.actions import Difference

#: Names the containment on each snapshot: by it they are found again, and none is taken twice.
CONTAINMENT_TAG = "breakwater:containment"
_KEY = re.compile(r"(?!aws:)[\w .:/=+@-]{1,128}")
_VALUE = re.compile(r"[\w .:/=+@{}-]{0,256}")
_MOST_TAGS = 10
_NO_TAG = "no such tag"


@dataclass(frozen=True, slots=True)
class Forensics:
    """What the policy asks for.

    Attributes
    ----------
    snapshots : bool
    tags : mapping of key to value
        Of the instance while it is contained; ``{containment}`` stands for the containment's id.
    """

    snapshots: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)


def read_forensics(settings: Mapping[str, Any]) -> Forensics:
    """Read ``{"snapshots": true, "tags": {…}}`` of the policy. Raises ValueError, which names the place and what fits there."""
    if unknown := sorted(settings.keys() - {"snapshots", "tags"}):
        raise ValueError(f"{unknown[0]}: there is no such setting: here stand snapshots, tags")
    snapshots, tags = settings.get("snapshots", False), settings.get("tags", {})
    if not isinstance(snapshots, bool):
        raise ValueError(f"snapshots: give true or false (it is {snapshots!r})")
    if not isinstance(tags, Mapping) or len(tags) > _MOST_TAGS:
        raise ValueError(f"tags: give at most {_MOST_TAGS} tags, each a key and a text (it is {tags!r})")
    for key, value in tags.items():
        if not isinstance(value, str) or not _KEY.fullmatch(str(key)) or not _VALUE.fullmatch(value):
            raise ValueError(f"tags.{key}: give a key that AWS takes and a text of at most 256 characters (it is {value!r})")
    return Forensics(snapshots, dict(tags))


class Evidence:
    """Takes snapshots of an instance's volumes, and tags the instance."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def snapshots(self, containment: str) -> list[str]:
        """Return the snapshots of a containment."""
        return sorted(snapshot["SnapshotId"] for snapshot in self._snapshots(containment))

    def holds(self, instance_id: str, tags: Mapping[str, str], containment: str) -> bool:
        """Say whether the instance has these tags, and each of its volumes a snapshot of the containment (``""``: of none)."""
        if not tags and not containment:
            return True
        instance = self._instance(instance_id)
        now = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
        return tags.items() <= now.items() and (not containment or self._is_saved(instance, containment))

    def take_snapshots(self, instance_id: str, containment: str) -> None:
        """Take one of each volume, of one moment, unless they were taken already. Raises CloudRefusal."""
        if self._is_saved(self._instance(instance_id), containment):
            return
        tags = [{"Key": CONTAINMENT_TAG, "Value": containment}, {"Key": "Name", "Value": f"{instance_id}, quarantined"}]
        with in_core_words("CreateSnapshots"):
            # Knows no token that would make a second request the same: the next delivery looks what is there first.
            self._clients("ec2", once=True).create_snapshots(
                InstanceSpecification={"InstanceId": instance_id},
                Description=f"Breakwater containment {containment} of {instance_id}",
                TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags}],
            )

    def _is_saved(self, instance: Mapping[str, Any], containment: str) -> bool:
        volumes = {mapping["Ebs"]["VolumeId"] for mapping in instance.get("BlockDeviceMappings", ()) if "Ebs" in mapping}
        good = {"status": ["pending", "completed"], "volume-id": sorted(volumes)}
        return not volumes or volumes <= {snapshot["VolumeId"] for snapshot in self._snapshots(containment, good)}

    def _snapshots(self, containment: str, only: Mapping[str, list[str]] | None = None) -> list[dict[str, Any]]:
        wanted = {f"tag:{CONTAINMENT_TAG}": [containment], **(only or {})}
        filters = [{"Name": name, "Values": values} for name, values in wanted.items()]
        with in_core_words("DescribeSnapshots"):
            pages = self._clients("ec2").get_paginator("describe_snapshots").paginate(OwnerIds=["self"], Filters=filters)
            return [snapshot for page in pages for snapshot in page["Snapshots"]]

    def _instance(self, instance_id: str) -> dict[str, Any]:
        with in_core_words("DescribeInstances"):
            found = self._clients("ec2").describe_instances(InstanceIds=[instance_id])
        return next((i for reservation in found["Reservations"] for i in reservation["Instances"]), {})

    def tags(self, instance_id: str) -> dict[str, str]:
        """Return the tags of an instance."""
        return tags_of(self._clients, instance_id)

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an instance."""
        if tags:
            with in_core_words("CreateTags"):
                self._clients("ec2").create_tags(
                    Resources=[instance_id], Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
                )

    def untag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Take away these tags where they still have these values."""
        if tags:
            with in_core_words("DeleteTags"):
                self._clients("ec2").delete_tags(
                    Resources=[instance_id], Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
                )

    def compare(self, instance_id: str, before: Mapping[str, str | None], ours: Mapping[str, str]) -> Iterator[Difference]:
        """Yield each of these tags, three ways."""
        now = self.tags(instance_id) if before else {}
        for key, value in before.items():
            is_changed = now.get(key) not in (value, ours[key])
            yield Difference(f"tag {key} of {instance_id}", value or _NO_TAG, ours[key], now.get(key, _NO_TAG), is_changed)

    def give_back(
        self, instance_id: str, before: Mapping[str, str | None], ours: Mapping[str, str], *, overwrite: bool = False
    ) -> tuple[list[str], list[str]]:
        """Give tags the values that they had. Returns what was restored, and what somebody changed since and is left."""
        restored, left, now = list[str](), list[str](), self.tags(instance_id) if before else {}
        again: dict[str, str] = {}
        away: dict[str, str] = {}
        for key, value in before.items():
            if now.get(key) == value:
                continue
            if now.get(key) != ours[key] and not overwrite:
                left.append(f"{instance_id} has the tag {key}={now.get(key)}: someone changed it since; it had {value}")
                continue
            if value is None:
                away[key] = str(now[key])
            else:
                again[key] = value
            restored.append(f"{instance_id}: tag {key} {'away' if value is None else f'= {value}'}")
        self.tag(instance_id, again)
        self.untag(instance_id, away)
        return restored, left
