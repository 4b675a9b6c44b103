"""Signs of life on Azure that lie in the state account: telemetry, what waits in queues, tables, the policy."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azure_functions.actions.catalogue import KNOWN
from azure_functions.adapters.heartbeat import Beat
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import (
    ANCHORS,
    FUNCTIONS,
    JOURNAL,
    POLICY,
    POLICY_BLOB,
    PROGRESS,
    UNDOS,
    FunctionSpec,
    Group,
    Trigger,
)
from console.azure.spans import ago, span
from console.deployment import Health, Sign
from console.policy import signs_of
from response.policy import Policy, parse_policy_yaml
from response.telling import moment

#: As the alerts on silence have it.
_SILENT_MS = 3_600_000
#: Longer than every retry of a message together: nobody takes it.
_STUCK_MS = 3_600_000
#: What an operator may read; the others show in whether the functions go on.
_TABLES = (JOURNAL, UNDOS, ANCHORS, PROGRESS)
_DEPLOY = "deploy again: what is there stays, what is missing is made"
_LETTERS = "each says its reason: mend that and send its body again, or delete it (docs/deploy-azure.md, When something is bad)"
_POISON = "what failed is in the log of its function: mend that, then send it again (docs/deploy-azure.md, When something is bad)"
_POLICY = f"{POLICY}/{POLICY_BLOB}"
_UPLOAD = "mend it (breakwater policy check FILE), then breakwater policy upload FILE"
_WAITING = "its app is stopped, or fails before it looks: az functionapp show, and the alert on its failures"
#: What brings the events of each module, and so what to look at when they end.
_SOURCES = {
    "detect_flows": "flow logs: Network Watcher's setting, and `azure_infra/connect.sh` for Event Grid's subscriptions",
    "detect_api_calls": "the activity log's and Entra's diagnostic settings (`activityLog`, `entraRecords`)",
    "detect_system_logs": "the data export of the workspace (`exportTables`)",
    "triage_findings": "Sentinel's automation rules and playbook, or the export of alerts (`exportAlerts`)",
}
#: Of these silence is no sign: a quiet week has no finding.
_RARE = frozenset({"triage_findings"})


@dataclass(frozen=True, slots=True)
class _Queue:
    """How a queue stands: about how many messages, and since when the foremost waits (ms), with what it says."""

    length: int
    since_ms: int | None
    body: str


def of_telemetry(beats: Mapping[str, Beat], now_ms: int) -> Iterator[Sign]:
    """Yield, for each kind of telemetry, when a function last read it, and with which detector."""
    for module, source in _SOURCES.items():
        names = [spec.name for spec in FUNCTIONS if spec.module == module]
        found = sorted((beats[name] for name in names if name in beats), key=lambda beat: beat.events_ms)
        if not found:
            yield Sign(Health.UNKNOWN, f"{module}: no event was ever read", f"where it should have some, look at {source}")
            continue
        last, verdicts = found[-1], [beat.verdict_ms for beat in found if beat.verdict_ms is not None]
        read = f"{module}: events were last read {ago(last.events_ms, now_ms)}"
        scored = f", scored with {last.detector}" if last.detector else ""
        sent = f", a verdict was sent {ago(max(verdicts), now_ms)}" if verdicts else ", no verdict was ever sent"
        silent = module not in _RARE and now_ms - last.events_ms > _SILENT_MS
        yield Sign(Health.BAD if silent else Health.GOOD, read + scored + sent, f"look at {source}" if silent else "")


def of_queues(clients: Clients, now_ms: int) -> Iterator[Sign]:
    """Yield a line for each function that takes messages: how much waits, and how much was given up."""
    for spec in {spec.dead_letters: spec for spec in reversed(FUNCTIONS) if spec.dead_letters}.values():
        yield _of_function(clients, spec, now_ms)


def _of_function(clients: Clients, spec: FunctionSpec, now_ms: int) -> Sign:
    letters, cures = _look(clients, spec.dead_letters), []
    if letters is None:
        return Sign(Health.BAD, f"the queue {spec.dead_letters} is not there", _DEPLOY)
    said = [_given_up(letters, "dead letters", spec.dead_letters, now_ms) if letters.length else "no dead letters"]
    cures += [_LETTERS] if letters.length else []
    if spec.trigger is Trigger.QUEUE:
        poison, waiting = _look(clients, f"{spec.source}-poison"), _look(clients, spec.source)
        if waiting is None:
            return Sign(Health.BAD, f"the queue {spec.source} is not there", _DEPLOY)
        if poison is not None and poison.length:  # the host makes it when it first needs it, where no template has
            said.insert(0, _given_up(poison, "poison messages", f"{spec.source}-poison", now_ms))
            cures.insert(0, _POISON)
        stuck = waiting.since_ms is not None and now_ms - waiting.since_ms > _STUCK_MS
        said.append(f"{waiting.length} waiting" + (f", the oldest for {span(waiting.since_ms, now_ms)}" if stuck else ""))
        cures += [_WAITING] if stuck else []
    return Sign(Health.BAD if cures else Health.GOOD, f"{spec.name}: {', '.join(said)}", "; ".join(cures))


def _given_up(queue: _Queue, what: str, name: str, now_ms: int) -> str:
    oldest = f", the oldest for {span(queue.since_ms, now_ms)}" if queue.since_ms is not None else ""
    reason = f" ({queue.body})" if queue.body else ""
    return f"{queue.length} {what} in {name}{oldest}{reason}"


def _look(clients: Clients, name: str) -> _Queue | None:
    """How a queue stands, None where there is none. What is seen of its messages stays as it is: nothing is taken."""
    queue = clients("queues", Group.RESPOND).get_queue_client(name)
    try:
        with in_core_words(f"queue {name}"):
            length, first = queue.get_queue_properties().approximate_message_count or 0, queue.peek_messages(1)
    except CloudRefusal as refusal:
        if refusal.is_missing:
            return None
        raise
    if not first:
        return _Queue(length, None, "")
    return _Queue(length, round(first[0].inserted_on.timestamp() * 1000), _reason(str(first[0].content)))


def _reason(content: str) -> str:
    """Why a dead letter is one, ``""`` for any other message."""
    try:
        letter = json.loads(base64.b64decode(content))
    except ValueError:
        return ""
    return str(letter.get("reason", "")) if isinstance(letter, dict) else ""


def of_tables(clients: Clients) -> Iterator[Sign]:
    """Yield whether the tables that an operator may read are there and answer."""
    missing = 0
    for name in _TABLES:
        try:
            with in_core_words(f"table {name}"):
                pages = clients("tables", Group.RESPOND).get_table_client(name).list_entities(results_per_page=1).by_page()
                next(iter(next(pages, ())), None)
        except CloudRefusal as refusal:
            if not refusal.is_missing:
                raise
            missing += 1
            yield Sign(Health.BAD, f"the table {name} is not there", _DEPLOY)
    if not missing:
        yield Sign(Health.GOOD, f"the tables {', '.join(_TABLES)} answer")


def of_policy(clients: Clients, in_force: Callable[[Policy], None]) -> Iterator[Sign]:
    """Yield whether the functions can work by the policy in force, how old it is, and what it may do.

    Parameters
    ----------
    clients : Clients
    in_force : callable
        Told of the policy, where there is one that validates: nobody has to read it a second time.
    """
    try:
        with in_core_words(f"policy {_POLICY}"):
            download = clients("blobs", Group.RESPOND).get_blob_client(POLICY, POLICY_BLOB).download_blob()
            text: bytes = download.readall()
    except CloudRefusal as refusal:
        if not refusal.is_missing:
            raise
        yield Sign(Health.BAD, f"there is no policy {_POLICY}", "breakwater policy upload policy/azure.yaml")
        return
    since = moment(_ms(download.properties.last_modified))
    yield from signs_of(lambda warn: parse_policy_yaml(text, KNOWN, name=_POLICY, warn=warn), since, [*KNOWN], _UPLOAD, in_force)


def _ms(when: Any) -> int:
    return int(when.timestamp() * 1000)
