"""The HTTP trigger: a request as the platform hands it to the app, and the app's answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offline.azure.functions_host.functions import Function
from offline.azure.functions_host.library import messages

#: The platform sets these from the caller's token; what a caller itself sends under such a name never reaches a function.
_OF_THE_PLATFORM = "x-ms-client-principal"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What an HTTP function returned.

    Attributes
    ----------
    status : int
        500, with an empty body, where the function failed; 404 where it does not take the method.
    headers : mapping
    body : bytes
    invocation_id : str
        ``""`` where the function was not called.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    invocation_id: str

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def methods_of(function: Function) -> list[str]:
    """Methods that the function takes; GET and POST where its trigger names none."""
    return [str(each).upper() for each in function.trigger.get("methods") or ("GET", "POST")]


def route_of(function: Function) -> str:
    """Path behind the prefix."""
    return str(function.trigger.get("route") or function.name)


def request_data(
    url: str,
    *,
    method: str,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
    principal_id: str,
    claims: Mapping[str, str],
    route: Mapping[str, str],
) -> Any:
    """Return the TypedData of a request whose caller showed a token of ``principal_id`` (``""``: none), with these claims."""
    rpc = messages()
    passed = {name.lower(): value for name, value in headers.items() if not name.lower().startswith(_OF_THE_PLATFORM)}
    if principal_id:
        passed |= {_OF_THE_PLATFORM + "-id": principal_id, _OF_THE_PLATFORM + "-idp": "aad"}
    if claims:
        listed = [{"typ": name, "val": value} for name, value in claims.items()]
        principal = json.dumps({"auth_typ": "aad", "claims": listed}).encode()
        passed[_OF_THE_PLATFORM] = base64.b64encode(principal).decode()
    return rpc.TypedData(
        http=rpc.RpcHttp(method=method, url=url, headers=passed, query=query, params=route, body=rpc.TypedData(bytes=body))
    )


def read_answer(returned: Any, invocation_id: str) -> HttpAnswer:
    """Read what an HTTP function returned."""
    answer = returned.http
    kind = answer.body.WhichOneof("data")
    value = getattr(answer.body, kind) if kind else b""
    body = value if isinstance(value, bytes) else str(value).encode()
    headers = dict(answer.headers) | ({"set-cookie": _cookie(answer.cookies[0])} if answer.cookies else {})
    return HttpAnswer(int(answer.status_code), headers, body, invocation_id)


def _cookie(sent: Any) -> str:
    """Return a cookie as the host writes it."""
    marks = ("; Secure" if sent.secure.value else "") + ("; HttpOnly" if sent.http_only.value else "")
    return f"{sent.name}={sent.value}; Path={sent.path.value}{marks}"
