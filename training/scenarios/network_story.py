"""Tells a scenario of network behaviour at one site: streams of connections, and the victim's own traffic beside an attack."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from training.scenarios.connections import ICMP, Connection, Outcome, attempt, ephemeral, name_lookup, tcp, udp, web_request
from training.scenarios.family import BENIGN
from training.scenarios.schema import FlowAttack, FlowBenign, Outcomes, Stream
from training.scenarios.site import Host, Site, internet_address

MINUTE_MS = 60_000
_MULTICAST = ("239.255.255.250", "224.0.0.251", "255.255.255.255")
_LIMIT = 5000  # connections of one runner: a slip in a file must not fill the memory


def tell(scenario: FlowAttack | FlowBenign, site: Site) -> Iterator[Connection]:
    """Yield the scenario's connections, in any order."""
    cast = _Cast(site)
    attacked = isinstance(scenario, FlowAttack)
    if isinstance(scenario, FlowAttack) and any(stream.who == "victim" for stream in scenario.traffic):
        rate = scenario.background.draw(site.rng)
        if rate:
            # Some neighbours do the same: were it told of attacked machines only, web use itself would be taken for the attack.
            for host in (cast.victim, *site.others(cast.victim)[:2]):
                yield from browse(site, host, minutes=90, per_minute=rate)
    for stream in scenario.traffic:
        if site.rng.random() >= stream.chance:
            continue
        label = scenario.verdict if attacked and stream.attack else BENIGN
        for runner in cast.runners(stream):
            yield from _run(stream, runner, cast, label)


def browse(site: Site, host: Host, *, minutes: float, per_minute: float, begin_ms: float | None = None) -> Iterator[Connection]:
    """Outbound web use of one host with the name lookups before it: the background under an attack on that host."""
    rng = site.rng
    begin = site.start_ms if begin_ms is None else begin_ms
    servers = [internet_address(rng) for _ in range(rng.randrange(3, 25))]
    at = begin + rng.expovariate(per_minute) * MINUTE_MS
    while at < begin + minutes * MINUTE_MS:
        if rng.random() < 0.5:
            yield name_lookup(rng, at - 40, host.address, site.resolver)
        yield web_request(rng, at, host.address, rng.choice(servers), port=rng.choice((443, 443, 443, 80)))
        at += rng.expovariate(per_minute) * MINUTE_MS


class _Cast:
    """Who takes part: the same victim and the same intruder in every stream of a story."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.victim = site.host()
        self.intruder = internet_address(site.rng)

    def runners(self, stream: Stream) -> list[str]:
        """Addresses that each run the stream on their own."""
        site, many = self.site, stream.copies.whole(self.site.rng)
        if stream.who == "victim":
            return [self.victim.address] * many
        if stream.who == "front":
            return [site.hosts[0].address] * many
        if stream.who == "stranger":
            return [self.intruder] * many
        if stream.who == "strangers":
            return [internet_address(site.rng) for _ in range(many)]
        if stream.who == "hosts":
            return [host.address for host in site.hosts[-many:]]
        return [site.rng.choice(site.hosts).address for _ in range(many)]

    def targets(self, stream: Stream, runner: str) -> Callable[[], str]:
        """What gives the next destination of a runner's stream."""
        site, rng = self.site, self.site.rng
        others = [host.address for host in site.hosts if host.address != runner]
        if stream.to == "anywhere":
            return lambda: internet_address(rng)
        if stream.to == "subnet":
            base = (runner if site.host_at(runner) else self.victim.address).rsplit(".", 1)[0]
            return lambda: f"{base}.{rng.randrange(1, 255)}"
        pool = max(1, stream.pool.whole(rng))
        if stream.to in ("neighbours", "neighbour", "host"):
            rng.shuffle(others)
            pool_of = others if stream.to == "neighbours" else others[:pool]
            turn = iter(pool_of * 1000)
            return (lambda: next(turn)) if stream.to == "neighbours" else (lambda: rng.choice(pool_of))
        fixed = {
            "front": [site.hosts[0].address],
            "victim": [self.victim.address],
            "resolver": [site.resolver],
            "multicast": list(_MULTICAST),
        }.get(stream.to) or [internet_address(rng) for _ in range(pool)]
        return lambda: rng.choice(fixed)


