"""Benign network behaviour: what a VPC does all day, the awkward kinds included.

Each function tells one story at one site and yields its connections in any order. Several are here because they look like an
attack to a naive rule: agents that poll (beacons), scrapers that visit every host (scans), backups (exfiltration), crawlers
(floods), deployments over SSH (lateral movement), people who mistype a password (brute force).
"""

from __future__ import annotations

from collections.abc import Iterator

from training.scenarios.connections import Outcome, attempt, ephemeral, name_lookup, tcp, udp, web_request
from training.scenarios.family import Split
from training.scenarios.registry import Network, benign_network
from training.scenarios.site import Host, Site, internet_address

_MINUTE, _HOUR = 60_000, 3_600_000


def moments(site: Site, begin_ms: float, end_ms: float, per_minute: float) -> Iterator[float]:
    at = begin_ms + site.rng.expovariate(per_minute) * _MINUTE
    while at < end_ms:
        yield at
        at += site.rng.expovariate(per_minute) * _MINUTE


def browse(site: Site, host: Host, *, minutes: float, per_minute: float, begin_ms: float | None = None) -> Network:
    """Outbound web use of one host with the name lookups before it: the background under an attack on that host."""
    begin = site.start_ms if begin_ms is None else begin_ms
    servers = [internet_address(site.rng) for _ in range(site.rng.randrange(3, 25))]
    for at in moments(site, begin, begin + minutes * _MINUTE, per_minute):
        if site.rng.random() < 0.5:
            yield name_lookup(site.rng, at - 40, host.address, site.resolver)
        yield web_request(site.rng, at, host.address, site.rng.choice(servers), port=site.rng.choice((443, 443, 443, 80)))


@benign_network("web-tier", "internet clients at a load balancer, which passes requests on to application hosts", Split.TRAIN)
def web_tier(site: Site) -> Network:
    rng, (front, *workers) = site.rng, site.hosts
    for _ in range(rng.randrange(20, 70)):
        client, at = internet_address(rng), site.start_ms + rng.random() * _HOUR
        for _ in range(min(60, int(rng.lognormvariate(1.2, 1.0)) + 1)):
            yield web_request(rng, at, client, front.address, port=rng.choice((443, 443, 80)))
            yield web_request(rng, at + rng.uniform(1, 9), front.address, rng.choice(workers[:4]).address, port=8080)
            at += rng.lognormvariate(8.0, 1.6)


@benign_network("database-pool", "application hosts holding and renewing a pool of database connections", Split.TRAIN)
def database_pool(site: Site) -> Network:
    rng, database = site.rng, site.hosts[0]
    port = rng.choice((5432, 3306, 6379, 27017))
    for host in site.hosts[1:6]:
        for at in moments(site, site.start_ms, site.start_ms + _HOUR, rng.uniform(0.2, 3)):
            yield tcp(
                rng,
                at,
                host.address,
                database.address,
                port,
                up=rng.lognormvariate(7, 1.5),
                down=rng.lognormvariate(8.5, 2),
                seconds=rng.lognormvariate(3, 1.6),
            )
            if rng.random() < 0.3:
                yield name_lookup(rng, at - 3, host.address, site.resolver)


