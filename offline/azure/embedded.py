"""The embedded Azure, started and ended with one ``with`` block: storage, services, and the Function app in the real library.

Example
-------
>>> with EmbeddedAzure.start(folder) as azure:                                     # doctest: +SKIP
...     azure.host.hub("api-calls").send(json.dumps({"records": [record]}).encode())
...     azure.host.drain()
...     azure.services.arm.resource(rule_id)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Self

from azure_functions.registry import CONNECTIONS, CONTAINERS, NSG_FLOW_LOGS, POLICY, POLICY_BLOB, QUEUES, TABLES, VNET_FLOW_LOGS
from azure_infra.packaging.folder import build
from azure_infra.packaging.targets import LOCAL
from offline.azure.azurite import FLOW_LOG_ACCOUNT, Azurite, azurite
from offline.azure.certificates import make_certificates
from offline.azure.functions_host.host import FunctionsHost
from offline.azure.functions_host.worker_process import THIS_PYTHON, Interpreter, Way
from offline.azure.services import Services
from offline.azure.storage import Storage

ROOT = Path(__file__).resolve().parents[2]
#: Event hubs are in memory here: the name that the app is given for their namespace resolves to nothing.
_NAMESPACE = "offline.servicebus.invalid"
#: Object id of the identity that the Sentinel playbook calls with.
PLAYBOOK_PRINCIPAL_ID = "5e471e1a-0000-4000-8000-00000000b001"


class EmbeddedAzure:
    """A running embedded Azure. Use :meth:`start`.

    Attributes
    ----------
    storage : Storage
        The two storage accounts.
    services : Services
        Resource Manager, Graph, Logs Ingestion and identities, with a seeded subscription.
    host : FunctionsHost
        The Function app.
    """

    def __init__(self, storage: Storage, services: Services, host: FunctionsHost) -> None:
        self.storage = storage
        self.services = services
        self.host = host

    @classmethod
    @contextmanager
    def start(
        cls,
        folder: Path,
        *,
        app: Path | None = None,
        python: Interpreter = THIS_PYTHON,
        settings: Mapping[str, str] | None = None,
        way: Way = int,
    ) -> Iterator[Self]:
        """Start everything and deploy to it; end it with the block, however the block ends.

        Parameters
        ----------
        folder : Path
            Certificates, logs and whatever else this run leaves.
        app : Path, optional
            Deploy folder; the one for this machine is built where it is left out.
        python : Interpreter
            What the app runs in.
        settings : mapping, optional
            Further settings of the app, beside those that every deployment has.
        way : callable
            What lies between host and worker.
        """
        certificates = make_certificates(folder / "certificates")
        deployed = app or build(LOCAL, ROOT).path
        with azurite(folder / "azurite", certificates) as running, Services(certificates) as services:
            storage = Storage(running, certificates)
            deploy_storage(storage)
            told = {**app_settings(running, services), **(settings or {})}
            host_of = FunctionsHost.start(deployed, environment=told, storage=storage, folder=folder, python=python, way=way)
            with host_of as host:
                yield cls(storage, services, host)

    def put_policy(self, text: str) -> None:
        """Put an operator's policy in the place of the present one."""
        self.storage.blobs.get_blob_client(POLICY, POLICY_BLOB).upload_blob(text.encode(), overwrite=True)

    def kill_at(self, operation: str, *, number: int = 1) -> None:
        """End the app's process at the so-manyth write of a name from now on: it has taken effect, nobody has heard of it."""
        left = count(number, -1)
        self.services.calls.once(
            lambda call: call.operation == operation and call.method == "PUT" and next(left) == 1, self.host.kill_worker
        )

    def write_flow_blob(self, container: str, name: str, content: bytes) -> None:
        """Write a flow-log blob as Network Watcher does, whole or longer than before, and let Event Grid announce it."""
        self.storage.flow_blobs.get_blob_client(container, name).upload_blob(content, overwrite=True)
        self.host.blob_created(container, name)


def deploy_storage(storage: Storage) -> None:
    """Make what the templates make in the storage accounts, with the shipped policy."""
    storage.create(tables=TABLES, queues=QUEUES, containers=CONTAINERS, flow_containers=(VNET_FLOW_LOGS, NSG_FLOW_LOGS))
    policy = (ROOT / "policy" / "azure.yaml").read_bytes()
    storage.blobs.get_blob_client(POLICY, POLICY_BLOB).upload_blob(policy, overwrite=True)


def app_settings(running: Azurite, services: Services) -> dict[str, str]:
    """The Function app's settings, as the templates give them, and what the platform adds for its identities."""
    addresses = {
        "BREAKWATER_STATE": {"queueServiceUri": running.queue_endpoint()},
        "BREAKWATER_UNDO_STATE": {"queueServiceUri": running.queue_endpoint()},
        "BREAKWATER_FLOW_LOGS": {
            "blobServiceUri": running.blob_endpoint(FLOW_LOG_ACCOUNT),
            "queueServiceUri": running.queue_endpoint(FLOW_LOG_ACCOUNT),
        },
        "BREAKWATER_EVENT_HUBS": {"fullyQualifiedNamespace": _NAMESPACE},
    }
    settings = {**running.settings, **services.settings, **services.environment}
    for connection, (group, names) in CONNECTIONS.items():
        settings[f"{connection}__credential"] = "managedidentity"
        settings[f"{connection}__clientId"] = services.identities[group].client_id
        settings |= {f"{connection}__{name}": addresses[connection][name] for name in names}
    own = ",".join(identity.object_id for identity in services.identities.values())
    return settings | {"BREAKWATER_OWN_PRINCIPAL_IDS": own, "BREAKWATER_PLAYBOOK_PRINCIPAL_ID": PLAYBOOK_PRINCIPAL_ID}
