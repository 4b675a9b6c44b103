"""Command and control of a host that was broken into, as it looks in flow telemetry."""

from __future__ import annotations

from training.scenarios.connections import Outcome, attempt, name_lookup, tcp, udp
from training.scenarios.family import Split
from training.scenarios.registry import Network, network_attack
from training.scenarios.site import Site, internet_address
from training.scenarios.victims import pick_victim, some_time

_MINUTE, _HOUR = 60_000, 3_600_000
CONTROL = "command_and_control"


def _beacon(
    site: Site,
    *,
    period_ms: float,
    jitter: float,
    port: int,
    up: float,
    down: float,
    silent: float = 0.0,
    hours: float = 1.5,
    with_names: bool = False,
) -> Network:
    rng = site.rng
    host, background = pick_victim(site, minutes=hours * 60)
    yield from background
    server, at = internet_address(rng), some_time(site)
    while at < site.start_ms + hours * _HOUR:
        if rng.random() < silent:
            yield attempt(rng, at, host.address, server, port, rng.choice((Outcome.SILENT, Outcome.REFUSED)), label=CONTROL)
        else:
            if with_names:
                yield name_lookup(rng, at - 20, host.address, site.resolver)
            task = 8.0 if rng.random() < 0.04 else 1.0
            yield tcp(
                rng,
                at,
                host.address,
                server,
                port,
                up=up * rng.uniform(0.95, 1.05) * task,
                down=down * rng.uniform(0.95, 1.05) * task,
                seconds=rng.uniform(0.1, 2),
                label=CONTROL,
            )
        at += period_ms * max(0.05, 1 + rng.uniform(-jitter, jitter))


@network_attack(
    "beacon-fixed",
    CONTROL,
    "T1071.001",
    "an implant that calls home at a fixed interval over HTTP(S) with small, equal exchanges",
    Split.TRAIN,
)
def beacon_fixed(site: Site) -> Network:
    rng = site.rng
    yield from _beacon(
        site,
        period_ms=rng.choice((5, 10, 30, 60, 120)) * 1000,
        jitter=0.02,
        port=rng.choice((80, 8080, 443, 8443)),
        up=rng.uniform(150, 600),
        down=rng.uniform(80, 500),
    )


@network_attack(
    "beacon-jittered",
    CONTROL,
    "T1071.001",
    "the same with a tenth to a third of jitter, as Cobalt Strike and Sliver do",
    Split.TRAIN,
)
def beacon_jittered(site: Site) -> Network:
    rng = site.rng
    yield from _beacon(
        site,
        period_ms=rng.uniform(8, 120) * 1000,
        jitter=rng.uniform(0.1, 0.37),
        port=rng.choice((443, 8443, 80, 50050, 8888)),
        up=rng.uniform(200, 900),
        down=rng.uniform(100, 700),
    )


@network_attack(
    "reconnecting-bot", CONTROL, "T1571", "a bot whose server is gone: the same address and port tried for ever", Split.TRAIN
)
def reconnecting_bot(site: Site) -> Network:
    rng = site.rng
    host, background = pick_victim(site)
    yield from background
    server, port, at = (
        internet_address(rng),
        rng.choice((23, 666, 4554, 6667, 8080, 34567, 56999, rng.randrange(1024, 65000))),
        some_time(site),
    )
    pause, mostly = rng.lognormvariate(9, 1.2), rng.choice((Outcome.SILENT, Outcome.SILENT, Outcome.REFUSED))
    for _ in range(rng.randrange(60, 250)):
        if rng.random() < 0.06:
            yield tcp(
                rng,
                at,
                host.address,
                server,
                port,
                up=rng.uniform(20, 90),
                down=rng.uniform(0, 90),
                seconds=rng.uniform(1, 60),
                label=CONTROL,
            )
        else:
            yield attempt(rng, at, host.address, server, port, mostly, label=CONTROL, tries=rng.choice((1, 3, 3, 4)))
        at += rng.expovariate(1 / pause) if rng.random() < 0.3 else pause * rng.uniform(0.9, 1.1)


@network_attack(
    "keep-alive-bot",
    CONTROL,
    "T1071",
    "a long-lived session with tiny keep-alives both ways (IRC bots, Mirai, Torii)",
    Split.TRAIN,
)
def keep_alive_bot(site: Site) -> Network:
    rng = site.rng
    host, background = pick_victim(site, minutes=90)
    yield from background
    server, port, at = (
        internet_address(rng),
        rng.choice((6667, 48101, 1024, 5555, 443, rng.randrange(1024, 65000))),
        some_time(site),
    )
    for _ in range(rng.randrange(12, 50)):
        life = rng.lognormvariate(4.5, 1)
        beats = max(1, life / rng.choice((10, 30, 60)))
        yield tcp(
            rng,
            at,
            host.address,
            server,
            port,
            up=beats * rng.uniform(2, 60),
            down=beats * rng.uniform(2, 60),
            seconds=life,
            label=CONTROL,
        )
        at += life * 1000 + rng.lognormvariate(8, 1)


@network_attack(
    "beacon-wide-jitter", CONTROL, "T1071.001", "a beacon with up to two thirds of jitter and name lookups", Split.VALIDATION
)
def beacon_wide_jitter(site: Site) -> Network:
    rng = site.rng
    yield from _beacon(
        site,
        period_ms=rng.uniform(20, 90) * 1000,
        jitter=0.65,
        port=443,
        up=rng.uniform(200, 900),
        down=rng.uniform(100, 700),
        with_names=True,
    )


@network_attack("beacon-odd-port", CONTROL, "T1571", "an implant on an uncommon port whose server is sometimes away", Split.TEST)
def beacon_odd_port(site: Site) -> Network:
    rng = site.rng
    yield from _beacon(
        site,
        period_ms=rng.uniform(30, 240) * 1000,
        jitter=0.2,
        port=rng.randrange(1024, 65000),
        up=rng.uniform(80, 500),
        down=rng.uniform(80, 400),
        silent=0.3,
        hours=2,
    )


@network_attack(
    "dns-channel", CONTROL, "T1071.004", "commands and answers carried in name lookups to one outside server", Split.TEST
)
def dns_channel(site: Site) -> Network:
    rng = site.rng
    host, background = pick_victim(site)
    yield from background
    server, at = internet_address(rng), some_time(site)
    for _ in range(rng.randrange(60, 200)):
        yield udp(
            rng,
            at,
            host.address,
            server,
            53,
            up=rng.randrange(120, 250),
            down=rng.randrange(150, 500),
            seconds=0.05,
            label=CONTROL,
        )
        at += rng.lognormvariate(8.5, 0.6)
