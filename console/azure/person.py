"""Whoever is signed in on this machine, and clients that speak for them: an undo is approved by a person, not by a machine.

So not azure-identity's default chain: on a virtual machine that one would find the machine's own identity first.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from console.azure.account import Account
from console.deployment import NotPossible

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

    from azure_functions.plain_rest import PlainRest

#: Audience of all three storage services.
_STORAGE = "https://storage.azure.com/.default"
#: The command line tools take seconds to start where a machine is busy.
_TOOL_S = 30
#: A person waits: fewer and shorter retries than a function's.
_RETRIES: Mapping[str, Any] = {"retry_total": 1, "connection_timeout": 5, "read_timeout": 20}


class NotSignedIn(NotPossible):
    """Nobody is signed in here, or the sign-in has ended."""


class Person:
    """A credential: of Azure CLI's sign-in, else of azd's. Each token is asked for once."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self._tenant_id = ""
        # The command says itself what failed; the SDK would say it a second time.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)

    def get_token(self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **_: Any) -> AccessToken:
        """As azure.core.credentials.TokenCredential. Raises NotSignedIn.

        A service names its tenant when it is not the one that somebody signed in to: guests get a token of that one.
        """
        self._tenant_id = tenant_id or self._tenant_id
        key = (*scopes, self._tenant_id)
        if claims or key not in self._tokens:
            self._tokens[key] = self._ask(scopes, claims)
        return self._tokens[key]

    def name(self) -> str:
        """Return sign-in name and object id, in the tenant whose storage was asked last. Raises NotSignedIn.

        Claims: ``upn`` and ``oid`` of Entra's access tokens; a service principal has ``appid`` in place of a name.
        """
        claims = _claims(self.get_token(_STORAGE).token)
        said = next((str(claims[key]) for key in ("upn", "unique_name", "preferred_username", "appid") if claims.get(key)), "")
        known = " ".join(part for part in (said, f"({claims['oid']})" if claims.get("oid") else "") if part)
        if not known:
            raise NotSignedIn("the token does not say who you are: run `az login` as yourself")
        return known

    def _ask(self, scopes: tuple[str, ...], claims: str | None) -> AccessToken:
        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import AzureCliCredential, AzureDeveloperCliCredential, CredentialUnavailableError

        reasons: list[ClientAuthenticationError] = []
        for tool in (AzureCliCredential, AzureDeveloperCliCredential):
            credential = tool(process_timeout=_TOOL_S, additionally_allowed_tenants=["*"])
            try:
                token: AccessToken = credential.get_token(*scopes, claims=claims, tenant_id=self._tenant_id or None)
                return token
            except CredentialUnavailableError as error:
                reasons.append(error)
            except ClientAuthenticationError as error:  # signed in once, and no longer
                reasons.append(error)
                break
        said = "; ".join(_sentence(reason) for reason in reasons)
        tenant = f" --tenant {self._tenant_id}" if self._tenant_id else ""
        raise NotSignedIn(f"not signed in to Azure ({said}): run `az login{tenant}`") from reasons[-1]


class PersonsClients:
    """Storage clients of the state account, as the function app's ``clients(service, group)`` names them.

    A person has one identity: ``group``, by which the functions choose theirs, makes no difference.
    """

    waited_s = 0.0

    def __init__(self, account: Account, person: Person) -> None:
        self._account = account
        self._person = person
        self._made: dict[str, Any] = {}

    def __call__(self, service: str, group: str, *, subscription_id: str = "") -> Any:
        """Return the client, the same one for every call."""
        if service not in self._made:
            self._made[service] = self._make(service)
        return self._made[service]

    def to_customers(self, address: str, audience: str, group: str) -> PlainRest:
        """Refuse: the plans that an operator looks at have clients of their own."""
        raise ValueError(f"there is no client of {address}")

    def _make(self, service: str) -> Any:
        if service == "tables":
            from azure.data.tables import TableServiceClient

            return TableServiceClient(self._account.table, credential=self._person, **_RETRIES)
        if service == "queues":
            from azure.storage.queue import QueueServiceClient

            return QueueServiceClient(self._account.queue, credential=self._person, initial_backoff=1, **_RETRIES)
        if service == "blobs":
            return blobs_at(self._account.blob, self._person)
        raise ValueError(f"there is no client of {service!r}")


def blobs_at(endpoint: str, person: Person) -> Any:
    """Return a client of the blobs of any storage account, by its address."""
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient(endpoint, credential=person, initial_backoff=1, **_RETRIES)


def _claims(token: str) -> dict[str, Any]:
    """Claims of a token. It is read for the name only; whether it is valid, the services decide."""
    body = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _sentence(error: Exception) -> str:
    """First sentence of what a tool said: the rest is about troubleshooting in general."""
    return str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
