"""Where the state account of a deployment is: as somebody says it, or as Resource Manager finds it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure_functions.cloud_errors import in_core_words
from azure_functions.rest import RestClient
from azure_functions.settings import Settings, variable
from console.deployment import NotPossible

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

#: An output of ``azure_infra/main.bicep``, and so a variable of the azd environment.
VARIABLE = "BREAKWATER_STATE_ACCOUNT_ID"
_ENDPOINTS = ("table_endpoint", "queue_endpoint", "blob_endpoint")
#: Domain of storage beside each Resource Manager (the public one's where it is none of these).
_DOMAINS = {
    "https://management.usgovcloudapi.net": "core.usgovcloudapi.net",
    "https://management.chinacloudapi.cn": "core.chinacloudapi.cn",
}
_DOMAIN = "core.windows.net"
_SUBSCRIPTIONS, _ACCOUNTS = "2022-12-01", "2025-08-01"
_NAME = re.compile(r"[a-z0-9]{3,24}")


@dataclass(frozen=True, slots=True)
class Account:
    """Addresses of the account's tables, queues and blobs."""

    table: str
    queue: str
    blob: str


def locate(name: str, given: str, environment: Mapping[str, str], credential: TokenCredential) -> Account:
    """Return the account that is given by option, by the functions' own settings or by the deployment's output; else find it.

    Parameters
    ----------
    name : str
        Name prefix of the deployment, to find it by.
    given : str
        Name or ARM id of the account; ``""`` where nobody said it.
    environment : mapping of str to str
        ``BREAKWATER_TABLE_ENDPOINT``, ``…_QUEUE_…`` and ``…_BLOB_…``; ``BREAKWATER_STATE_ACCOUNT_ID``.
    credential : TokenCredential
        Asked for a token only where the account must be found.

    Raises
    ------
    NotPossible
        There is none, or more than one, or what was given is no account.
    """
    settings = Settings.from_environment(environment)
    if given:
        return _named(given, settings)
    if missing := settings.missing(_ENDPOINTS):
        if len(missing) < len(_ENDPOINTS):
            raise NotPossible(f"{missing[0]} is not set, but another of the three endpoints is: set all three or none")
    else:
        for field in _ENDPOINTS:
            address = urlsplit(str(getattr(settings, field)))
            if address.scheme != "https" or not address.hostname:
                raise NotPossible(
                    f"{variable(field)} is {getattr(settings, field)!r}: make it an address that begins with https://"
                )
        return Account(settings.table_endpoint, settings.queue_endpoint, settings.blob_endpoint)
    if output := environment.get(VARIABLE, ""):
        return _named(output, settings)
    return _found(name, settings, credential)


def group_of(name: str, account: Account, environment: Mapping[str, str], credential: TokenCredential) -> tuple[RestClient, str]:
    """Return Resource Manager, and the ARM id of the resource group that the account of a deployment is in.

    Raises
    ------
    NotPossible
        Whoever is signed in cannot read it there.
    """
    settings = Settings.from_environment(environment)
    arm, found, _ = _all_of(name, settings, credential)
    called = _account_at(account.table)
    here = [each for each in found if not called or str(each["name"]).lower() == called]
    if len(here) != 1:
        raise NotPossible(f"the resource group of {account.table} is not among those that you can read: you need Reader on it")
    return arm, str(here[0]["id"]).partition("/providers/")[0]


def graph_of(environment: Mapping[str, str], credential: TokenCredential) -> RestClient:
    """Return Microsoft Graph."""
    endpoint = Settings.from_environment(environment).graph_endpoint.rstrip("/")
    return RestClient(endpoint, credential, f"{endpoint}/.default", retry_total=1)


def _account_at(endpoint: str) -> str:
    """Name of the storage account that an endpoint of Azure's belongs to, ``""`` for an address of another form."""
    called, _, rest = (urlsplit(endpoint).hostname or "").partition(".")
    return called if rest.startswith("table.core.") else ""


def _named(given: str, settings: Settings) -> Account:
    name = given.rstrip("/").rpartition("/")[2].lower()
    if _NAME.fullmatch(name) is None:
        raise NotPossible(f"{given!r} is no storage account: give its name (3 to 24 letters and digits) or its id")
    domain = _DOMAINS.get(settings.arm_endpoint.rstrip("/"), _DOMAIN)
    return Account(*(f"https://{name}.{service}.{domain}" for service in ("table", "queue", "blob")))


def _all_of(name: str, settings: Settings, credential: TokenCredential) -> tuple[RestClient, list[dict[str, Any]], int]:
    """Return Resource Manager, the state accounts of deployments of that name, and in how many subscriptions it looked."""
    endpoint = settings.arm_endpoint.rstrip("/")
    arm = RestClient(endpoint, credential, f"{endpoint}/.default", retry_total=1)
    with in_core_words("Resource Manager"):
        subscriptions = [each["subscriptionId"] for each in arm.each("/subscriptions", query={"api-version": _SUBSCRIPTIONS})]
        found = [each for subscription in subscriptions for each in _state_accounts(arm, subscription, name)]
    return arm, found, len(subscriptions)


def _found(name: str, settings: Settings, credential: TokenCredential) -> Account:
    _, found, looked_in = _all_of(name, settings, credential)
    how = f"say which: --account, or {VARIABLE} (the deployment's output), or {variable('table_endpoint')} and its like"
    if not found:
        raise NotPossible(
            f"none of the {looked_in} subscriptions that you can read in this tenant has the state account of a "
            f"deployment called {name!r} (--name). It may be there all the same, where you may not list accounts; {how}"
        )
    if len(found) > 1:
        raise NotPossible(f"there is more than one deployment called {name!r}: {', '.join(each['id'] for each in found)}; {how}")
    services = found[0]["properties"]["primaryEndpoints"]
    return Account(*(str(services[kind]).rstrip("/") for kind in ("table", "queue", "blob")))


def _state_accounts(arm: RestClient, subscription: str, name: str) -> Iterator[dict[str, Any]]:
    """Yield the accounts with the deployment's tag and a lake in them; the hosts' own accounts have no lake."""
    path = f"/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts"
    for account in arm.each(path, query={"api-version": _ACCOUNTS}):
        if (account.get("tags") or {}).get("application") == name and account["properties"].get("isHnsEnabled"):
            yield account
