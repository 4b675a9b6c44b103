"""Which addresses are somebody's whom a denial could keep out."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from response.actions import Plan

Address = IPv4Address | IPv6Address


def read_address(text: str) -> Address | None:
    """Return an address in its own version of IP (of ``::ffff:203.0.113.9`` the four numbers), None for any other text."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def address_of(plan: Plan) -> Address:
    """Return the address that a plan denies. Raises ValueError: what stands there is none."""
    address = read_address(plan.after["address"])
    if address is None:
        raise ValueError(f"{plan.after['address']} in a plan of {plan.action} is no address")
    return address


def not_of_another_host(address: Address) -> str:
    """Say why an address is nobody's to deny, ``""`` where it may be: loopback, link-local, multicast, reserved, unspecified."""
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return "no address of another host"
    return ""
