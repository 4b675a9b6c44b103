"""Scans and password guessing as they look in flow telemetry. Each story runs among benign traffic of the same site and host."""

from __future__ import annotations

from training.scenarios.connections import Outcome, attempt, tcp, udp
from training.scenarios.family import Split
from training.scenarios.registry import Network, network_attack
from training.scenarios.site import Site, internet_address
from training.scenarios.victims import pick_victim, some_time

_MINUTE, _HOUR = 60_000, 3_600_000
SCAN = "scan"
GUESSING = "brute_force"
_PORTS = (
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 389, 443, 445, 587, 993, 995, 1433, 1521, 1723, 2049, 2375, 3000, 3306, 3389,
    5000, 5432, 5601, 5900, 5985, 6379, 6443, 8000, 8080, 8443, 8888, 9000, 9090, 9200, 9300, 10250, 11211, 27017,
)  # fmt: skip


@network_attack("port-scan-one-host", SCAN, "T1046", "SYN scan of many ports of one host from the internet (nmap)", Split.TRAIN)
def port_scan_one_host(site: Site) -> Network:
    rng, scanner, target, at = site.rng, internet_address(site.rng), site.host(), some_time(site)
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
    rng, scanner, at = site.rng, internet_address(site.rng), some_time(site)
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
    host, background = pick_victim(site)
    yield from background
    at, ports, pause = (
        some_time(site),
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
    host, background = pick_victim(site)
    yield from background
    at, ports, pause = (
        some_time(site),
        rng.choice(((23,), (23, 2323), (22,), (445,), (7547, 5555), (80, 8080, 81))),
        rng.lognormvariate(4, 2),
    )
    for _ in range(rng.randrange(60, 350)):
        outcome = Outcome.SILENT if rng.random() < 0.93 else Outcome.REFUSED
        yield attempt(rng, at, host.address, internet_address(rng), rng.choice(ports), outcome, label=SCAN)
        at += rng.expovariate(1 / pause)


@network_attack("connect-scan", SCAN, "T1046", "full connections to many ports to read the banners", Split.TRAIN)
def connect_scan(site: Site) -> Network:
    rng, scanner, at, pause = site.rng, internet_address(site.rng), some_time(site), site.rng.lognormvariate(5, 1.5)
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
    rng, scanner, at = site.rng, internet_address(site.rng), some_time(site)
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
    rng, scanner, at = site.rng, internet_address(site.rng), some_time(site)
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
    rng, guesser, at = site.rng, internet_address(site.rng), some_time(site)
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
