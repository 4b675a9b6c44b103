"""A made-up AWS account to generate telemetry in: addresses, hosts, interfaces.

Public addresses come from the documentation blocks of RFC 5737 and from blocks that stand for "the internet";
so that thousands of distinct clients fit, the latter are drawn from 198.18.0.0/15 (RFC 2544, benchmarking), which is nobody's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

#: Account of everything that is made up.
ACCOUNT = "123456789012"
#: 2026-03-02 00:00:00 UTC, a Monday: scenarios start within the fortnight after it.
EPOCH_MS = 1_772_409_600_000
REGIONS = ("eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2")
_DOCUMENTATION = ("192.0.2", "198.51.100", "203.0.113")


@dataclass(frozen=True, slots=True)
class Host:
    """One instance with one interface."""

    name: str
    address: str
    interface_id: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class Site:
    """One VPC with its hosts, and the time at which its story starts. Attacks strike ``victim``, where that is set."""

    rng: random.Random
    start_ms: int
    hosts: tuple[Host, ...]
    resolver: str
    vpc_id: str
    account: str = ACCOUNT
    region: str = REGIONS[0]
    victim: Host | None = None
    _by_address: dict[str, Host] = field(default_factory=dict)

    def host_at(self, address: str) -> Host | None:
        """Host that owns the address, None for an address outside the VPC."""
        return self._by_address.get(address)

    def host(self) -> Host:
        """Host that a story is about: the victim where the site has one, else any."""
        return self.victim or self.rng.choice(self.hosts)

    def others(self, host: Host) -> list[Host]:
        """All hosts but this one, shuffled."""
        rest = [other for other in self.hosts if other is not host]
        self.rng.shuffle(rest)
        return rest


def hexadecimal(rng: random.Random, digits: int) -> str:
    """Random lower-case hexadecimal text, as in resource ids."""
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def internet_address(rng: random.Random) -> str:
    """Address outside the account. One in four is a documentation address, so that both kinds of block are seen."""
    if rng.random() < 0.25:
        return f"{rng.choice(_DOCUMENTATION)}.{rng.randrange(1, 255)}"
    return f"198.{rng.randrange(18, 20)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def build_site(rng: random.Random, *, hosts: int | None = None) -> Site:
    """Lay out a VPC of 6 to 24 hosts whose addresses lie in one private /16."""
    count = hosts or rng.randrange(6, 25)
    prefix = rng.choice((f"10.{rng.randrange(256)}", f"172.{rng.randrange(16, 32)}", "192.168"))
    addresses = rng.sample([f"{prefix}.{subnet}.{last}" for subnet in range(0, 8) for last in range(4, 250)], count)
    machines = tuple(
        Host(f"ip-{address.replace('.', '-')}", address, f"eni-0{hexadecimal(rng, 16)}", f"i-0{hexadecimal(rng, 16)}")
        for address in addresses
    )
    return Site(
        rng=rng,
        start_ms=EPOCH_MS + rng.randrange(14 * 24 * 3600) * 1000,
        hosts=machines,
        # Most ask the network's own resolver, some a public one.
        resolver=f"{prefix}.0.2" if rng.random() < 0.8 else internet_address(rng),
        vpc_id=f"vpc-0{hexadecimal(rng, 16)}",
        region=rng.choice(REGIONS),
        _by_address={machine.address: machine for machine in machines},
    )


def around(rng: random.Random, victim: Host, start_ms: int) -> Site:
    """Site with a given host as the victim of every attack, and made-up neighbours."""
    made_up = build_site(rng)
    hosts = (victim, *made_up.hosts[1:])
    return Site(
        rng=rng,
        start_ms=start_ms,
        hosts=hosts,
        resolver=made_up.resolver,
        vpc_id=made_up.vpc_id,
        victim=victim,
        _by_address={host.address: host for host in hosts},
    )
