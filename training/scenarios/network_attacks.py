"""Attacks as they look in flow telemetry. Each story runs among benign traffic of the same site and of the same host."""

from __future__ import annotations

from training.scenarios.connections import Outcome, attempt, name_lookup, tcp, udp
from training.scenarios.family import Split
from training.scenarios.network_benign import browse
from training.scenarios.registry import Network, network_attack
from training.scenarios.site import Host, Site, internet_address

_MINUTE, _HOUR = 60_000, 3_600_000
SCAN, GUESSING, CONTROL, THEFT, FLOOD, SPREAD = (
    "scan", "brute_force", "command_and_control", "exfiltration", "denial_of_service", "lateral_movement",
)  # fmt: skip
_PORTS = (
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 389, 443, 445, 587, 993, 995, 1433, 1521, 1723, 2049, 2375, 3000, 3306, 3389,
    5000, 5432, 5601, 5900, 5985, 6379, 6443, 8000, 8080, 8443, 8888, 9000, 9090, 9200, 9300, 10250, 11211, 27017,
)  # fmt: skip


def _victim(site: Site, *, per_minute: float | None = None, minutes: float = 60) -> tuple[Host, Network]:
    """A host that was broken into, and the ordinary traffic that it goes on having."""
    host = site.host()
    rate = site.rng.choice((0.0, 0.1, 0.5, 2.0)) if per_minute is None else per_minute
    return host, browse(site, host, minutes=minutes, per_minute=rate) if rate else iter(())


def _later(site: Site) -> float:
    return site.start_ms + site.rng.random() * 20 * _MINUTE


@network_attack("port-scan-one-host", SCAN, "T1046", "SYN scan of many ports of one host from the internet (nmap)", Split.TRAIN)
def port_scan_one_host(site: Site) -> Network:
    rng, scanner, target, at = site.rng, internet_address(site.rng), site.host(), _later(site)
    pause, source_port = rng.lognormvariate(3.5, 2), rng.randrange(33000, 65000)
    closed = rng.choice((Outcome.REJECTED, Outcome.REJECTED, Outcome.REFUSED, Outcome.SILENT))
    for port in rng.sample(range(1, 10000), rng.randrange(40, 220)) + list(_PORTS):
        outcome = closed if rng.random() < 0.97 else Outcome.REFUSED
        yield attempt(
            rng, at, scanner, target.address, port, outcome, label=SCAN, source_port=source_port, tries=rng.choice((1, 1, 2))
        )
        at += rng.expovariate(1 / pause)


@network_attack(
    "sweep-from-internet", SCAN, "T1595", "one service looked for on every host from the internet (masscan)", Split.TRAIN
)
def sweep_from_internet(site: Site) -> Network:
    rng, scanner, at = site.rng, internet_address(site.rng), _later(site)
    ports, pause = (
        rng.sample((22, 23, 2323, 80, 445, 1433, 3389, 5555, 6379, 8080, 5060), rng.randrange(1, 4)),
        rng.lognormvariate(5, 2),
    )
    for _ in range(rng.randrange(2, 6)):
        for target in site.hosts:
            for port in ports:
                yield attempt(
                    rng,
                    at,
                    scanner,
                    target.address,
                    port,
                    rng.choice((Outcome.REJECTED,) * 8 + (Outcome.REFUSED, Outcome.SILENT)),
                    label=SCAN,
                )
                at += rng.expovariate(1 / pause)


@network_attack("sweep-inside", SCAN, "T1046", "a host that was broken into looks for services on its neighbours", Split.TRAIN)
def sweep_inside(site: Site) -> Network:
    rng = site.rng
    host, background = _victim(site)
    yield from background
    at, ports, pause = (
        _later(site),
        rng.sample((22, 135, 139, 445, 3389, 3306, 5432, 5985, 6379, 8080), rng.randrange(1, 6)),
        rng.lognormvariate(4, 1.8),
    )
    base = host.address.rsplit(".", 1)[0]
    for last in rng.sample(range(1, 255), rng.randrange(30, 150)):
        target = f"{base}.{last}"
        if target == host.address:
            continue
        for port in ports:
            live = site.host_at(target) is not None
            outcome = rng.choice((Outcome.REJECTED, Outcome.REFUSED, Outcome.SILENT)) if live else Outcome.SILENT
            yield attempt(rng, at, host.address, target, port, outcome, label=SCAN)
            at += rng.expovariate(1 / pause)


