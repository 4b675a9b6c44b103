"""One app per test, in an Azure of its own. Whatever it calls must be allowed by the roles that are deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.watched import watch
from offline.azure.certificates import Certificates
from offline.azure.services import Services
from offline.azure.storage import Storage


@pytest.fixture
def app(
    storage: Storage,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    what_leaves_fits: None,
) -> Iterator[App]:
    with Services(certificates) as services:
        watched = watch(monkeypatch, storage.azurite, services)
        yield App.make(storage, services, monkeypatch, caplog)
        watched.end()
    assert watched.objections == [], "called, but not granted by the deployed roles"
