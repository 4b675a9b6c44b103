"""The function app in a small Azure: Azurite, Resource Manager, Graph, Logs Ingestion and the identity endpoint, all local.

Settings, SDKs, tokens and code are those of a deployment; only the Functions host is left out: triggers' values are handed
to the functions directly.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
import pytest

import function_app
from azure_functions import (
    answer_proposals,
    detect_api_calls,
    detect_flows,
    detect_system_logs,
    expire_containments,
    health,
    proposal_page,
    respond,
    triage_findings,
)
from azure_functions.adapters.journal import TableJournal
from azure_functions.blob_reference import BlobReference
from azure_functions.clients import Clients, LazyClients
from azure_functions.function import Function
from azure_functions.registry import CONTAINERS, NSG_FLOW_LOGS, POLICY, POLICY_BLOB, QUEUES, TABLES, VNET_FLOW_LOGS
from azure_functions.settings import PREFIX, Settings
from offline.azure.services import Services
from offline.azure.storage import Storage
from response.anchors import is_anchors
from response.journal import JournalEntry
from response.orders import is_orders
from shared_model.verdicts import Verdict

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "infra_tests" / "events" / "azure"
NOW_MS = 1_790_000_000_000
PLAYBOOK = "22222222-0000-4000-8000-000000000001"
_MODULES = (
    detect_flows,
    detect_api_calls,
    detect_system_logs,
    triage_findings,
    respond,
    answer_proposals,
    expire_containments,
    proposal_page,
    health,
)
#: An app can be indexed once in a process.
INDEXED = {each.get_function_name(): each for each in function_app.app.get_functions()}
_FUNCTIONS: dict[str, Callable[..., Any]] = {name: each.get_user_function() for name, each in INDEXED.items()}


@dataclass
class Context:
    """The part of ``func.Context`` that says how often a batch was tried before."""

    retry_context: Any

    @classmethod
    def after(cls, tries: int) -> Context:
        return cls(type("RetryContext", (), {"retry_count": tries, "max_retry_count": -1})())


@dataclass
class App:
    storage: Storage
    services: Services
    settings: Settings
    clients: LazyClients
    logged: pytest.LogCaptureFixture
    now_ms: int = NOW_MS
    policy: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, storage: Storage, services: Services, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture) -> App:
        storage.create(tables=TABLES, queues=QUEUES, containers=CONTAINERS, flow_containers=(VNET_FLOW_LOGS, NSG_FLOW_LOGS))
        given = {**storage.azurite.settings, **services.settings, f"{PREFIX}PLAYBOOK_PRINCIPAL_ID": PLAYBOOK}
        for name, value in {**services.environment, **given}.items():
            monkeypatch.setenv(name, value)
        settings = Settings.from_environment()
        logged.set_level(logging.INFO, "breakwater")
        app = cls(storage, services, settings, LazyClients(lambda: settings), logged)
        for module in _MODULES:
            app.install(monkeypatch, module)
        app.set_policy()
        return app

    def install(self, monkeypatch: pytest.MonkeyPatch, module: Any, clients: Clients | None = None) -> None:
        """Let a module's functions work here, at this app's time; with clients of their own if there are some."""
        for prefix in ("", "NSG_", "ALERTS_", "UNDO_", "LINKS_", "ANSWER_"):
            if (original := getattr(module, f"{prefix}FUNCTION", None)) is None:
                continue
            function = Function(
                original.name, needs=(), clients=clients or self.clients, settings=self.settings, clock=lambda: self.now_ms
            )
            monkeypatch.setattr(module, f"{prefix}FUNCTION", function)
            if (room := getattr(module, f"{prefix}ROOM", None)) is not None:
                monkeypatch.setattr(module, f"{prefix}ROOM", type(room)(function))

    def set_policy(self, mode: str = "enforce", **changes: Any) -> None:
        import yaml

        policy = yaml.safe_load((ROOT / "policy" / "azure.yaml").read_text(encoding="utf-8"))
        for part in (*policy["rules"], *policy["actions"].values()):
            part["mode"] = mode
        text = yaml.safe_dump(policy | changes)
        self.storage.blobs.get_blob_client(POLICY, POLICY_BLOB).upload_blob(text, overwrite=True)

    def events(self, function: str, *bodies: bytes, tries: int = 0) -> None:
        """Hand a batch to an event hub's function."""
        self.triggered(function, [func.EventHubEvent(body=body) for body in bodies], tries=tries)

    def triggered(self, function: str, events: Any, *, tries: int = 0) -> None:
        """Hand events over as the library has made them of what the host sent."""
        _FUNCTIONS[function](events, Context.after(tries))

    def message(self, function: str, body: str | bytes) -> None:
        """Hand a message to a queue's function."""
        data = body.encode() if isinstance(body, str) else body
        _FUNCTIONS[function](func.QueueMessage(body=data))

    def incident(self, body: bytes, *, caller: str = PLAYBOOK) -> func.HttpResponse:
        """Send an incident as the playbook does."""
        headers = {"X-MS-CLIENT-PRINCIPAL-ID": caller} if caller else {}
        request = func.HttpRequest("POST", "https://breakwater.example/api/triage_findings", headers=headers, body=body)
        return _FUNCTIONS["triage_findings"](request)  # type: ignore[no-any-return]

    def page(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> func.HttpResponse:
        """Send a request of a browser, as the host passes it on."""
        parts = urlsplit(url)
        name = "show_proposal" if method == "GET" else "answer_proposal"
        request = func.HttpRequest(
            method,
            url,
            headers=dict(headers),
            params=dict(parse_qsl(parts.query)),
            route_params={"proposal": parts.path.rpartition("/")[2]},
            body=body,
        )
        return _FUNCTIONS[name](request)  # type: ignore[no-any-return]

    def health(self) -> func.HttpResponse:
        return _FUNCTIONS["health"](func.HttpRequest("GET", "https://breakwater.example/api/health", body=b""))  # type: ignore[no-any-return]

    def written(self, blob: str, function: str = "detect_flows") -> None:
        """Tell a flow-log function that a blob (with its container) was written to."""
        container, _, name = blob.partition("/")
        _FUNCTIONS[function](BlobReference(container, name))

    def scheduled(self) -> None:
        _FUNCTIONS["expire_containments"](None)

    def taken(self, queue: str) -> list[bytes]:
        """Receive and delete everything in a queue."""
        client, bodies = self.storage.queues.get_queue_client(queue), []
        for message in client.receive_messages(messages_per_page=32):
            bodies.append(base64.b64decode(message.content))
            client.delete_message(message)
        return bodies

    def verdicts(self) -> list[Verdict]:
        return [Verdict.from_json(body) for body in self.taken("verdicts")]

    def dead_letters(self, source: str) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.taken(f"{source}-dead-letters")]

    def lake(self) -> list[str]:
        return list(self.storage.blobs.get_container_client("lake").list_blob_names())

    def journal(self) -> list[JournalEntry]:
        """Every entry about containments and the switch."""
        journal = TableJournal(self.clients)
        names = sorted(name for name in journal.streams() if not is_anchors(name) and not is_orders(name))
        return [entry for name in names for entry in journal.stream(name)]

    def steps(self) -> list[str]:
        return [entry.step for entry in self.journal()]

    def rows(self) -> list[dict[str, Any]]:
        return self.services.logs.rows()

    def comments(self) -> list[str]:
        return self.services.arm.incidents.comments(self.services.world.incident)

    def lines(self, message: str = "") -> Sequence[Mapping[str, Any]]:
        """What the functions logged."""
        lines = [json.loads(r.getMessage()) for r in self.logged.records if r.name.startswith("breakwater.")]
        return [line for line in lines if line["message"] == message or not message]


def event(name: str) -> Any:
    return json.loads((EVENTS / name).read_bytes())