@network_attack(
    "worm-scan-outward", SCAN, "T1046", "a bot that looks for telnet and SSH on random addresses of the internet", Split.TRAIN
)
def worm_scan_outward(site: Site) -> Network:
    rng = site.rng
    host, background = _victim(site)
    yield from background
    at, ports, pause = (
        _later(site),
        rng.choice(((23,), (23, 2323), (22,), (445,), (7547, 5555), (80, 8080, 81))),
        rng.lognormvariate(4, 2),
    )
    for _ in range(rng.randrange(60, 350)):
        outcome = Outcome.SILENT if rng.random() < 0.93 else Outcome.REFUSED
        yield attempt(rng, at, host.address, internet_address(rng), rng.choice(ports), outcome, label=SCAN)
        at += rng.expovariate(1 / pause)


@network_attack("connect-scan", SCAN, "T1046", "full connections to many ports to read the banners", Split.TRAIN)
def connect_scan(site: Site) -> Network:
    rng, scanner, at, pause = site.rng, internet_address(site.rng), _later(site), site.rng.lognormvariate(5, 1.5)
    for target in site.hosts[: rng.randrange(1, 5)]:
        for port in rng.sample(_PORTS, rng.randrange(15, len(_PORTS))):
            if rng.random() < 0.25:
                yield tcp(
                    rng,
                    at,
                    scanner,
                    target.address,
                    port,
                    up=rng.choice((0, 0, 18, 60)),
                    down=rng.randrange(0, 300),
                    seconds=rng.uniform(0.05, 5),
                    label=SCAN,
                )
            else:
                yield attempt(rng, at, scanner, target.address, port, rng.choice((Outcome.REFUSED, Outcome.REJECTED)), label=SCAN)
            at += rng.expovariate(1 / pause)


@network_attack("slow-scan", SCAN, "T1046", "a scan stretched over hours to stay under rate limits", Split.VALIDATION)
def slow_scan(site: Site) -> Network:
    rng, scanner, at = site.rng, internet_address(site.rng), float(site.start_ms)
    for port in rng.sample(_PORTS, rng.randrange(20, 40)):
        yield attempt(rng, at, scanner, site.host().address, port, rng.choice((Outcome.REJECTED, Outcome.REFUSED)), label=SCAN)
        at += rng.uniform(60_000, 400_000)


@network_attack("udp-scan", SCAN, "T1046", "UDP probes to amplification and management services", Split.TEST)
def udp_scan(site: Site) -> Network:
    rng, scanner, at = site.rng, internet_address(site.rng), _later(site)
    for target in site.hosts[:6]:
        for port in (53, 69, 111, 123, 137, 161, 389, 500, 520, 623, 1434, 1900, 5060, 5353, 11211):
            yield udp(
                rng, at, scanner, target.address, port, up=rng.randrange(1, 60), down=0, outcome=Outcome.REJECTED, label=SCAN
            )
            at += rng.lognormvariate(5, 1)


@network_attack(
    "remote-desktop-sweep", SCAN, "T1595", "one stranger trying remote administration on every host, some ports open", Split.TEST
)
def remote_desktop_sweep(site: Site) -> Network:
    rng, scanner, at = site.rng, internet_address(site.rng), _later(site)
    for _ in range(3):
        for target in site.hosts:
            for port in rng.sample((3389, 5900, 5985, 5986, 4899), 2):
                if rng.random() < 0.1:
                    yield tcp(rng, at, scanner, target.address, port, up=40, down=19, seconds=0.4, label=SCAN)
                else:
                    yield attempt(
                        rng,
                        at,
                        scanner,
                        target.address,
                        port,
                        rng.choice((Outcome.REFUSED, Outcome.SILENT, Outcome.REJECTED)),
                        label=SCAN,
                    )
                at += rng.lognormvariate(7, 1)


def _guessing(
    site: Site, port: int, *, tries: int, pause_ms: float, up: float, down: float, seconds: float, targets: int = 1
) -> Network:
    rng, guesser, at = site.rng, internet_address(site.rng), _later(site)
    for turn in range(tries):
        target = site.hosts[turn % targets].address
        yield tcp(
            rng,
            at,
            guesser,
            target,
            port,
            up=up * rng.uniform(0.8, 1.3),
            down=down * rng.uniform(0.8, 1.3),
            seconds=seconds * rng.uniform(0.5, 1.8),
            label=GUESSING,
        )
        at += rng.expovariate(1 / pause_ms)


@network_attack(
    "ssh-guessing",
    GUESSING,
    "T1110.001",
    "hydra or patator against SSH: short answered connections in quick succession",
    Split.TRAIN,
)
def ssh_guessing(site: Site) -> Network:
    rng = site.rng
    yield from _guessing(
        site,
        rng.choice((22, 22, 22, 2222)),
        tries=rng.randrange(40, 200),
        pause_ms=rng.lognormvariate(7.5, 1.3),
        up=rng.uniform(1200, 3000),
        down=rng.uniform(1800, 4200),
        seconds=rng.uniform(1.5, 14),
    )


