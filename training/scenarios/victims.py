"""Who is struck and when: what every attack story on the network begins with."""

from __future__ import annotations

from training.scenarios.network_benign import browse
from training.scenarios.registry import Network
from training.scenarios.site import Host, Site

_MINUTE = 60_000


def pick_victim(site: Site, *, per_minute: float | None = None, minutes: float = 60) -> tuple[Host, Network]:
    """A host that was broken into, and the ordinary traffic that it goes on having."""
    host = site.host()
    rate = site.rng.choice((0.0, 0.1, 0.5, 2.0)) if per_minute is None else per_minute
    return host, browse(site, host, minutes=minutes, per_minute=rate) if rate else iter(())


def some_time(site: Site) -> float:
    return site.start_ms + site.rng.random() * 20 * _MINUTE
