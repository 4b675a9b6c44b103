"""Fixtures of everything that is tested against Azurite: one of it per session, empty at the start of each test that asks.

``storage`` gives the real SDK clients; called as ``storage("tables", group)`` it is what adapters take for their clients.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from offline.azure.azurite import Azurite, azurite
from offline.azure.certificates import Certificates, make_certificates
from offline.azure.storage import Storage


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Authority and server certificate of this session."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def running_azurite(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Azurite]:
    """Azurite over TLS on 127.0.0.1, letting in whoever has a token."""
    with azurite(tmp_path_factory.mktemp("azurite"), certificates) as running:
        yield running


@pytest.fixture(scope="session")
def storage_clients(running_azurite: Azurite, certificates: Certificates) -> Storage:
    """Clients made once; their connections stay open."""
    return Storage(running_azurite, certificates)


@pytest.fixture
def storage(storage_clients: Storage) -> Storage:
    """Both storage accounts, with nothing in them."""
    storage_clients.empty()
    return storage_clients
