"""Benign network behaviour that training never sees: for validation and test."""

from __future__ import annotations

from training.scenarios.connections import Outcome, attempt, name_lookup, tcp, udp, web_request
from training.scenarios.family import Split
from training.scenarios.network_benign import browse, moments
from training.scenarios.registry import Network, benign_network
from training.scenarios.site import Site, internet_address

_MINUTE, _HOUR = 60_000, 3_600_000


@benign_network("office-browsing", "desktops that browse, call and look names up", Split.VALIDATION)
def office_browsing(site: Site) -> Network:
    for host in site.hosts[:5]:
        yield from browse(site, host, minutes=50, per_minute=site.rng.uniform(1, 8))
        for at in moments(site, site.start_ms, site.start_ms + _HOUR, 0.1):
            yield udp(
                site.rng,
                at,
                host.address,
                internet_address(site.rng),
                443,
                up=40_000,
                down=900_000,
                packets=700,
                seconds=site.rng.uniform(1, 60),
            )


@benign_network(
    "media-server", "viewers who fetch segments of a stream from one server, some of them over bad lines", Split.VALIDATION
)
def media_server(site: Site) -> Network:
    rng, server = site.rng, site.hosts[0]
    for _ in range(rng.randrange(5, 20)):
        viewer, at, segment = internet_address(rng), site.start_ms + rng.random() * _HOUR, rng.choice((2, 4, 6)) * 1000
        for _ in range(rng.randrange(15, 120)):
            yield tcp(
                rng,
                at,
                viewer,
                server.address,
                443,
                up=rng.lognormvariate(7, 0.4),
                down=rng.lognormvariate(13.5, 0.7),
                seconds=rng.lognormvariate(0, 0.8),
            )
            at += segment * rng.lognormvariate(0, 0.25)


@benign_network("voice-and-directory", "calls over UDP, directory look-ups and file shares of an office", Split.VALIDATION)
def voice_and_directory(site: Site) -> Network:
    rng, (directory, *desks) = site.rng, site.hosts
    exchange = internet_address(rng)
    for desk in desks[:6]:
        for at in moments(site, site.start_ms, site.start_ms + _HOUR, 0.8):
            kind = rng.random()
            if kind < 0.25:
                packets = int(rng.uniform(500, 9000))
                yield udp(
                    rng,
                    at,
                    desk.address,
                    exchange,
                    rng.randrange(16384, 32768),
                    up=packets * 172,
                    down=packets * 172,
                    packets=packets,
                    seconds=packets / 50,
                )
            elif kind < 0.55:
                yield tcp(
                    rng,
                    at,
                    desk.address,
                    directory.address,
                    rng.choice((389, 636, 88, 445)),
                    up=rng.lognormvariate(7.5, 1),
                    down=rng.lognormvariate(8.5, 1.2),
                    seconds=rng.lognormvariate(1, 1.5),
                )
            elif kind < 0.8:
                yield name_lookup(rng, at, desk.address, site.resolver)
            else:
                yield web_request(rng, at, desk.address, internet_address(rng))


@benign_network("container-cluster", "pods that talk to each other, to the control plane and to registries", Split.TEST)
def container_cluster(site: Site) -> Network:
    rng, (control, *nodes) = site.rng, site.hosts
    for node in nodes[:6]:
        for at in moments(site, site.start_ms, site.start_ms + 30 * _MINUTE, 4):
            kind = rng.random()
            if kind < 0.3:
                yield tcp(
                    rng,
                    at,
                    node.address,
                    control.address,
                    6443,
                    up=rng.lognormvariate(7, 1),
                    down=rng.lognormvariate(8, 1),
                    seconds=rng.lognormvariate(2, 1.5),
                )
            elif kind < 0.5:
                yield name_lookup(rng, at, node.address, site.resolver)
            else:
                yield tcp(
                    rng,
                    at,
                    node.address,
                    rng.choice(nodes).address,
                    rng.choice((8080, 9000, 50051, 4317, 10250)),
                    up=rng.lognormvariate(7.5, 1.2),
                    down=rng.lognormvariate(8.5, 1.4),
                    seconds=rng.lognormvariate(0, 1.5),
                )


@benign_network("mail-relay", "a relay that takes mail from strangers and delivers to many servers", Split.TEST)
def mail_relay(site: Site) -> Network:
    rng, relay = site.rng, site.hosts[0]
    for at in moments(site, site.start_ms, site.start_ms + _HOUR, 2):
        if rng.random() < 0.5:
            yield tcp(
                rng,
                at,
                internet_address(rng),
                relay.address,
                25,
                up=rng.lognormvariate(9.5, 1.5),
                down=1200,
                seconds=rng.lognormvariate(1, 1),
            )
        else:
            yield name_lookup(rng, at - 60, relay.address, site.resolver)
            yield tcp(
                rng,
                at,
                relay.address,
                internet_address(rng),
                25,
                up=rng.lognormvariate(9.5, 1.5),
                down=1400,
                seconds=rng.lognormvariate(1, 1),
            )


@benign_network("replication", "database replicas and file synchronisation between hosts", Split.TEST)
def replication(site: Site) -> Network:
    rng, (primary, *replicas) = site.rng, site.hosts
    for replica in replicas[:4]:
        at = float(site.start_ms)
        for _ in range(rng.randrange(10, 40)):
            size = rng.lognormvariate(13, 1.5)
            yield tcp(
                rng,
                at,
                replica.address,
                primary.address,
                rng.choice((5432, 873, 2049)),
                up=size / 50 + 500,
                down=size,
                seconds=rng.lognormvariate(3, 1),
            )
            at += rng.lognormvariate(10, 1)
            if rng.random() < 0.2:
                yield name_lookup(rng, at, replica.address, site.resolver)


@benign_network("api-clients", "partners that call an API from a few addresses at a steady rate, with some retries", Split.TEST)
def api_clients(site: Site) -> Network:
    rng, server = site.rng, site.hosts[0]
    for _ in range(rng.randrange(3, 9)):
        partner, rate = internet_address(rng), rng.uniform(0.5, 12)
        for at in moments(site, site.start_ms, site.start_ms + 30 * _MINUTE, rate):
            if rng.random() < 0.02:
                yield attempt(rng, at, partner, server.address, 443, Outcome.SILENT)
            yield tcp(
                rng,
                at,
                partner,
                server.address,
                443,
                up=rng.lognormvariate(7.5, 0.7),
                down=rng.lognormvariate(8, 0.8),
                seconds=rng.lognormvariate(-1, 1),
            )
