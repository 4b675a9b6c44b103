"""Theft and spreading from a host that was broken into, as they look in flow telemetry."""

from __future__ import annotations

from training.scenarios.connections import Outcome, attempt, tcp
from training.scenarios.family import Split
from training.scenarios.registry import Network, network_attack
from training.scenarios.site import Site, internet_address
from training.scenarios.victims import pick_victim, some_time

_MINUTE, _HOUR = 60_000, 3_600_000
THEFT = "exfiltration"
SPREAD = "lateral_movement"


def _theft(site: Site, *, port: int, pieces: int, size: float, pause_ms: float, rate: float) -> Network:
    rng = site.rng
    host, background = pick_victim(site, per_minute=rng.choice((0.3, 1.0, 3.0)))
    yield from background
    drop, at = internet_address(rng), some_time(site)
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


def _spread(site: Site, ports: tuple[int, ...], *, rounds: int, pause_ms: float, up: float) -> Network:
    rng = site.rng
    host, background = pick_victim(site)
    yield from background
    at = some_time(site)
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
