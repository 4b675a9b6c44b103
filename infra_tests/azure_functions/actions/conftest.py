"""One local Azure per test: a seeded subscription and directory, and the app's own clients, with declared rights only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_functions.timed_transport import Timed
from infra_tests.azure_functions.actions.cloud import Cloud
from offline.azure.certificates import Certificates, make_certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    return make_certificates(folder)


@pytest.fixture
def cloud(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with Cloud(certificates) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(Timed, "sleep", lambda _, seconds: None)  # between the SDKs' own attempts
        yield made
