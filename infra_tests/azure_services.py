"""Fixtures of the local Azure services: import them into a conftest.

``services`` is new for every test: a seeded subscription (``services.world``), its Resource Manager (``services.arm``), the
record of calls and the rights. ``azure_clients`` gives the real SDK clients with the managed identity of a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from offline.azure.certificates import Certificates
from offline.azure.seed import SUBSCRIPTION_ID
from offline.azure.services import Services


@pytest.fixture
def services(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """The seeded local services; this process gets tokens from them and trusts their certificates."""
    with Services(certificates) as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        yield started


@pytest.fixture
def azure_clients(services: Services) -> Callable[[str, str], Any]:
    """``azure_clients("network", "undo")``: a real management client, as the identity of a group."""
    from azure.identity import ManagedIdentityCredential
    from azure.mgmt.authorization import AuthorizationManagementClient
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.network import NetworkManagementClient

    kinds = {
        "network": NetworkManagementClient,
        "compute": ComputeManagementClient,
        "authorization": AuthorizationManagementClient,
    }
    made: dict[tuple[str, str], Any] = {}

    def client(service: str, group: str = "network") -> Any:
        if (service, group) not in made:
            credential = ManagedIdentityCredential(client_id=services.identities[group].client_id)
            made[service, group] = kinds[service](credential, SUBSCRIPTION_ID, base_url=services.arm.url)
        return made[service, group]

    return client