def _run(stream: Stream, runner: str, cast: _Cast, label: str) -> Iterator[Connection]:
    site, rng = cast.site, cast.site.rng
    target = cast.targets(stream, runner)
    at = site.start_ms + 1000 * stream.starts.draw(rng)
    end = at + 1000 * stream.lasting.draw(rng) if stream.lasting is not None else float("inf")
    count = stream.count.whole(rng) if stream.count is not None else _LIMIT
    if stream.to == "neighbours":
        count = min(count, stream.rounds.whole(rng) * (len(site.hosts) - (site.host_at(runner) is not None)))
    connect = _connector(stream, runner, rng, label)
    pause = 1000 * stream.every.draw(rng)
    for _ in range(min(count, _LIMIT)):
        if at >= end:
            return
        destination = target()
        if destination == runner:
            continue
        if stream.lookup and rng.random() < stream.lookup:
            yield name_lookup(rng, at - 20, runner, site.resolver)
        yield connect(at, destination)
        at += pause * _beat(stream.rhythm, rng)


def _connector(stream: Stream, runner: str, rng: random.Random, label: str) -> Callable[[float, str], Connection]:
    """What makes one connection of the stream; what is drawn once for the runner is drawn here."""
    once = None if stream.ports is not None or stream.port is None else stream.port.whole(rng)
    outcomes = stream.outcomes if stream.outcome is None else {_pick(stream.outcome, rng): 1.0}
    up, down, lasts = stream.up.draw(rng), stream.down.draw(rng), stream.lasts.draw(rng)
    rate = stream.rate.draw(rng) if stream.rate is not None else None
    own_port = ephemeral(rng) if stream.source_port == "fixed" else stream.source_port or None

    def connect(at: float, destination: str) -> Connection:
        port = once if stream.ports is None else stream.ports.whole(rng)
        outcome = Outcome[_pick(outcomes, rng).upper()]
        sent, received, seconds = (amount * _varied(stream.varies, rng) for amount in (up, down, lasts))
        if rate is not None:
            seconds = max(sent, received) / rate + 0.5
        if stream.protocol == "icmp":
            return Connection(int(at), 40, runner, 0, destination, 0, ICMP, 1, 84, 1, 84, label=label)
        if stream.protocol == "udp":
            packets = max(1, stream.packets.whole(rng))
            back = int(received) if outcome is Outcome.ANSWERED else 0
            return udp(
                rng, at, runner, destination, port or 0, up=int(sent), down=back, packets=packets, seconds=seconds,
                outcome=outcome, label=label, source_port=own_port,
            )  # fmt: skip
        if outcome is not Outcome.ANSWERED:
            tries = stream.tries.whole(rng) if stream.tries is not None else None
            return attempt(rng, at, runner, destination, port or 0, outcome, label=label, source_port=own_port, tries=tries)
        if stream.protocol == "web":
            return web_request(rng, at, runner, destination, port=port or 443, label=label)
        return tcp(
            rng, at, runner, destination, port or 0, up=sent, down=received, seconds=seconds, label=label, source_port=own_port,
            packets=max(1, stream.packets.whole(rng)),
        )  # fmt: skip

    return connect


def _varied(sigma: float, rng: random.Random) -> float:
    return rng.lognormvariate(0, sigma) if sigma else 1.0


def _beat(rhythm: str, rng: random.Random) -> float:
    """One pause, as a multiple of the median or mean."""
    kind, _, amount = rhythm.partition(" ")
    if kind == "steady":
        return rng.uniform(0.98, 1.02)
    if kind == "random":
        return rng.expovariate(1)
    if kind == "jitter":
        return max(0.05, 1 + rng.uniform(-float(amount), float(amount)))
    return rng.lognormvariate(0, float(amount))


def _pick(weights: Outcomes, rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
