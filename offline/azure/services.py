"""The local services of the embedded Azure together: one record of calls, one set of rights, one made-up subscription."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from azure_functions.registry import EVENT_HUBS, Group
from azure_infra.permissions import ORDINARY_ROLES
from offline.azure.calls import CallLog, Grants
from offline.azure.certificates import Certificates
from offline.azure.credential import TENANT_ID
from offline.azure.functions_host.event_hubs import EventHub
from offline.azure.graph import Graph
from offline.azure.hub_namespace import HubNamespace
from offline.azure.identity import IdentityEndpoint
from offline.azure.ingestion import LogsIngestion
from offline.azure.publishing import Publishing
from offline.azure.resource_manager.manager import ResourceManager
from offline.azure.resource_manager.roles import Condition
from offline.azure.rights import deployed_rights
from offline.azure.seed import SUBSCRIPTION_ID, World, seed
from offline.azure.vault import GIVEN, Vault

GROUPS = tuple(str(group) for group in Group)
"""The identity groups of the function app; each has a user-assigned identity here."""


class Services:
    """Resource Manager, Graph, Logs Ingestion, a vault, hosts, event hubs, the identity endpoint: on 127.0.0.1 until closed.

    Parameters
    ----------
    certificates
        What the servers present, and what callers must trust.
    clock
        Seconds since 1970.
    enforced
        Whether an identity may only do what it was granted.
    """

    def __init__(self, certificates: Certificates, *, clock: Callable[[], float] = time.time, enforced: bool = False) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificates.certificate, certificates.key)
        self.certificates = certificates
        self.calls = CallLog()
        self.grants = Grants(enforced=enforced)
        shared: Any = {"calls": self.calls, "grants": self.grants, "clock": clock}
        self.arm = ResourceManager(**shared).serve(tls)
        self.graph = Graph(**shared).serve(tls)
        self.graph.managed_identities = self.arm.managed_identities
        self.logs = LogsIngestion(**shared).serve(tls)
        self.vault = Vault(**shared).serve(tls)
        self.publishing = Publishing(self.arm, **shared).serve(tls)
        self.arm.publish_at(self.publishing.url.removeprefix("https://"))
        self.event_hubs = HubNamespace([EventHub(name) for name in EVENT_HUBS], **shared).serve(tls)
        self.identity = IdentityEndpoint(clock=clock).serve()
        self.identities = {group: self.identity.assign(group) for group in GROUPS}
        self.world: World = seed(self.arm, self.graph)
        for one in self.identities.values():
            self.graph.add_service_principal(one.object_id, one.client_id, f"breakwater-{one.name}", "ManagedIdentity")

    def grant_deployed(self, *, armed: bool, protected: Iterable[str] = ()) -> None:
        """Let each identity do from now on what the shipped templates give it, and no more.

        Parameters
        ----------
        armed
            The templates' parameter: whether the roles that change something are assigned.
        protected
            Object ids that no assignment may be taken from: the templates' ``protectedPrincipalIds``.
        """
        own = frozenset(one.object_id for one in self.identities.values())
        holders = own | {one.lower() for one in protected}
        condition = Condition(receivers=own, holders=holders)
        rights = deployed_rights(armed=armed)
        for group, identity in self.identities.items():
            self.grants.allow(identity.client_id, (*rights.get(group, ()), *GIVEN.get(group, ())))
            self.arm.roles.conditions[identity.client_id] = condition
            self.arm.roles.assignable[identity.client_id] = frozenset(ORDINARY_ROLES.values())
        self.grants.enforced = True

    @property
    def environment(self) -> dict[str, str]:
        """What a process must have in its environment to get tokens here and to trust the certificates."""
        return {**self.identity.environment, **self.certificates.environment}

    @property
    def settings(self) -> Mapping[str, str]:
        """The function app's settings that name these services, the tenant and the identities."""
        return {
            "BREAKWATER_ARM_ENDPOINT": self.arm.url,
            "BREAKWATER_GRAPH_ENDPOINT": self.graph.url,
            "BREAKWATER_LOGS_ENDPOINT": self.logs.url,
            "BREAKWATER_LOGS_RULE_ID": self.logs.rule_id,
            "BREAKWATER_VAULT_ENDPOINT": self.vault.url,
            "BREAKWATER_SUBSCRIPTION_ID": SUBSCRIPTION_ID,
            "BREAKWATER_TENANT_ID": TENANT_ID,
            "BREAKWATER_WORKSPACE_ID": self.world.workspace,
            **{f"BREAKWATER_{group.upper()}_CLIENT_ID": one.client_id for group, one in self.identities.items()},
        }

    def close(self) -> None:
        """Stop listening."""
        for service in (self.arm, self.graph, self.logs, self.vault, self.publishing, self.event_hubs, self.identity):
            service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
