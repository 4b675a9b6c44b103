"""More benign network behaviour: people, small devices, deployments, long connections."""

from __future__ import annotations

from training.scenarios.connections import ICMP, Connection, Outcome, attempt, name_lookup, tcp, udp, web_request
from training.scenarios.family import Split
from training.scenarios.network_benign import browse
from training.scenarios.registry import Network, benign_network
from training.scenarios.site import Site, internet_address

_MINUTE, _HOUR = 60_000, 3_600_000


@benign_network("crawler", "a search engine or price bot that fetches hundreds of pages from one address", Split.TRAIN)
def crawler(site: Site) -> Network:
    rng, server = site.rng, site.hosts[0]
    for _ in range(rng.randrange(1, 4)):
        bot, at, pause = internet_address(rng), site.start_ms + rng.random() * _HOUR, rng.lognormvariate(7, 1)
        for _ in range(rng.randrange(40, 250)):
            yield web_request(rng, at, bot, server.address, port=443)
            at += rng.expovariate(1 / pause)


@benign_network(
    "operators-ssh", "operators at a bastion: interactive sessions, file copies, now and then a mistyped password", Split.TRAIN
)
def operators_ssh(site: Site) -> Network:
    rng, (bastion, *others) = site.rng, site.hosts
    for _ in range(rng.randrange(2, 8)):
        person, at = internet_address(rng), site.start_ms + rng.random() * _HOUR
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            yield tcp(rng, at, person, bastion.address, 22, up=1800, down=2600, seconds=rng.uniform(4, 15))
            at += rng.uniform(6000, 20000)
        yield tcp(
            rng,
            at,
            person,
            bastion.address,
            22,
            up=rng.lognormvariate(10.5, 1.2),
            down=rng.lognormvariate(11.5, 1.5),
            seconds=rng.lognormvariate(6, 1),
        )
        for _ in range(rng.randrange(0, 5)):
            at += rng.lognormvariate(10.5, 1)
            yield tcp(
                rng,
                at,
                bastion.address,
                rng.choice(others).address,
                22,
                up=rng.lognormvariate(9.5, 1.2),
                down=rng.lognormvariate(10.5, 1.5),
                seconds=rng.lognormvariate(5, 1.2),
            )


@benign_network("deployment", "a build host that fetches sources and packages, then deploys to every host over SSH", Split.TRAIN)
def deployment(site: Site) -> Network:
    rng, (builder, *targets) = site.rng, site.hosts
    sources = [internet_address(rng) for _ in range(5)]
    for turn in range(rng.randrange(1, 4)):
        at = site.start_ms + turn * 25 * _MINUTE + rng.random() * _MINUTE
        for _ in range(rng.randrange(10, 50)):
            yield name_lookup(rng, at - 8, builder.address, site.resolver)
            yield tcp(
                rng,
                at,
                builder.address,
                rng.choice(sources),
                443,
                up=2000,
                down=rng.lognormvariate(12.5, 1.7),
                seconds=rng.lognormvariate(0, 1),
            )
            at += rng.lognormvariate(6.5, 1)
        for target in targets:
            yield tcp(
                rng,
                at,
                builder.address,
                target.address,
                22,
                up=rng.lognormvariate(13.5, 1.2),
                down=rng.lognormvariate(9, 0.5),
                seconds=rng.lognormvariate(2.5, 0.7),
            )
            at += rng.lognormvariate(8.5, 0.8)


@benign_network("flaky-peer", "a service that keeps trying a peer which is down for a while, then recovers", Split.TRAIN)
def flaky_peer(site: Site) -> Network:
    rng = site.rng
    host, peer = site.host(), internet_address(rng) if rng.random() < 0.5 else site.hosts[-1].address
    port, at = rng.choice((443, 5672, 9092, 8080, 5432)), float(site.start_ms)
    down_from = rng.randrange(10, 30)
    for turn in range(rng.randrange(40, 90)):
        if down_from <= turn < down_from + rng.randrange(2, 7):
            yield attempt(rng, at, host.address, peer, port, rng.choice((Outcome.SILENT, Outcome.REFUSED)))
        else:
            yield tcp(
                rng,
                at,
                host.address,
                peer,
                port,
                up=rng.lognormvariate(7.5, 1),
                down=rng.lognormvariate(8, 1),
                seconds=rng.lognormvariate(1, 1),
            )
        at += rng.lognormvariate(9.5, 0.8)


