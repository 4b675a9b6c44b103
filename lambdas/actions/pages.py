"""EC2 page by page: without a page size it answers whole, which it refuses or throttles in an account that has much of it."""

from __future__ import annotations

from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words

#: The most that EC2 puts on a page of interfaces or tags.
_PAGE = 1000


def interfaces_with(clients: Clients, key: str, value: str) -> list[dict[str, Any]]:
    """Return the network interfaces that have this value of a filter."""
    return _all(clients, "describe_network_interfaces", "NetworkInterfaces", key, value)


def tags_of(clients: Clients, resource: str) -> dict[str, str]:
    """Return the tags of a resource of EC2."""
    found = _all(clients, "describe_tags", "Tags", "resource-id", resource)
    return {tag["Key"]: tag["Value"] for tag in found}


def _all(clients: Clients, call: str, of: str, key: str, value: str) -> list[dict[str, Any]]:
    filters = [{"Name": key, "Values": [value]}]
    with in_core_words("".join(part.capitalize() for part in call.split("_"))):
        pages = clients("ec2").get_paginator(call).paginate(Filters=filters, MaxResults=_PAGE)
        return [each for page in pages for each in page[of]]