@network_attack("rdp-guessing", GUESSING, "T1110.001", "password guessing against remote desktop", Split.TRAIN)
def rdp_guessing(site: Site) -> Network:
    rng = site.rng
    yield from _guessing(
        site,
        3389,
        tries=rng.randrange(40, 160),
        pause_ms=rng.lognormvariate(7, 1.2),
        up=rng.uniform(1500, 4000),
        down=rng.uniform(1500, 6000),
        seconds=rng.uniform(0.6, 5),
    )


@network_attack("ftp-telnet-guessing", GUESSING, "T1110.001", "password guessing against FTP and telnet", Split.TRAIN)
def ftp_telnet_guessing(site: Site) -> Network:
    rng = site.rng
    yield from _guessing(
        site,
        rng.choice((21, 23)),
        tries=rng.randrange(40, 160),
        pause_ms=rng.lognormvariate(7, 1.4),
        up=rng.uniform(60, 400),
        down=rng.uniform(100, 700),
        seconds=rng.uniform(1, 10),
    )


@network_attack("mail-guessing", GUESSING, "T1110.001", "password guessing against a mail server", Split.VALIDATION)
def mail_guessing(site: Site) -> Network:
    rng = site.rng
    yield from _guessing(
        site,
        rng.choice((143, 993, 587)),
        tries=rng.randrange(40, 120),
        pause_ms=rng.lognormvariate(7.5, 1),
        up=rng.uniform(300, 1500),
        down=rng.uniform(400, 4500),
        seconds=rng.uniform(1, 6),
    )


@network_attack("database-guessing", GUESSING, "T1110.001", "password guessing against an exposed database", Split.TEST)
def database_guessing(site: Site) -> Network:
    rng = site.rng
    yield from _guessing(
        site,
        rng.choice((3306, 5432, 1433)),
        tries=rng.randrange(40, 150),
        pause_ms=rng.lognormvariate(6.5, 1),
        up=rng.uniform(200, 700),
        down=rng.uniform(200, 600),
        seconds=rng.uniform(0.1, 2),
    )


