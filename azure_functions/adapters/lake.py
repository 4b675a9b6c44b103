"""The data lake: gzip JSON lines under the same prefixes as on AWS, in container ``lake``."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from azure_functions.clients import Clients
from azure_functions.cloud_errors import in_core_words
from azure_functions.registry import LAKE, Group
from shared_model.events import Rejected
from shared_model.ocsf import API_ACTIVITY, AUTHENTICATION, DETECTION_FINDING, REMEDIATION_ACTIVITY

_CLASSES = frozenset({DETECTION_FINDING, AUTHENTICATION, API_ACTIVITY, REMEDIATION_ACTIVITY})
#: Entra and the Activity log of a subscription belong to no region.
_NO_REGION = "global"


class Lake:
    """Writes lines. The same lines make the same blob name: a message delivered again overwrites what it wrote."""

    def __init__(self, clients: Clients, group: Group) -> None:
        self._clients = clients
        self._group = group

    def put_rejected(self, rejected: Sequence[Rejected], *, now_ms: int, cause: str) -> None:
        """Keep rejected records, by the parser that rejected them."""
        by_parser: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for record in rejected:
            by_parser[record.source.partition(":")[0]].append(asdict(record))
        for parser, lines in by_parser.items():
            self._put_lines(f"rejected/source={_safe(parser)}/dt={_day(now_ms)}", lines, cause)

    def put_ocsf(self, objects: Iterable[Mapping[str, Any]], *, cause: str) -> None:
        """Keep OCSF objects, each under its class, account, region and day.

        What is of no class that the lake has a table for (system-log lines that are no sign-in) is left out: the
        raw records lie in the workspace already.
        """
        by_prefix: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for line in objects:
            if line["class_uid"] not in _CLASSES:
                continue
            cloud = line.get("cloud", {})
            account = cloud.get("account", {}).get("uid") or "unknown"
            region = cloud.get("region") or _NO_REGION
            place = f"class={line['class_uid']}/account={_safe(account)}/region={_safe(region)}/dt={_day(line['time'])}"
            by_prefix[f"ocsf/{place}"].append(line)
        for prefix, together in by_prefix.items():
            self._put_lines(prefix, together, cause)

    def put_dead_letter(self, body: bytes, *, name: str) -> str:
        """Keep a body that is too large for a queue, untouched. Returns where it lies."""
        path = f"dead-letters/{name}"
        self._put(path, body)
        return f"{LAKE}/{path}"

    def _put_lines(self, prefix: str, lines: Sequence[Mapping[str, Any]], cause: str) -> None:
        text = "".join(json.dumps(line, separators=(",", ":"), sort_keys=True) + "\n" for line in lines).encode()
        name = hashlib.sha256(cause.encode("utf-8", "surrogatepass") + b"\n" + text).hexdigest()[:32]
        self._put(f"{prefix}/{name}.jsonl.gz", gzip.compress(text, 6, mtime=0))

    def _put(self, path: str, data: bytes) -> None:
        with in_core_words("data lake"):
            self._clients("blobs", self._group).get_blob_client(LAKE, path).upload_blob(data, overwrite=True)


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def _safe(text: str) -> str:
    """A partition value: no slash or equals sign may come out of telemetry into a path."""
    return re.sub(r"[^\w.-]", "_", text, flags=re.ASCII)[:128] or "unknown"
