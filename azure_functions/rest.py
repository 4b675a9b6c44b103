"""HTTP with a managed identity: for calls of Resource Manager, Graph and Key Vault that need no SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpRequest, HttpResponse

#: Resource Manager's word for the next page, and Graph's.
_NEXT_LINKS = ("nextLink", "@odata.nextLink")


class RestClient:
    """azure-core's pipeline (retries, token, content decoding) with JSON in and out.

    Parameters
    ----------
    endpoint : str
        ``https://management.azure.com``, ``https://graph.microsoft.com``.
    credential : TokenCredential
    scope : str
        What the token is for.
    **options
        Of the pipeline: retries and transport.
    """

    def __init__(self, endpoint: str, credential: TokenCredential, scope: str, **options: Any) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies

        transport = options.pop("transport", None)
        self._endpoint = endpoint.rstrip("/")
        self._client: Any = PipelineClient(
            self._endpoint,
            policies=[
                policies.RequestIdPolicy(),
                policies.UserAgentPolicy("breakwater"),
                policies.RetryPolicy(**options),
                policies.BearerTokenCredentialPolicy(credential, scope),
                policies.ContentDecodePolicy(),
            ],
            **({"transport": transport} if transport else {}),
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Any:
        """Return the answer's JSON, None where it has no body.

        Parameters
        ----------
        method : str
        path : str
            From the endpoint on (``/subscriptions/…``), or a whole address of the same endpoint (a next page).
        query, body, headers
            ``body`` is sent as JSON.
        **options
            Of this one call, of the pipeline: retries.

        Raises
        ------
        azure.core.exceptions.AzureError
            For :func:`azure_functions.cloud_errors.in_core_words` to translate.
        """
        from azure.core.rest import HttpRequest

        request = HttpRequest(method, self._address(path), params=dict(query or {}), json=body, headers=dict(headers or {}))
        response = self.send_request(request, **options)
        response.raise_for_status()
        return response.json() if response.content else None

    def each(self, path: str, *, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page by page."""
        page = self.call("GET", path, query=query)
        while True:
            yield from page.get("value", ())
            following = next((page[name] for name in _NEXT_LINKS if page.get(name)), None)
            if following is None:
                return
            page = self.call("GET", following)

    def send_request(self, request: HttpRequest, **options: Any) -> HttpResponse:
        """Send any request through the pipeline, for headers and status codes that ``call`` does not give."""
        response: HttpResponse = self._client.send_request(request, **options)
        return response

    def _address(self, path: str) -> str:
        if path.startswith("/"):
            return self._endpoint + path
        if path.startswith(f"{self._endpoint}/"):
            return path
        raise ValueError(f"{path} is not at {self._endpoint}: its token is for nobody else")
