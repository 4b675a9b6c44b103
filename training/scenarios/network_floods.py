"""Floods that a host takes part in, or suffers, as they look in flow telemetry."""

from __future__ import annotations

from training.scenarios.connections import Outcome, attempt, tcp, udp
from training.scenarios.family import Split
from training.scenarios.registry import Network, network_attack
from training.scenarios.site import Site, internet_address
from training.scenarios.victims import pick_victim, some_time

_MINUTE, _HOUR = 60_000, 3_600_000
FLOOD = "denial_of_service"


@network_attack("syn-flood-outward", FLOOD, "T1498.001", "a bot that takes part in a SYN flood", Split.TRAIN)
def syn_flood_outward(site: Site) -> Network:
    rng = site.rng
    host, background = pick_victim(site)
    yield from background
    target, port, at = internet_address(rng), rng.choice((80, 443, 53, 22, rng.randrange(1, 65536))), some_time(site)
    for _ in range(rng.randrange(200, 500)):
        yield attempt(
            rng,
            at,
            host.address,
            target,
            port,
            Outcome.SILENT,
            label=FLOOD,
            source_port=rng.randrange(1024, 65536),
            tries=rng.choice((1, 1, 2, 3, 20)),
        )
        at += rng.expovariate(1 / 12)


@network_attack("udp-flood-outward", FLOOD, "T1498.001", "a bot that takes part in a UDP flood", Split.TRAIN)
def udp_flood_outward(site: Site) -> Network:
    rng = site.rng
    host, background = pick_victim(site)
    yield from background
    target, at, size = internet_address(rng), some_time(site), rng.choice((0, 512, 1024, 1400))
    port = rng.choice((80, 53, 123, 0))
    for _ in range(rng.randrange(100, 400)):
        packets = int(rng.lognormvariate(5, 2)) + 1
        yield udp(
            rng,
            at,
            host.address,
            target,
            port or rng.randrange(1, 65536),
            up=packets * size,
            down=0,
            packets=packets,
            seconds=rng.uniform(0.1, 40),
            label=FLOOD,
        )
        at += rng.expovariate(1 / 40)


@network_attack(
    "request-flood-inward",
    FLOOD,
    "T1499.002",
    "one client that opens connections to a server faster than any person or crawler",
    Split.TRAIN,
)
def request_flood_inward(site: Site) -> Network:
    rng, server = site.rng, site.hosts[0]
    port = rng.choice((80, 443))
    for _ in range(rng.randrange(1, 5)):
        bot, at, pause = internet_address(rng), some_time(site), rng.uniform(4, 40)
        for _ in range(rng.randrange(100, 300)):
            yield tcp(
                rng,
                at,
                bot,
                server.address,
                port,
                up=rng.uniform(0, 500),
                down=rng.uniform(0, 12_000),
                seconds=rng.uniform(0.01, 8),
                label=FLOOD,
            )
            at += rng.expovariate(1 / pause)


@network_attack(
    "amplification", FLOOD, "T1498.002", "a host abused to answer spoofed lookups towards one victim", Split.VALIDATION
)
def amplification(site: Site) -> Network:
    rng, reflector, victim, at = site.rng, site.host(), internet_address(site.rng), some_time(site)
    port = rng.choice((53, 123, 389, 11211, 1900))
    for _ in range(rng.randrange(150, 350)):
        yield udp(
            rng,
            at,
            victim,
            reflector.address,
            port,
            up=rng.randrange(20, 60),
            down=rng.randrange(1200, 4000),
            packets=rng.choice((1, 3)),
            label=FLOOD,
        )
        at += rng.expovariate(1 / 15)


@network_attack(
    "ack-flood-outward",
    FLOOD,
    "T1498.001",
    "a bot that floods one server with long runs of packets on few connections",
    Split.TEST,
)
def ack_flood_outward(site: Site) -> Network:
    rng = site.rng
    host, background = pick_victim(site)
    yield from background
    target, at = internet_address(rng), some_time(site)
    for _ in range(rng.randrange(80, 250)):
        yield attempt(
            rng, at, host.address, target, rng.randrange(1, 65536), Outcome.SILENT, label=FLOOD, tries=rng.randrange(20, 900)
        )
        at += rng.expovariate(1 / 80)
