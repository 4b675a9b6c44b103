"""HTTP for every client: one pool of connections, and a clock on what the services take."""

from __future__ import annotations

import os
from typing import Any
from urllib.request import getproxies

from azure.core.exceptions import ServiceResponseError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import RequestsTransport

from azure_functions.waiting import waiting


class Timed(RequestsTransport):  # type: ignore[misc]  # azure-core types it only where it is private
    """Counts requests, and the pauses between their attempts, as waiting.

    Parameters
    ----------
    **options
        As RequestsTransport. Without any, what the environment says of proxies and certificates holds. It is read here, once:
        requests would walk through the whole environment for each call, and look for passwords in ``~/.netrc``.
    """

    def __init__(self, **options: Any) -> None:
        if authorities := os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"):
            options.setdefault("connection_verify", authorities)
        super().__init__(use_env_settings=bool(getproxies()), **options)

    def send(self, request: Any, **options: Any) -> Any:
        """Send the request, on the clock.

        A POST whose connection broke before the answer is sent once more: a server may close a connection that lay idle at
        the very moment it is used again. The SDKs do so for every other method. Nothing is done twice by it that the
        redelivery of a message would not do: every write of the app can be repeated.
        """
        with waiting():
            try:
                return super().send(request, **options)
            except ServiceResponseTimeoutError:
                raise
            except ServiceResponseError:
                if request.method != "POST":
                    raise
                return super().send(request, **options)

    def sleep(self, duration: float) -> None:
        """Pause before the next attempt, on the clock."""
        with waiting():
            super().sleep(duration)

    def close(self) -> None:
        """Stay open: one client that is closed does not close it for the others."""
