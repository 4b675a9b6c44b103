"""The places in which the contracts hold. A further cloud is one more branch of each fixture here."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from azure_functions.adapters.journal import TableJournal
from azure_functions.adapters.memory import TableMemory
from azure_functions.adapters.queues import VerdictQueue as StorageVerdictQueue
from azure_functions.adapters.signals import TableLedgers, TableSignals
from azure_functions.registry import QUEUES, TABLES
from infra_tests.azure_functions.actions.conftest import cloud
from infra_tests.contracts import subjects
from infra_tests.contracts.subjects import Subject
from infra_tests.lambdas.account import Account
from infra_tests.lambdas.conftest import account
from lambdas.adapters.journal import DynamoJournal
from lambdas.adapters.memory import DynamoMemory
from lambdas.adapters.queues import VerdictQueue as SqsVerdictQueue
from lambdas.adapters.signals import DynamoLedgers, DynamoSignals
from offline.azure.storage import Storage
from response.budget import InProcessLedgers, Ledgers
from response.journal import InProcessJournal, Journal
from response.signals import InProcessSignals, SignalStore
from shared_model.memory import EntityMemory, InProcessMemory
from shared_model.verdicts import Verdict

__all__ = ["account", "cloud"]

IN_PROCESS, AWS, AZURE = "in process", "AWS", "Azure"


@dataclass(frozen=True, slots=True)
class Stores:
    """One place's implementation of each protocol; every call of one gives another object over the same data."""

    memory: Callable[[], EntityMemory]
    journal: Callable[[], Journal]
    signals: Callable[[], SignalStore]
    budget: Callable[[], Ledgers]


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue of verdicts: how to send, and what lies in it, as text."""

    send: Callable[[list[Verdict]], None]
    take: Callable[[], list[str]]


@pytest.fixture(params=[IN_PROCESS, AWS, AZURE])
def stores(request: pytest.FixtureRequest) -> Stores:
    """What is kept, where the parameter says."""
    if request.param == AWS:
        clients = request.getfixturevalue("account").clients
        return Stores(
            memory=lambda: DynamoMemory(clients, "memory", days=14),
            journal=lambda: DynamoJournal(clients, "journal"),
            signals=lambda: DynamoSignals(clients, "signals"),
            budget=lambda: DynamoLedgers(clients, "signals"),
        )
    if request.param == AZURE:
        storage: Storage = request.getfixturevalue("storage")
        storage.create(tables=TABLES)
        return Stores(
            memory=lambda: TableMemory(storage, days=14),
            journal=lambda: TableJournal(storage),
            signals=lambda: TableSignals(storage),
            budget=lambda: TableLedgers(storage),
        )
    memory, journal, signals, budget = InProcessMemory(), InProcessJournal(), InProcessSignals(), InProcessLedgers()
    return Stores(lambda: memory, lambda: journal, lambda: signals, lambda: budget)


@pytest.fixture
def memory(stores: Stores) -> EntityMemory:
    return stores.memory()


@pytest.fixture
def journal(stores: Stores) -> Journal:
    return stores.journal()


@pytest.fixture
def signals(stores: Stores) -> SignalStore:
    return stores.signals()


@pytest.fixture
def budget(stores: Stores) -> Ledgers:
    return stores.budget()


@pytest.fixture(params=[AWS, AZURE])
def verdict_queue(request: pytest.FixtureRequest) -> Queue:
    """The queue of verdicts. In process there is none: a verdict is handed over as it is."""
    if request.param == AWS:
        aws: Account = request.getfixturevalue("account")
        sqs = SqsVerdictQueue(aws.clients, aws.queues["verdicts"])
        return Queue(sqs.send, lambda: [message["Body"] for message in aws.take("verdicts")])
    storage: Storage = request.getfixturevalue("storage")
    storage.create(queues=QUEUES)

    def take() -> list[str]:
        client = storage.queues.get_queue_client("verdicts")
        return [base64.b64decode(message.content).decode() for message in client.receive_messages(messages_per_page=32)]

    return Queue(StorageVerdictQueue(storage).send, take)


@pytest.fixture(params=[*subjects.IN_PROCESS, *subjects.ON_AWS, *subjects.ON_AZURE], ids=lambda make: make.__name__)
def subject(request: pytest.FixtureRequest) -> Subject:
    """An action with something to do, on each cloud that has it."""
    if request.param in subjects.IN_PROCESS:
        made: Subject = request.param()
    else:
        made = request.param(request.getfixturevalue("account" if request.param in subjects.ON_AWS else "cloud"))
    return made