@benign_network(
    "desktops",
    "people's computers: browsing over TLS and QUIC, calls, updates, discovery on the local network, dead servers",
    Split.TRAIN,
)
def desktops(site: Site) -> Network:
    rng = site.rng
    for host in site.hosts[: rng.randrange(2, 6)]:
        favourites = [internet_address(rng) for _ in range(rng.randrange(8, 60))]
        at, end = float(site.start_ms), site.start_ms + rng.uniform(0.3, 1.5) * _HOUR
        while at < end:
            kind, server = rng.random(), rng.choice(favourites)
            if kind < 0.25:
                yield name_lookup(rng, at, host.address, rng.choice((site.resolver, server)))
            elif kind < 0.6:
                yield web_request(rng, at, host.address, server)
            elif kind < 0.7:
                yield udp(
                    rng,
                    at,
                    host.address,
                    server,
                    443,
                    up=rng.randrange(2000, 90_000),
                    down=rng.randrange(3000, 900_000),
                    packets=rng.randrange(8, 400),
                    seconds=rng.uniform(0.5, 90),
                )
            elif kind < 0.76:
                yield tcp(
                    rng,
                    at,
                    host.address,
                    server,
                    rng.choice((443, 5222, 5228, 8883, 993)),
                    up=rng.uniform(50, 900),
                    down=rng.uniform(50, 900),
                    seconds=rng.lognormvariate(4.5, 1),
                )
            elif kind < 0.82:
                yield attempt(
                    rng,
                    at,
                    host.address,
                    server,
                    rng.choice((443, 80, 7680, 8080)),
                    rng.choice((Outcome.SILENT, Outcome.REFUSED)),
                )
            elif kind < 0.9:
                yield udp(
                    rng,
                    at,
                    host.address,
                    rng.choice(("224.0.0.251", "239.255.255.250", "255.255.255.255")),
                    rng.choice((5353, 1900, 137, 67)),
                    up=rng.randrange(40, 1200),
                    down=0,
                    packets=rng.randrange(1, 5),
                    seconds=rng.uniform(0.01, 20),
                )
            else:
                yield udp(rng, at, host.address, server, 123, up=48, down=48 if rng.random() < 0.8 else 0)
            at += rng.choice((30.0, 900.0, 9000.0)) * rng.lognormvariate(0, 1)


@benign_network(
    "small-devices",
    "cameras, lamps and phones: name and time requests and multicast at fixed periods, keep-alives to their maker",
    Split.TRAIN,
)
def small_devices(site: Site) -> Network:
    rng = site.rng
    for host in site.hosts[: rng.randrange(2, 6)]:
        maker, servers, end = (
            internet_address(rng),
            [internet_address(rng) for _ in range(4)],
            site.start_ms + rng.uniform(1, 5) * _HOUR,
        )
        habits = rng.sample(("time", "names", "discovery", "keep-alive", "report", "echo"), rng.randrange(2, 6))
        for habit in habits:
            period, at = rng.choice((5, 10, 30, 60, 120, 300)) * 1000.0, site.start_ms + rng.random() * _MINUTE
            jitter = rng.choice((0.0, 0.02, 0.3))
            for _ in range(int(min(200, (end - at) / period))):
                if habit == "time":
                    yield udp(
                        rng,
                        at,
                        host.address,
                        rng.choice(servers),
                        123,
                        up=48,
                        down=48 if rng.random() < 0.9 else 0,
                        source_port=123 if jitter else None,
                    )
                elif habit == "names":
                    yield name_lookup(rng, at, host.address, rng.choice((site.resolver, servers[0])))
                elif habit == "discovery":
                    yield udp(
                        rng,
                        at,
                        host.address,
                        rng.choice(("239.255.255.250", "224.0.0.251", "255.255.255.255")),
                        rng.choice((1900, 5353, 6666)),
                        up=rng.randrange(60, 1500),
                        down=0,
                        packets=rng.randrange(1, 24),
                        seconds=rng.uniform(0.01, 160),
                    )
                elif habit == "keep-alive":
                    yield tcp(
                        rng,
                        at,
                        host.address,
                        maker,
                        rng.choice((443, 8883)),
                        up=rng.uniform(50, 500),
                        down=rng.uniform(50, 500),
                        seconds=rng.uniform(1, period / 1000),
                    )
                elif habit == "echo":
                    yield Connection(int(at), 40, host.address, 0, maker, 0, ICMP, 1, 84, 1, 84)
                else:
                    yield web_request(rng, at, host.address, maker)
                at += period * max(0.1, rng.gauss(1, jitter))


