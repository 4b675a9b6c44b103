"""One local Azure per test: a seeded subscription and directory, and the app's own clients, with declared rights only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from azure_functions.timed_transport import Timed
from infra_tests.azure_functions.actions.cloud import Cloud
from offline.azure.certificates import Certificates


@pytest.fixture
def cloud(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with Cloud(certificates) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(Timed, "sleep", lambda _, seconds: None)  # between the SDKs' own attempts
        yield made
