"""The operator's command beside a deployment of each cloud, as an engineer who is signed in."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from azure_functions.adapters.journal import TableJournal
from azure_functions.registry import CONTAINERS, QUEUES, TABLES
from console.__main__ import main
from infra_tests.azure_functions.conftest import app
from infra_tests.console.deployed import alive, armed, hubs, placed, services
from infra_tests.console.sign_in import ENGINEER, OBJECT_ID, SignIn
from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.conftest import account
from lambdas.adapters.journal import DynamoJournal
from offline.azure.storage import Storage
from response.journal import Journal

__all__ = ["account", "alive", "app", "armed", "hubs", "placed", "services"]


@dataclass
class Console:
    """The command on one cloud.

    Attributes
    ----------
    cloud : str
    journal : callable
        The deployment's journal.
    take : callable
        Take the requests off the queue of the function that undoes.
    answers : callable
        Take what was sent to the function that acts on answers.
    engineer : str
        What the journal must keep as who approved begins so.
    """

    cloud: str
    journal: Callable[[], Journal]
    take: Callable[[], list[dict[str, Any]]]
    engineer: str
    answers: Callable[[], list[dict[str, Any]]]
    printed: list[str] = field(default_factory=list)

    def __call__(self, *arguments: str) -> int:
        self.printed.clear()
        return main(["--cloud", self.cloud, *arguments], out=self.printed.append)


@pytest.fixture
def on_aws(account: Account) -> Console:
    account.rename_journal("breakwater-journal")
    for queue in ("containments", "answers"):
        account.queues[queue] = account.clients("sqs").create_queue(QueueName=f"breakwater-{queue}")["QueueUrl"]
    return Console(
        "aws",
        lambda: DynamoJournal(account.clients, "breakwater-journal"),
        lambda: [json.loads(message["Body"]) for message in account.take("containments")],
        f"arn:aws:sts::{ACCOUNT}:",
        lambda: [json.loads(message["Body"]) for message in account.take("answers")],
    )


@pytest.fixture
def sign_in(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> SignIn:
    """Azure CLI, in which the engineer is signed in."""
    return SignIn.make(tmp_path_factory.mktemp("az"), monkeypatch)


@pytest.fixture
def on_azure(storage: Storage, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> Console:
    storage.create(tables=TABLES, queues=QUEUES, containers=CONTAINERS)
    for name, value in {**storage.azurite.settings, **storage.certificates.environment}.items():
        monkeypatch.setenv(name, value)

    def take(queue: str) -> list[dict[str, Any]]:
        client, bodies = storage.queues.get_queue_client(queue), []
        for message in client.receive_messages():
            bodies.append(json.loads(base64.b64decode(message.content)))
            client.delete_message(message)
        return bodies

    return Console(
        "azure", lambda: TableJournal(storage), lambda: take("containments"), f"{ENGINEER} ({OBJECT_ID})", lambda: take("answers")
    )


@pytest.fixture(params=["aws", "azure"])
def console(request: pytest.FixtureRequest) -> Console:
    """The command on each cloud."""
    made: Console = request.getfixturevalue(f"on_{request.param}")
    return made
