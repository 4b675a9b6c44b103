"""Whether an address is among the prefixes, service tags and application security groups of one end of a rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Azure's own address for health probes, DHCP and DNS: the only one behind the tag AzureLoadBalancer.
PLATFORM_ADDRESS = "168.63.129.16"
_EVERYTHING = frozenset({"*", "any"})
#: Networks that the internet does not carry (RFC 1918, RFC 6598, RFC 4193).
_PRIVATE = tuple(ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))


class Fit(Enum):
    """Whether a rule's end matches an address."""

    NO = 0
    YES = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class Place:
    """One address of an interface, with what its security groups know about it.

    Attributes
    ----------
    address : str
    groups : frozenset of str
        Ids of the application security groups that it is a member of, lower case.
    network : tuple of str
        Address spaces of its virtual network and of the networks peered with it.
    """

    address: str
    groups: frozenset[str] = frozenset()
    network: tuple[str, ...] = ()


def within(address: str, networks: Iterable[str]) -> bool:
    """Say whether an address is in one of these blocks."""
    return any(_contains(network, ip_address(address)) for network in networks)


def is_private(address: str) -> bool:
    """Say whether the internet does not carry this address."""
    parsed = ip_address(address)
    return any(parsed in network for network in _PRIVATE)


def is_block(prefix: str) -> bool:
    """Say whether this is an address or a block of them rather than a service tag."""
    return _network(prefix) is not None


def fit_remote(prefixes: Iterable[str], groups: Iterable[str], address: str, place: Place) -> Fit:
    """Match the far end of a packet."""
    fits = [_fit_prefix(prefix, address, place, local=False) for prefix in prefixes]
    if any(groups):  # members are interfaces of this network; which of them has this address is not read
        fits.append(Fit.UNKNOWN if _may_be_inside(address, place) else Fit.NO)
    return _any(fits)


def fit_local(prefixes: Iterable[str], groups: Iterable[str], place: Place) -> Fit:
    """Match the end that is the interface itself."""
    fits = [_fit_prefix(prefix, place.address, place, local=True) for prefix in prefixes]
    fits += [Fit.YES if group in place.groups else Fit.NO for group in groups]
    return _any(fits)


def _fit_prefix(prefix: str, address: str, place: Place, *, local: bool) -> Fit:
    if prefix in _EVERYTHING:
        return Fit.YES
    if is_block(prefix):
        return _yes(_contains(prefix, ip_address(address)))
    if prefix == "azureloadbalancer":
        return _yes(address == PLATFORM_ADDRESS)
    if prefix == "virtualnetwork":
        if local or within(address, place.network) or address == PLATFORM_ADDRESS:
            return Fit.YES
        return Fit.UNKNOWN  # the tag also stands for networks behind gateways and for the prefixes of own routes
    if prefix == "internet":
        if local or within(address, place.network):
            return Fit.NO
        return Fit.UNKNOWN if is_private(address) else Fit.YES
    return Fit.NO if local and is_private(address) else Fit.UNKNOWN  # another tag: Azure's or a customer's public addresses


def _may_be_inside(address: str, place: Place) -> bool:
    return within(address, place.network) or is_private(address)


def _contains(prefix: str, address: Address) -> bool:
    network = _network(prefix)
    return network is not None and network.version == address.version and address in network


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _any(fits: list[Fit]) -> Fit:
    if Fit.YES in fits:
        return Fit.YES
    return Fit.UNKNOWN if Fit.UNKNOWN in fits or not fits else Fit.NO


def _yes(holds: bool) -> Fit:
    return Fit.YES if holds else Fit.NO
