"""How the data lake is laid out, on either cloud: gzip JSON lines under the prefixes that its tables read.

The same lines make the same path: what is delivered again overwrites what it wrote.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from shared_model.events import Rejected
from shared_model.ocsf import API_ACTIVITY, AUTHENTICATION, DETECTION_FINDING, REMEDIATION_ACTIVITY
from shared_model.verdicts import Verdict

#: Where copies of the journal's anchors lie.
ANCHORS = "journal-anchors"
#: Made once: ``json.dumps`` with settings of its own makes one for each line.
_JSON = json.JSONEncoder(separators=(",", ":"), sort_keys=True)
_CLASSES = frozenset({DETECTION_FINDING, AUTHENTICATION, API_ACTIVITY, REMEDIATION_ACTIVITY})


def rejected_files(rejected: Sequence[Rejected], *, now_ms: int, cause: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and content for rejected records, by the parser that rejected them."""
    by_parser: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in rejected:
        by_parser[record.source.partition(":")[0]].append(asdict(record))
    for parser, lines in by_parser.items():
        yield _file(f"rejected/source={_safe(parser)}/dt={_day(now_ms)}", lines, cause)


def ocsf_files(
    objects: Iterable[Mapping[str, Any]], *, default_region: Callable[[], str], cause: str
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content for OCSF objects, each under its class, account, region and day.

    What is of no class that the lake has a table for (system-log lines that are no sign-in) is left out: the raw
    records are kept where they came from. ``default_region`` is asked for what names none.
    """
    by_prefix: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in objects:
        if line["class_uid"] not in _CLASSES:
            continue
        cloud = line.get("cloud", {})
        account = cloud.get("account", {}).get("uid") or "unknown"
        region = cloud.get("region") or default_region()
        place = f"class={line['class_uid']}/account={_safe(account)}/region={_safe(region)}/dt={_day(line['time'])}"
        by_prefix[f"ocsf/{place}"].append(line)
    for prefix, lines in by_prefix.items():
        yield _file(prefix, lines, cause)


def by_cause(verdicts: Iterable[Verdict]) -> Iterator[tuple[str, list[Verdict]]]:
    """Yield verdicts by their correlation id, each group in one order: together in a file is what is delivered again together.

    An object of flow logs brings hundreds where a network is scanned, and a file each takes longer than finding them. Single
    events come again in any batch.
    """
    ordered = sorted(verdicts, key=lambda each: (each.correlation_id, each.id))
    for cause, found in groupby(ordered, key=lambda each: each.correlation_id):
        yield cause, [*found]


def anchor_file(copy: Mapping[str, Any], *, now_ms: int, cause: str) -> tuple[str, bytes]:
    """Return path and content for the copy of a journal's anchor. Another content has another path: nothing is written over."""
    return _file(f"{ANCHORS}/dt={_day(now_ms)}", [copy], cause)


def _file(prefix: str, lines: Sequence[Mapping[str, Any]], cause: str) -> tuple[str, bytes]:
    text = "".join(_JSON.encode(line) + "\n" for line in lines).encode()
    name = hashlib.sha256(cause.encode("utf-8", "surrogatepass") + b"\n" + text).hexdigest()[:32]
    return f"{prefix}/{name}.jsonl.gz", gzip.compress(text, 6, mtime=0)


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def _safe(text: str) -> str:
    """A partition value: no slash or equals sign may come out of telemetry into a path."""
    return re.sub(r"[^\w.-]", "_", text, flags=re.ASCII)[:128] or "unknown"