@benign_network("health-checks", "a load balancer probing its targets every few seconds", Split.TRAIN)
def health_checks(site: Site) -> Network:
    rng, (balancer, *targets) = site.rng, site.hosts
    period, port = rng.choice((5, 10, 15, 30)) * 1000, rng.choice((80, 8080, 8443, 9000))
    sick = rng.choice(targets) if rng.random() < 0.3 else None
    for target in targets[: rng.randrange(2, 6)]:
        begin = site.start_ms + rng.random() * period
        for turn in range(min(180, 1_800_000 // period)):
            at = begin + turn * period + rng.gauss(0, 15)
            if target is sick:
                yield attempt(rng, at, balancer.address, target.address, port, rng.choice((Outcome.SILENT, Outcome.REFUSED)))
            else:
                yield tcp(
                    rng,
                    at,
                    balancer.address,
                    target.address,
                    port,
                    up=rng.randrange(110, 180),
                    down=rng.randrange(120, 420),
                    seconds=rng.uniform(0.002, 0.05),
                )


@benign_network("metrics-scraper", "a metrics server reading every host's exporters at a fixed period", Split.TRAIN)
def metrics_scraper(site: Site) -> Network:
    rng, (server, *targets) = site.rng, site.hosts
    period, ports = rng.choice((15, 30, 60)) * 1000, rng.sample((9100, 9090, 9187, 8080, 9256, 9113, 10250), rng.randrange(1, 4))
    for turn in range(12):
        for target in targets:
            for port in ports:
                at = site.start_ms + turn * period + (scrape_offset(target.address, port) % period)
                yield tcp(
                    rng,
                    at,
                    server.address,
                    target.address,
                    port,
                    up=rng.randrange(180, 320),
                    down=rng.lognormvariate(9.5, 0.6),
                    seconds=rng.uniform(0.01, 0.4),
                )


def scrape_offset(address: str, port: int) -> int:
    """Offset of a scrape target within the period, the same in every process (``hash`` is not)."""
    return sum(int(part) * weight for part, weight in zip(address.split("."), (3, 5, 7919, 104729), strict=True)) + 31 * port


@benign_network("polling-agents", "management and telemetry agents that poll their service over TLS, with back-off", Split.TRAIN)
def polling_agents(site: Site) -> Network:
    rng = site.rng
    for host in site.hosts[: rng.randrange(2, 7)]:
        services = [internet_address(rng) for _ in range(rng.randrange(2, 6))]
        for service in services:
            period, at = rng.choice((20, 30, 60, 60, 300)) * 1000, site.start_ms + rng.random() * _MINUTE
            jitter = rng.uniform(0.0, 0.15)
            while at < site.start_ms + 1.2 * _HOUR:
                yield tcp(
                    rng,
                    at,
                    host.address,
                    service,
                    443,
                    up=rng.lognormvariate(7.3, 0.5),
                    down=rng.lognormvariate(8.3, 0.5),
                    seconds=rng.lognormvariate(0.5, 1.2),
                )
                at += period * max(0.2, rng.gauss(1, jitter))
        yield from browse(site, host, minutes=60, per_minute=rng.uniform(0.1, 1.5))


@benign_network("time-and-names", "NTP, name lookups and package mirrors of idle hosts", Split.TRAIN)
def time_and_names(site: Site) -> Network:
    rng = site.rng
    servers = [internet_address(rng) for _ in range(4)]
    for host in site.hosts[:8]:
        for at in moments(site, site.start_ms, site.start_ms + 2 * _HOUR, 0.25):
            yield udp(
                rng,
                at,
                host.address,
                rng.choice(servers),
                123,
                up=48,
                down=48 if rng.random() < 0.95 else 0,
                source_port=rng.choice((123, ephemeral(rng))),
            )
        for at in moments(site, site.start_ms, site.start_ms + 2 * _HOUR, rng.uniform(0.2, 4)):
            yield name_lookup(rng, at, host.address, site.resolver)
        if rng.random() < 0.5:
            at = site.start_ms + rng.random() * _HOUR
            mirror = internet_address(rng)
            for _ in range(rng.randrange(3, 40)):
                yield tcp(
                    rng,
                    at,
                    host.address,
                    mirror,
                    rng.choice((80, 443)),
                    up=600,
                    down=rng.lognormvariate(12, 1.8),
                    seconds=rng.lognormvariate(0, 1),
                )
                at += rng.lognormvariate(6.5, 1)


@benign_network("object-storage-batch", "batch workers that read from and write large results to object storage", Split.TRAIN)
def object_storage_batch(site: Site) -> Network:
    rng = site.rng
    storage = [internet_address(rng) for _ in range(rng.randrange(4, 10))]
    for host in site.hosts[: rng.randrange(2, 6)]:
        at = site.start_ms + rng.random() * 10 * _MINUTE
        for _ in range(rng.randrange(10, 60)):
            yield name_lookup(rng, at - 5, host.address, site.resolver)
            upload = rng.random() < 0.45
            size = rng.lognormvariate(15.0, 1.7)
            yield tcp(
                rng,
                at,
                host.address,
                rng.choice(storage),
                443,
                up=size if upload else 900,
                down=2500 if upload else size,
                seconds=1 + size / rng.uniform(2e6, 4e7),
            )
            at += rng.lognormvariate(9.5, 1.2)


@benign_network("internet-noise", "background radiation: strangers who try one or two ports once and go away", Split.TRAIN)
def internet_noise(site: Site) -> Network:
    rng = site.rng
    for _ in range(rng.randrange(40, 160)):
        stranger, at = internet_address(rng), site.start_ms + rng.random() * _HOUR
        port = rng.choice((22, 23, 80, 443, 445, 3389, 5060, 6379, 8080, 8443, 2323, 5555, rng.randrange(1, 65536)))
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            target = site.host().address
            if port == 5060:
                yield udp(rng, at, stranger, target, port, up=rng.randrange(300, 450), down=0, outcome=Outcome.REJECTED)
            else:
                yield attempt(
                    rng, at, stranger, target, port, rng.choice((Outcome.REJECTED,) * 5 + (Outcome.SILENT, Outcome.REFUSED))
                )
            at += rng.lognormvariate(8, 2)
