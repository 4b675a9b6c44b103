"""Azure clients, each made when it is first asked for and kept for the life of the process.

Every client speaks for one identity group, with a token of that group's user-assigned identity; there is no other way in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from azure_functions.registry import Group
from azure_functions.rest import RestClient
from azure_functions.settings import SettingMissing, Settings, variable
from azure_functions.waiting import WAITED

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from azure_functions.plain_rest import PlainRest
    from azure_functions.timed_transport import Timed

#: A client's own retries: quick, because queue, checkpoint and schedule retry too and hold the message meanwhile.
_ATTEMPTS = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8
_CONNECT_S, _READ_S = 3, 20
#: Audience of the Logs Ingestion API beside each Resource Manager (the public one's where it is none of these).
_LOGS_AUDIENCES = {
    "https://management.usgovcloudapi.net": "https://monitor.azure.us",
    "https://management.chinacloudapi.cn": "https://monitor.azure.cn",
}
_LOGS_AUDIENCE = "https://monitor.azure.com"
#: Of every storage account, in every cloud.
_STORAGE_AUDIENCE = "https://storage.azure.com"


class Clients(Protocol):
    """Gives the client of a service that speaks for an identity group.

    Services: ``tables``, ``queues``, ``blobs`` (of the state account), ``flow_blobs``, ``logs`` (Logs Ingestion),
    ``network``, ``compute``, ``authorization`` (the management SDKs' clients, each for one subscription), and ``arm``,
    ``graph`` and ``vault`` (:class:`~azure_functions.rest.RestClient`, for what needs no SDK), ``lake`` and ``rows``
    (:class:`~azure_functions.plain_rest.PlainRest`, for what stands before every verdict).
    """

    @property
    def waited_s(self) -> float:
        """Seconds this thread spent so far in calls of these clients: the services' share of a function's time."""
        ...

    def __call__(self, service: str, group: str, *, subscription_id: str = "") -> Any:
        """Return the client, the same one for every call. ``""`` is the app's own subscription."""
        ...

    def to_customers(self, address: str, audience: str, group: str) -> PlainRest:
        """Return the client of an endpoint of the customer's own, with a token of the group's for it alone.

        It asks once and follows no redirect: whether it is asked again is not for a client to say.
        """
        ...


class LazyClients:
    """Clients of the deployed app. The SDKs take 20 to 700 ms each to import: only what is asked for is.

    Parameters
    ----------
    settings : callable
        Asked when the first client is made, so that a module can be imported without any setting.
    credential : TokenCredential or None
        A person's, who has one identity for all groups; None takes the managed identity of each.
    """

    def __init__(self, settings: Callable[[], Settings], credential: TokenCredential | None = None) -> None:
        self._read_settings = settings
        self._persons = credential
        self._made: dict[tuple[str, str, str], Any] = {}
        self._credentials: dict[str, TokenCredential] = {}
        self._transport: Timed | None = None
        self._lock = threading.RLock()

    @property
    def waited_s(self) -> float:
        return WAITED.seconds

    def __call__(self, service: str, group: str, *, subscription_id: str = "") -> Any:
        key = (service, group, subscription_id)
        if key not in self._made:
            with self._lock:  # invocations share the process, each in a thread of its own
                if key not in self._made:
                    self._made[key] = self._make(service, group, subscription_id)
        return self._made[key]

    def to_customers(self, address: str, audience: str, group: str) -> PlainRest:
        key = (address, group, audience)
        if key not in self._made:
            with self._lock:
                if key not in self._made:
                    self._made[key] = _plain(address, self._credential(group), audience, attempts=1)
        made: PlainRest = self._made[key]
        return made

    def _make(self, service: str, group: str, subscription_id: str) -> Any:
        settings, credential = self._read_settings(), self._credential(group)
        if service in _PLAIN:
            return _plain(_needed(settings, _PLAIN[service]), credential, _STORAGE_AUDIENCE, attempts=_ATTEMPTS)
        transport = self._shared_transport()
        if service in _STORAGE:
            return _STORAGE[service](settings, credential, transport)
        pauses = {
            "retry_total": _ATTEMPTS - 1,
            "retry_backoff_factor": _FIRST_PAUSE_S,
            "retry_backoff_max": _LONGEST_PAUSE_S,
            "transport": transport,
        }
        if service in _REST:
            endpoint = _needed(settings, _REST[service])
            audience = _audience(service, endpoint)
            return RestClient(endpoint, credential, f"{audience}/.default", **pauses)
        if service in _MANAGEMENT:
            return _MANAGEMENT[service](settings, credential, subscription_id, pauses)
        if service == "logs":
            return _logs(settings, credential, pauses)
        raise ValueError(f"there is no client of {service!r}")

    def _credential(self, group: str) -> TokenCredential:
        if self._persons is not None:
            return self._persons
        if group not in self._credentials:
            from azure.identity import ManagedIdentityCredential  # here, because it brings MSAL

            client_id = _needed(self._read_settings(), f"{Group(group)}_client_id")
            self._credentials[group] = ManagedIdentityCredential(client_id=client_id, transport=self._shared_transport())
        return self._credentials[group]

    def _shared_transport(self) -> Timed:
        if self._transport is None:
            from azure_functions.timed_transport import Timed

            self._transport = Timed(connection_timeout=_CONNECT_S, read_timeout=_READ_S)
        return self._transport


def _audience(service: str, endpoint: str) -> str:
    """What a token of the service is for."""
    if service == "vault":  # https://<name>.vault.azure.net, and its likes in other clouds: all vaults' is without the name
        return f"https://{endpoint.removeprefix('https://').rstrip('/').partition('.')[2]}"
    return endpoint.rstrip("/")


def _needed(settings: Settings, field: str) -> str:
    value = str(getattr(settings, field))
    if not value:
        raise SettingMissing(f"environment variable {variable(field)} is not set")
    return value


def _plain(endpoint: str, credential: TokenCredential, audience: str, *, attempts: int) -> PlainRest:
    from azure_functions.plain_rest import PlainRest

    return PlainRest(
        endpoint,
        credential,
        f"{audience}/.default",
        attempts=attempts,
        first_pause_s=_FIRST_PAUSE_S,
        longest_pause_s=_LONGEST_PAUSE_S,
        connect_s=_CONNECT_S,
        read_s=_READ_S,
    )


def _tables(settings: Settings, credential: TokenCredential, transport: Timed) -> Any:
    from azure.data.tables import TableServiceClient

    return TableServiceClient(
        _needed(settings, "table_endpoint"),
        credential=credential,
        transport=transport,
        retry_total=_ATTEMPTS - 1,
        retry_backoff_factor=_FIRST_PAUSE_S,
        retry_backoff_max=_LONGEST_PAUSE_S,
    )


def _queues(settings: Settings, credential: TokenCredential, transport: Timed) -> Any:
    from azure.storage.queue import QueueServiceClient

    return QueueServiceClient(_needed(settings, "queue_endpoint"), credential, transport=transport, **_storage_pauses())


def _blobs(field: str) -> Callable[[Settings, TokenCredential, Timed], Any]:
    def make(settings: Settings, credential: TokenCredential, transport: Timed) -> Any:
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient(_needed(settings, field), credential, transport=transport, **_storage_pauses())

    return make


def _storage_pauses() -> dict[str, Any]:
    # Their own default waits 15 seconds before the second attempt.
    return {"retry_total": _ATTEMPTS - 1, "initial_backoff": _FIRST_PAUSE_S, "increment_base": 2}


def _network(settings: Settings, credential: TokenCredential, subscription_id: str, pauses: Mapping[str, Any]) -> Any:
    from azure.mgmt.network import NetworkManagementClient  # 0.5 to 0.9 s

    return NetworkManagementClient(credential, **_subscription(settings, subscription_id), **pauses)


def _compute(settings: Settings, credential: TokenCredential, subscription_id: str, pauses: Mapping[str, Any]) -> Any:
    from azure.mgmt.compute import ComputeManagementClient

    return ComputeManagementClient(credential, **_subscription(settings, subscription_id), **pauses)


def _authorization(settings: Settings, credential: TokenCredential, subscription_id: str, pauses: Mapping[str, Any]) -> Any:
    from azure.mgmt.authorization import AuthorizationManagementClient

    return AuthorizationManagementClient(credential, **_subscription(settings, subscription_id), **pauses)


def _subscription(settings: Settings, subscription_id: str) -> dict[str, Any]:
    endpoint = _needed(settings, "arm_endpoint")
    return {
        "subscription_id": subscription_id or _needed(settings, "subscription_id"),
        "base_url": endpoint,
        "credential_scopes": [f"{endpoint.rstrip('/')}/.default"],
    }


def _logs(settings: Settings, credential: TokenCredential, pauses: Mapping[str, Any]) -> Any:
    from azure.monitor.ingestion import LogsIngestionClient

    audience = _LOGS_AUDIENCES.get(settings.arm_endpoint.rstrip("/"), _LOGS_AUDIENCE)
    return LogsIngestionClient(
        _needed(settings, "logs_endpoint"), credential, credential_scopes=[f"{audience}/.default"], **pauses
    )


_STORAGE: Mapping[str, Callable[[Settings, TokenCredential, Timed], Any]] = {
    "tables": _tables,
    "queues": _queues,
    "blobs": _blobs("blob_endpoint"),
    "flow_blobs": _blobs("flow_log_endpoint"),
}
_PLAIN = {"lake": "blob_endpoint", "rows": "table_endpoint"}
_REST = {
    "arm": "arm_endpoint",
    "graph": "graph_endpoint",
    "vault": "vault_endpoint",
}
_MANAGEMENT: Mapping[str, Callable[[Settings, TokenCredential, str, Mapping[str, Any]], Any]] = {
    "network": _network,
    "compute": _compute,
    "authorization": _authorization,
}
