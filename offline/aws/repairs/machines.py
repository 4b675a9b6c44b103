"""EC2: security groups belong to a network interface, and an instance shows those of its primary one."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance

from offline.aws.repairs.seams import substitute


def repair() -> None:
    """Apply to moto in this process; once.

    moto keeps the groups twice, on the instance and on its interfaces, and shows every interface with both: an
    interface whose groups were rewritten would still show those of its instance, and every secondary interface the
    primary one's.
    """

    def groups(self: Any) -> Any:
        primary = self.__dict__.get("nics", {}).get(0)
        return primary._group_set if primary is not None else self.__dict__.get("_launch_groups", [])

    def set_groups(self: Any, value: Any) -> None:
        primary = self.__dict__.get("nics", {}).get(0)
        if primary is None:  # while it is being launched
            self.__dict__["_launch_groups"] = value
        else:
            primary._group_set = list(value)

    # On the instance it was a plain attribute; a property of the class takes its place.
    Instance.security_groups = property(groups, set_groups)  # type: ignore[assignment]
    substitute(NetworkInterface, "group_set", property(lambda self: self._group_set))
