"""With whom a snapshot or an image is shared: of a volume, of a database, of a machine. Each service says it its own way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lambdas.actions.pages import tags_of
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from shared_model.events import Entity, EntityKind

#: The word of all three services for everybody.
EVERYBODY = "all"


class Shares:
    """Reads with whom something is shared, and adds and takes away."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def read(self, shared: Entity) -> list[str] | None:
        """Return ``all``, accounts and ARNs of organizations, sorted; None where it is not there."""
        try:
            if _of_database(shared):
                return self._of_database(shared.id)
            return self._of_image(shared.id) if shared.kind is EntityKind.IMAGE else self._of_volume(shared.id)
        except CloudRefusal as refusal:
            if "NotFound" in refusal.code or "Malformed" in refusal.code or "Unavailable" in refusal.code:
                return None
            raise

    def write(self, shared: Entity, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Share it with these, and no longer with those. Raises CloudRefusal."""
        added, removed = sorted(add), sorted(remove)
        ec2 = self._clients("ec2")
        if not added and not removed:
            return
        if _of_database(shared):
            name, values = _database_name(shared.id), {"ValuesToAdd": added, "ValuesToRemove": removed}
            rds = self._clients("rds")
            with in_core_words("ModifyDBSnapshotAttribute"):
                if ":cluster-snapshot:" in shared.id:
                    rds.modify_db_cluster_snapshot_attribute(DBClusterSnapshotIdentifier=name, AttributeName="restore", **values)
                else:
                    rds.modify_db_snapshot_attribute(DBSnapshotIdentifier=name, AttributeName="restore", **values)
        elif shared.kind is EntityKind.IMAGE:
            with in_core_words("ModifyImageAttribute"):
                ec2.modify_image_attribute(ImageId=shared.id, LaunchPermission=_changes(added, removed))
        else:
            for verb, names in (("add", added), ("remove", removed)):
                if names:
                    with in_core_words("ModifySnapshotAttribute"):
                        ec2.modify_snapshot_attribute(
                            SnapshotId=shared.id,
                            Attribute="createVolumePermission",
                            OperationType=verb,
                            GroupNames=[name for name in names if name == EVERYBODY],
                            UserIds=[name for name in names if name != EVERYBODY],
                        )

    def tags(self, shared: Entity) -> dict[str, str]:
        """Return its tags. Raises CloudRefusal where it is gone."""
        if not _of_database(shared):
            return tags_of(self._clients, shared.id)
        with in_core_words("ListTagsForResource"):
            found = self._clients("rds").list_tags_for_resource(ResourceName=shared.id)["TagList"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def _of_volume(self, snapshot: str) -> list[str]:
        with in_core_words("DescribeSnapshotAttribute"):
            found = self._clients("ec2").describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
        return _names(found["CreateVolumePermissions"])

    def _of_image(self, image: str) -> list[str]:
        with in_core_words("DescribeImageAttribute"):
            found = self._clients("ec2").describe_image_attribute(ImageId=image, Attribute="launchPermission")
        return _names(found["LaunchPermissions"])

    def _of_database(self, arn: str) -> list[str]:
        rds, name = self._clients("rds"), _database_name(arn)
        with in_core_words("DescribeDBSnapshotAttributes"):
            if ":cluster-snapshot:" in arn:
                answer = rds.describe_db_cluster_snapshot_attributes(DBClusterSnapshotIdentifier=name)
                attributes = answer["DBClusterSnapshotAttributesResult"]["DBClusterSnapshotAttributes"]
            else:
                answer = rds.describe_db_snapshot_attributes(DBSnapshotIdentifier=name)
                attributes = answer["DBSnapshotAttributesResult"]["DBSnapshotAttributes"]
        return sorted(value for each in attributes if each["AttributeName"] == "restore" for value in each["AttributeValues"])


def _of_database(shared: Entity) -> bool:
    return shared.kind is EntityKind.SNAPSHOT and shared.id.startswith("arn:")


def _database_name(arn: str) -> str:
    return arn.split(":", 6)[-1]


def _names(permissions: Iterable[Mapping[str, Any]]) -> list[str]:
    fields = ("Group", "UserId", "OrganizationArn", "OrganizationalUnitArn")
    return sorted(str(each[field]) for each in permissions for field in fields if each.get(field))


def _changes(added: Iterable[str], removed: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    changes = {"Add": [_permission(name) for name in added], "Remove": [_permission(name) for name in removed]}
    return {verb: permissions for verb, permissions in changes.items() if permissions}


def _permission(name: str) -> dict[str, str]:
    if name == EVERYBODY:
        return {"Group": name}
    if name.startswith("arn:"):
        return {"OrganizationalUnitArn" if ":ou/" in name else "OrganizationArn": name}
    return {"UserId": name}
