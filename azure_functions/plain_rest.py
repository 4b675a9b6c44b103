"""HTTP with a managed identity for the calls that stand before every verdict: nothing but a pool of connections and a token.

azure-core's pipeline and requests take as long for such a call as the connection itself (docs/decisions/108). What they do for
it is kept: attempts, pauses and timeouts, the token's renewal, certificates and proxies of the environment, and their errors.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3
import urllib3.connection
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from azure_functions.waiting import before_an_answer, waiting

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

#: As azure-core's own retries.
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
#: Connections that are kept: all that the entity memory and the writes beside it use at once.
_CONNECTIONS = 20
#: A token is renewed while it still holds, as azure-core does.
_RENEWED_BEFORE_S = 300
_REDIRECTED, _UNAUTHORIZED = 300, 401
#: Ids of requests, for whoever looks for one in the service's log: of this process, and in it one after another.
_PROCESS, _NUMBERS = uuid.uuid4().hex[:20], count()


class PlainRest:
    """Requests to one service that may each be sent again: one attempt or several, bytes in and out.

    Parameters
    ----------
    endpoint : str
        Address of the service, with or without a path.
    credential : TokenCredential
    scope : str
        What the token is for.
    attempts : int
    first_pause_s, longest_pause_s : float
        Between attempts from the second on, doubled each time; the service's own ``Retry-After`` goes before.
    connect_s, read_s : float
        Timeouts of an attempt.
    authorities : str
        File of certificates. ``""``: what the environment names, else those of certifi.
    """

    def __init__(
        self,
        endpoint: str,
        credential: TokenCredential,
        scope: str,
        *,
        attempts: int,
        first_pause_s: float,
        longest_pause_s: float,
        connect_s: float,
        read_s: float,
        authorities: str = "",
    ) -> None:
        self._path = urlsplit(endpoint).path.rstrip("/")
        self._credential = credential
        self._scope = scope
        self._header, self._renew_at = "", 0.0
        retries = urllib3.Retry(
            attempts - 1,
            status_forcelist=_AGAIN,
            backoff_factor=first_pause_s,
            backoff_max=longest_pause_s,
            raise_on_status=False,
        )
        self._options: dict[str, Any] = {"retries": retries, "redirect": False}
        self._pool = _pool(
            endpoint,
            timeout=urllib3.Timeout(connect=connect_s, read=read_s),
            maxsize=_CONNECTIONS,
            ca_certs=authorities or _authorities(),
        )

    def get(self, path: str, *, headers: Mapping[str, str]) -> bytes:
        """Return what lies there. Raises as :meth:`put`."""
        return self._answered("GET", path, None, headers)

    def put(self, path: str, data: bytes, *, headers: Mapping[str, str]) -> None:
        """Write bytes as they are.

        Raises
        ------
        azure.core.exceptions.AzureError
            For :func:`azure_functions.cloud_errors.in_core_words` to translate.
        """
        self._answered("PUT", path, data, headers)

    def post(self, path: str, data: bytes, *, headers: Mapping[str, str]) -> bytes:
        """Send bytes and return what is answered. Raises as :meth:`put`."""
        return self._answered("POST", path, data, headers)

    def _answered(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        said = {
            "User-Agent": "breakwater",
            "Authorization": self.authorization(),
            "x-ms-client-request-id": f"{_PROCESS}{next(_NUMBERS):012x}",
            **headers,
        }
        try:
            with waiting():
                answer = self._pool.urlopen(method, self._path + path, body, said, **self._options)
        except urllib3.exceptions.HTTPError as error:
            raise ServiceRequestError(str(error), error=error) from error
        if answer.status < _REDIRECTED:
            return answer.data
        if answer.status == _UNAUTHORIZED:
            self._renew_at = 0.0  # whatever was wrong with this token, the next try has another
        raise HttpResponseError(response=_Answer(answer))  # type: ignore[arg-type]  # what of it errors look at

    def authorization(self) -> str:
        """Return the header that the next request will carry. Raises as :meth:`put` where no token is to be had."""
        if time.time() >= self._renew_at:  # two threads may both ask: the credential keeps tokens too
            token = self._credential.get_token(self._scope)
            self._header = f"Bearer {token.token}"
            self._renew_at = token.expires_on - _RENEWED_BEFORE_S
        return self._header


class _Answer:
    """An answer that says no, as azure-core's errors read it."""

    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self.status_code, self.reason, self.headers = answer.status, answer.reason, answer.headers
        self._data = answer.data

    def text(self, encoding: str | None = None) -> str:
        """The body."""
        return self._data.decode(encoding or "utf-8", "replace")


class _Connection(urllib3.connection.HTTPConnection):
    """One on which an answer may lie unread for a while (:func:`~azure_functions.waiting.meanwhile`, ``patient``)."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 itself
        before_an_answer(lambda: self.sock is not None and urllib3.util.wait_for_read(self.sock, timeout=0))
        return super().getresponse()


class _SecureConnection(_Connection, urllib3.connection.HTTPSConnection):
    """The same over TLS."""


def _pool(endpoint: str, **options: Any) -> urllib3.HTTPConnectionPool:
    parts = urlsplit(endpoint)
    proxy = getproxies().get(parts.scheme)
    proxied = proxy and not proxy_bypass(parts.hostname or "")
    manager = urllib3.ProxyManager(proxy, **options) if proxied and proxy else urllib3.PoolManager(**options)
    pool = manager.connection_from_url(endpoint)
    pool.ConnectionCls = _SecureConnection if parts.scheme == "https" else _Connection
    return pool


def _authorities() -> str:
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