@benign_network(
    "long-connections",
    "hosts with dozens of connections that stay open for minutes to hours, each recorded anew every minute",
    Split.TRAIN,
)
def long_connections(site: Site) -> Network:
    rng = site.rng
    for host in site.hosts[: rng.randrange(1, 4)]:
        end = site.start_ms + rng.uniform(0.1, 0.6) * _HOUR
        servers = [internet_address(rng) if rng.random() < 0.7 else site.host().address for _ in range(rng.randrange(3, 40))]
        ports = rng.choice(((443,), (443, 443, 80, 5228), (443, 993, 5222), (5432, 6379), (443, 22, 8443)))
        chatter = rng.lognormvariate(4.5, 1.5)
        for _ in range(rng.randrange(5, 50)):
            at = site.start_ms + rng.random() * (end - site.start_ms)
            life = min(rng.lognormvariate(5.5, 1.3), 7200.0)
            amount = chatter * life * rng.lognormvariate(0, 1)
            yield tcp(
                rng,
                at,
                host.address,
                rng.choice(servers),
                rng.choice(ports),
                up=amount,
                down=amount * rng.lognormvariate(0.7, 1),
                seconds=life,
            )
        yield from browse(site, host, minutes=15, per_minute=rng.uniform(0.2, 4))


@benign_network(
    "any-service", "clients of any service with any sizes, pauses and durations, steady within one client", Split.TRAIN
)
def any_service(site: Site) -> Network:
    rng = site.rng
    for _ in range(rng.randrange(4, 12)):
        inside = rng.random() < 0.6
        client = site.host().address if inside else internet_address(rng)
        servers = [
            internet_address(rng) if inside and rng.random() < 0.6 else site.host().address
            for _ in range(rng.choice((1, 1, 2, 5, 12)))
        ]
        port = rng.choice(
            (443, 443, 80, 8080, 8443, 5432, 3306, 6379, 9092, 5671, 1883, 8883, 50051, 22, 25, 993, rng.randrange(1024, 49000))
        )
        up, down, lasts, pause = (
            rng.lognormvariate(8, 1.6),
            rng.lognormvariate(9, 2),
            rng.lognormvariate(0.5, 1.8),
            rng.lognormvariate(9.3, 1.6),
        )
        spread, regular, at = rng.uniform(0.2, 1.3), rng.random() < 0.3, site.start_ms + rng.random() * _HOUR
        for _ in range(rng.randrange(8, 90)):
            yield tcp(
                rng,
                at,
                client,
                rng.choice(servers),
                port,
                up=up * rng.lognormvariate(0, spread),
                down=down * rng.lognormvariate(0, spread),
                seconds=lasts * rng.lognormvariate(0, spread),
            )
            at += pause * (rng.gauss(1, 0.05) if regular else rng.expovariate(1))


@benign_network("message-broker", "clients with long-lived keep-alive connections to a broker", Split.TRAIN)
def message_broker(site: Site) -> Network:
    rng, (broker, *clients) = site.rng, site.hosts
    port = rng.choice((1883, 8883, 5671, 9092))
    for client in [host.address for host in clients[:6]] + [internet_address(rng) for _ in range(8)]:
        at = site.start_ms + rng.random() * _MINUTE
        for _ in range(rng.randrange(3, 20)):
            life = rng.lognormvariate(5, 1)
            yield tcp(rng, at, client, broker.address, port, up=life * 20, down=life * 12, seconds=life)
            at += life * 1000 + rng.lognormvariate(7, 1)


@benign_network("nightly-backup", "hosts that send large archives to a backup server and to storage outside", Split.TRAIN)
def nightly_backup(site: Site) -> Network:
    rng, (server, *clients) = site.rng, site.hosts
    vault = internet_address(rng)
    for client in clients[:5]:
        yield from browse(site, client, minutes=30, per_minute=0.7)
        at = site.start_ms + rng.random() * 20 * _MINUTE
        for _ in range(rng.randrange(2, 9)):
            size = rng.lognormvariate(17, 1)
            yield tcp(
                rng,
                at,
                client.address,
                server.address if rng.random() < 0.6 else vault,
                rng.choice((443, 8443, 22)),
                up=size,
                down=size / 400,
                seconds=size / rng.uniform(5e6, 5e7) + 1,
            )
            at += rng.lognormvariate(10.5, 1)
