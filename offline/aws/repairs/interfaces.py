"""EC2: network interfaces are found by the public address that is mapped to them."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterface

from offline.aws.repairs.seams import substitute


def repair() -> None:
    """Apply to moto in this process; once. moto refuses the filter ``association.public-ip``."""

    def get_filter_value(self: Any, filter_name: str, method_name: str | None = None) -> Any:
        if filter_name == "association.public-ip":
            return self.association.get("publicIp")
        return found(self, filter_name, method_name)

    found = substitute(NetworkInterface, "get_filter_value", get_filter_value)
