"""Fixtures: one embedded Azure for all end-to-end tests of a session, in which every identity may do what the templates say."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from infra_tests.azure_services import azure_clients, services
from infra_tests.offline.azure.following import MACHINES, Followed
from offline import demo_azure
from offline.azure import page
from offline.azure.embedded import EmbeddedAzure
from offline.scenes.azure.stage import AzureStage

__all__ = ["azure_clients", "services"]

WIDTH = 100


@pytest.fixture(scope="session")
def shown() -> io.StringIO:
    """What the stage's timeline wrote to the terminal."""
    return io.StringIO()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory, shown: io.StringIO) -> Iterator[AzureStage]:
    """The staged app on a seeded subscription, armed and with room in its budget, under the roles of the shipped templates.

    Shared by all: each test works on machines and people of its own.
    """
    with _started(tmp_path_factory.mktemp("embedded-azure"), shown) as stage:
        yield stage


@pytest.fixture
def untouched_stage(tmp_path: Path, shown: io.StringIO) -> Iterator[AzureStage]:
    """The same, for one test alone: its journal holds nothing yet."""
    with _started(tmp_path, shown) as stage:
        yield stage


@contextmanager
def _started(folder: Path, shown: io.StringIO) -> Iterator[AzureStage]:
    with EmbeddedAzure.start(folder, settings=page.SETTINGS) as azure:
        yield demo_azure.make_stage(azure, Console(file=shown, width=WIDTH, highlight=False), more_machines=MACHINES)


@pytest.fixture(scope="session")
def _names() -> Iterator[str]:
    return iter(MACHINES)


@pytest.fixture
def follow(stage: AzureStage, _names: Iterator[str]) -> Iterator[Followed]:
    """Follow events; afterwards nobody was refused what he needed, and nobody called what he was not granted."""
    services, since = stage.azure.services, len(stage.azure.services.calls)
    yield Followed(stage, _names)
    services.arm.faults.clear()
    refused = [call for call in services.calls.calls(since=since) if call.status == 403 and not call.fault]
    assert not refused, "the templates' roles do not suffice"