@network_attack("ssh-spraying", GUESSING, "T1110.003", "a few common passwords tried slowly on every host in turn", Split.TEST)
def ssh_spraying(site: Site) -> Network:
    rng = site.rng
    yield from _guessing(
        site,
        22,
        tries=rng.randrange(50, 120),
        pause_ms=rng.lognormvariate(9.3, 0.6),
        up=2100,
        down=2700,
        seconds=rng.uniform(2, 8),
        targets=len(site.hosts),
    )


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
    host, background = _victim(site, minutes=hours * 60)
    yield from background
    server, at = internet_address(rng), _later(site)
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
    host, background = _victim(site)
    yield from background
    server, port, at = (
        internet_address(rng),
        rng.choice((23, 666, 4554, 6667, 8080, 34567, 56999, rng.randrange(1024, 65000))),
        _later(site),
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
    host, background = _victim(site, minutes=90)
    yield from background
    server, port, at = internet_address(rng), rng.choice((6667, 48101, 1024, 5555, 443, rng.randrange(1024, 65000))), _later(site)
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
    host, background = _victim(site)
    yield from background
    server, at = internet_address(rng), _later(site)
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


def _theft(site: Site, *, port: int, pieces: int, size: float, pause_ms: float, rate: float) -> Network:
    rng = site.rng
    host, background = _victim(site, per_minute=rng.choice((0.3, 1.0, 3.0)))
    yield from background
    drop, at = internet_address(rng), _later(site)
    for _ in range(pieces):
        amount = size * rng.lognormvariate(0, 0.5)
        yield tcp(
            rng, at, host.address, drop, port, up=amount, down=amount / 300 + 3000, seconds=amount / rate + 0.5, label=THEFT
        )
        at += amount / rate * 1000 + rng.expovariate(1 / pause_ms)


@network_attack(
    "bulk-upload", THEFT, "T1048.002", "an archive of stolen data sent to one outside server in large pieces", Split.TRAIN
)
def bulk_upload(site: Site) -> Network:
    rng = site.rng
    yield from _theft(
        site,
        port=rng.choice((443, 443, 80, 8080, 8443)),
        pieces=rng.randrange(6, 30),
        size=rng.lognormvariate(17, 1),
        pause_ms=rng.lognormvariate(8, 1),
        rate=rng.uniform(1e6, 3e7),
    )


@network_attack("copy-over-ssh", THEFT, "T1048.002", "files copied to an outside host over SSH", Split.TRAIN)
def copy_over_ssh(site: Site) -> Network:
    rng = site.rng
    yield from _theft(
        site,
        port=22,
        pieces=rng.randrange(6, 25),
        size=rng.lognormvariate(16, 1),
        pause_ms=rng.lognormvariate(8.5, 1),
        rate=rng.uniform(1e6, 3e7),
    )


@network_attack("copy-over-ftp", THEFT, "T1048.003", "files put on an outside FTP server", Split.VALIDATION)
def copy_over_ftp(site: Site) -> Network:
    rng = site.rng
    yield from _theft(
        site,
        port=rng.choice((20, 21, 990)),
        pieces=rng.randrange(8, 25),
        size=rng.lognormvariate(15.5, 1),
        pause_ms=rng.lognormvariate(8, 1),
        rate=rng.uniform(1e6, 1e7),
    )


@network_attack("trickle-odd-port", THEFT, "T1048", "stolen data sent in medium pieces over an uncommon port", Split.TEST)
def trickle_odd_port(site: Site) -> Network:
    rng = site.rng
    yield from _theft(
        site,
        port=rng.randrange(2000, 60000),
        pieces=rng.randrange(15, 50),
        size=rng.lognormvariate(14.5, 0.7),
        pause_ms=rng.lognormvariate(10, 0.8),
        rate=rng.uniform(2e5, 3e6),
    )


@network_attack("syn-flood-outward", FLOOD, "T1498.001", "a bot that takes part in a SYN flood", Split.TRAIN)
def syn_flood_outward(site: Site) -> Network:
    rng = site.rng
    host, background = _victim(site)
    yield from background
    target, port, at = internet_address(rng), rng.choice((80, 443, 53, 22, rng.randrange(1, 65536))), _later(site)
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
    host, background = _victim(site)
    yield from background
    target, at, size = internet_address(rng), _later(site), rng.choice((0, 512, 1024, 1400))
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
        bot, at, pause = internet_address(rng), _later(site), rng.uniform(4, 40)
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
    rng, reflector, victim, at = site.rng, site.host(), internet_address(site.rng), _later(site)
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
    host, background = _victim(site)
    yield from background
    target, at = internet_address(rng), _later(site)
    for _ in range(rng.randrange(80, 250)):
        yield attempt(
            rng, at, host.address, target, rng.randrange(1, 65536), Outcome.SILENT, label=FLOOD, tries=rng.randrange(20, 900)
        )
        at += rng.expovariate(1 / 80)


def _spread(site: Site, ports: tuple[int, ...], *, rounds: int, pause_ms: float, up: float) -> Network:
    rng = site.rng
    host, background = _victim(site)
    yield from background
    at = _later(site)
    for _ in range(rounds):
        for target in site.others(host):
            port = rng.choice(ports)
            if rng.random() < 0.35:
                yield attempt(
                    rng, at, host.address, target.address, port, rng.choice((Outcome.REFUSED, Outcome.SILENT)), label=SPREAD
                )
            else:
                yield tcp(
                    rng,
                    at,
                    host.address,
                    target.address,
                    port,
                    up=up * rng.lognormvariate(0, 0.8),
                    down=rng.lognormvariate(8.5, 1),
                    seconds=rng.lognormvariate(1.8, 1),
                    label=SPREAD,
                )
            at += rng.expovariate(1 / pause_ms)


@network_attack(
    "ssh-hopping",
    SPREAD,
    "T1021.004",
    "a host that was broken into signs in to its neighbours with stolen keys, where they work",
    Split.TRAIN,
)
def ssh_hopping(site: Site) -> Network:
    yield from _spread(site, (22,), rounds=2, pause_ms=site.rng.lognormvariate(8, 1), up=site.rng.uniform(2500, 60_000))


@network_attack("smb-spreading", SPREAD, "T1021.002", "a tool is copied to the neighbours' shares and started there", Split.TRAIN)
def smb_spreading(site: Site) -> Network:
    yield from _spread(
        site, (445, 445, 135, 139), rounds=2, pause_ms=site.rng.lognormvariate(7.5, 1), up=site.rng.uniform(2e4, 2e6)
    )


@network_attack(
    "winrm-spreading", SPREAD, "T1021.006", "remote management used to start commands on the neighbours", Split.VALIDATION
)
def winrm_spreading(site: Site) -> Network:
    yield from _spread(site, (5985, 5986), rounds=2, pause_ms=site.rng.lognormvariate(8, 1), up=site.rng.uniform(3000, 50_000))


@network_attack("remote-desktop-hopping", SPREAD, "T1021.001", "remote desktop sessions from host to host", Split.TEST)
def remote_desktop_hopping(site: Site) -> Network:
    yield from _spread(site, (3389,), rounds=2, pause_ms=site.rng.lognormvariate(9, 1), up=site.rng.uniform(20_000, 400_000))
