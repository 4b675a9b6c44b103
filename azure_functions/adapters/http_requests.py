"""Requests and responses of an HTTP trigger behind App Service authentication ("Easy Auth").

The platform checks who has signed in, sets the header below, and takes away what a caller itself sends under this name
(https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterator
from urllib.parse import parse_qsl

import azure.functions as func

from response.page.document import Reply
from response.page.forms import Visit
from response.people import SignIn, signed_in

_PRINCIPAL = "x-ms-client-principal"
_SCHEMA = "http://schemas.microsoft.com/identity/claims/"
_MAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
#: Claims by what they mean here, as the platform names them with and without its mapping.
_OBJECT, _TENANT, _GROUPS = ("oid", f"{_SCHEMA}objectidentifier"), ("tid", f"{_SCHEMA}tenantid"), ("groups",)
#: Claims that people know each other by, the best first.
_NAMES = ("preferred_username", "upn", "email", _MAIL, "name")
#: Longest body and most fields that a form of ours has room for.
_LONGEST, _FIELDS = 16_384, 16


def visit_of(req: func.HttpRequest, *, tenant: str, operators: Collection[str]) -> Visit:
    """Return what came from the browser.

    Parameters
    ----------
    req : func.HttpRequest
    tenant : str
        Whose people alone may answer.
    operators : collection of str
        Object ids, in lower case, of the users or groups of it that may.
    """
    headers = {name.lower(): value for name, value in req.headers.items()}
    return Visit(
        proposal_id=str(req.route_params.get("proposal", "")),
        query=dict(req.params),
        headers={name: value for name, value in headers.items() if name != _PRINCIPAL},
        cookies=headers.get("cookie", ""),
        form=_form(req.get_body()) if req.method == "POST" else None,
        sign_in=_signed_in(headers.get(_PRINCIPAL, ""), tenant, operators),
    )


def as_response(reply: Reply) -> func.HttpResponse:
    """Return what the host makes an HTTP response of."""
    headers = {**reply.headers, **({"set-cookie": reply.cookie} if reply.cookie else {})}
    return func.HttpResponse(reply.body, status_code=reply.status, headers=headers, mimetype="text/html", charset="utf-8")


def _signed_in(header: str, tenant: str, operators: Collection[str]) -> SignIn | None:
    claims = list(_claims(header))
    object_id, directory = _of(claims, _OBJECT), _of(claims, _TENANT).lower()
    groups = {value.lower() for name, value in claims if name in _GROUPS}
    if directory != tenant.lower() or not ({object_id.lower()} | groups) & set(operators):
        return None
    return signed_in(directory, object_id, [value for wanted in _NAMES for name, value in claims if name == wanted])


def _claims(header: str) -> Iterator[tuple[str, str]]:
    """Yield type and value of each claim, none where there is no principal of Entra."""
    try:
        principal = json.loads(base64.b64decode(header, validate=True)) if header else {}
    except (binascii.Error, ValueError):
        return
    if isinstance(principal, dict) and principal.get("auth_typ") == "aad":
        for claim in principal.get("claims", ()):
            yield str(claim.get("typ", "")), str(claim.get("val", ""))


def _of(claims: list[tuple[str, str]], names: Collection[str]) -> str:
    return next((value for name, value in claims if name in names), "")


def _form(body: bytes) -> dict[str, str]:
    """Return the fields of a form, none where the body is no form of ours."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS)) if len(body) <= _LONGEST else {}
    except ValueError:
        return {}
