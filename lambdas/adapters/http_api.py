"""Requests and responses of an HTTP API (API Gateway), payload format 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from response.page.document import Reply
from response.page.forms import Visit
from response.people import SignIn, signed_in

#: Claims that people know each other by, the best first.
_NAMES = ("email", "preferred_username", "upn", "cognito:username", "name")
#: Longest body and most fields that a form of ours has room for.
_LONGEST, _FIELDS = 16_384, 16


def visit_of(event: Mapping[str, Any], *, issuer: str) -> Visit:
    """Return what came from the browser.

    Who has signed in is what the API's authorizer read from a token that it has checked, and of this issuer; what the browser
    itself says in headers or form is never asked.
    """
    context = event["requestContext"]
    claims = context.get("authorizer", {}).get("jwt", {}).get("claims", {})
    return Visit(
        proposal_id=str(event.get("pathParameters", {}).get("proposal", "")),
        query=dict(parse_qsl(event.get("rawQueryString", ""), keep_blank_values=True)),
        headers={name.lower(): value for name, value in event.get("headers", {}).items()},
        cookies="; ".join(event.get("cookies", ())),
        form=_form(event) if context["http"]["method"] == "POST" else None,
        sign_in=_signed_in(claims) if claims.get("iss") == issuer else None,
    )


def as_response(reply: Reply) -> dict[str, Any]:
    """Return what the API makes an HTTP response of."""
    response: dict[str, Any] = {"statusCode": reply.status, "headers": dict(reply.headers), "body": reply.body}
    return response | ({"cookies": [reply.cookie]} if reply.cookie else {})


def _signed_in(claims: Mapping[str, Any]) -> SignIn | None:
    # An address that the provider has not verified may be anybody's.
    names = [claims.get(name) for name in _NAMES if name != "email" or str(claims.get("email_verified")).lower() != "false"]
    return signed_in(claims["iss"], claims.get("sub"), names)


def _form(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a form, none where the body is no form of ours."""
    body = str(event.get("body") or "")
    try:
        text = base64.b64decode(body, validate=True).decode() if event.get("isBase64Encoded") else body
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS)) if len(text) <= _LONGEST else {}
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return {}
