"""VNet flow-log blobs for benchmarks: a made-up interface whose peers are distributed as real ones are.

Three tenths of the tuples are denied probes from the internet; a tenth is IPv6; most connections begin and end within their
record, others go on; every thousandth tuple is damaged.
"""

from __future__ import annotations

import json
import random

_PEERS = 20_000
_BEGIN_MS = 1_700_000_000_000
_MINUTE_MS = 60_000
_ID = "00000000-0000-0000-0000-000000000001"
_NETWORK = f"/subscriptions/{_ID}/resourceGroups/network/providers/Microsoft.Network"
_ALLOWED = ("DefaultRule_AllowInternetOutBound", "DefaultRule_AllowVnetInBound", "UserRule_web", "PlatformRule")


def make_blob(tuples: int, *, per_group: int, seed: int = 1) -> bytes:
    """Return a blob of about so many tuples, of which so many stand in each array."""
    rng = random.Random(seed)
    peers = [(f"198.{18 + n // 2**16 % 2}.{n // 256 % 256}.{n % 256}", f"2001:db8:2::{n + 1:x}") for n in range(_PEERS)]
    rng.shuffle(peers)
    groups_per_record = max(2, min(8, tuples // per_group // 60))
    records, written, minute = [], 0, 0
    while written < tuples:
        flows = []
        for number in range(groups_per_record):
            denied = number < groups_per_record * 0.3
            group = _tuples(rng, peers, per_group, minute, denied=denied)
            rule = "DefaultRule_DenyAllInBound" if denied else _ALLOWED[number % len(_ALLOWED)]
            flows.append(
                {"aclID": f"{_NETWORK}/networkSecurityGroups/web", "flowGroups": [{"rule": rule, "flowTuples": group}]},
            )
            written += len(group)
        records.append(_record(minute, flows))
        minute += 1
    return ('{"records":[' + ",".join(json.dumps(record, separators=(",", ":")) for record in records) + "]}").encode()


def _record(minute: int, flows: list[dict[str, object]]) -> dict[str, object]:
    return {
        "time": f"2023-11-14T{22 + minute // 60 % 2}:{minute % 60:02}:00.0000000Z",
        "flowLogGUID": _ID,
        "macAddress": "000D3A000001",
        "category": "FlowLogFlowEvent",
        "flowLogResourceID": f"{_NETWORK}/networkWatchers/watcher/flowLogs/web-flowlog".upper(),
        "targetResourceID": f"{_NETWORK}/virtualNetworks/web",
        "operationName": "FlowLogFlowEvent",
        "flowLogVersion": 4,
        "flowRecords": {"flows": flows},
    }


def _tuples(rng: random.Random, peers: list[tuple[str, str]], size: int, minute: int, *, denied: bool) -> list[str]:
    found: list[str] = []
    begin = _BEGIN_MS + minute * _MINUTE_MS
    while len(found) < size:
        four, six = peers[min(int(rng.paretovariate(0.6)) - 1, _PEERS - 1)]
        mine, peer = ("2001:db8:1::5", six) if rng.random() < 0.1 else ("10.0.1.5", four)
        when, port = begin + rng.randrange(_MINUTE_MS), rng.randrange(32768, 61000)
        if denied:
            target = rng.choice((22, 23, 445, 3389, rng.randrange(1, 65536)))
            found.append(f"{when},{peer},{mine},{port},{target},6,I,D,NX,0,0,0,0")
            continue
        protocol, service = rng.choice(((6, 443), (6, 443), (6, 8443), (17, 53)))
        outbound = rng.random() < 0.6
        ends = f"{mine},{peer},{port},{service}" if outbound else f"{peer},{mine},{port},{service}"
        way = f"{protocol},{'O' if outbound else 'I'}"
        sent, received = rng.randrange(1, 60), rng.randrange(1, 90)
        counts = f"{sent},{sent * 140},{received},{received * 900}"
        kind = rng.random()
        if kind < 0.7:
            found.append(f"{when},{ends},{way},B,NX,0,0,0,0")
        found.append(f"{when + rng.randrange(9000)},{ends},{way},{'C' if kind > 0.85 else 'E'},NX,{counts}")
    return [each[:30] if rng.randrange(1000) == 0 else each for each in found]
