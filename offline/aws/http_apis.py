"""HTTP APIs of the embedded AWS: moto keeps them, and answers none of their requests.

What is deployed decides: the host names the API, method and path its route, the route its authorizer and integration. A function
gets payload format 2.0, as documented:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html and, for tokens,
http-api-jwt-authorizer.html. Throttling and access logs are the real service's: the tests look for them in the templates.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt

from offline.aws.embedded import ACCOUNT, EmbeddedAws
from offline.aws.loopback import Answer, Asked

#: Keys of an issuer: returns its JSON Web Key Set.
Keys = Callable[[str], Mapping[str, Any]]
_ALGORITHMS = ("RS256", "RS384", "RS512")


@dataclass(frozen=True, slots=True)
class Route:
    """One route, with what stands behind it."""

    key: str
    authorizer: Mapping[str, Any] | None
    function: str
    parameters: Mapping[str, str]


class HttpApis:
    """Answers requests to the deployed APIs.

    Parameters
    ----------
    aws : EmbeddedAws
    keys : callable
        Returns the keys of the issuer that an authorizer names.
    """

    def __init__(self, aws: EmbeddedAws, keys: Keys) -> None:
        self._aws = aws
        self._keys = keys
        self._service = aws.client("apigatewayv2")

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request, whose host names the API."""
        method, parts = asked.method, urlsplit(asked.url)
        sent = {name.lower(): value for name, value in asked.headers.items()} | {"host": parts.netloc}
        route = self._route(parts.netloc.partition(".")[0], method, parts.path)
        if route is None:
            return _says(404, "Not Found")
        context: dict[str, Any] = {
            "accountId": ACCOUNT,
            "domainName": parts.netloc,
            "requestId": str(uuid.uuid4()),
            "routeKey": route.key,
            "stage": "$default",
            "http": {"method": method, "path": parts.path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
        }
        if route.authorizer is not None:
            claims = self._claims(route.authorizer, sent)
            if claims is None:
                return _says(401, "Unauthorized", ("www-authenticate", "Bearer"))
            context["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
        return self._invoke(route, context, parts.path, parts.query, sent, asked.body)

    def _route(self, api: str, method: str, path: str) -> Route | None:
        if api not in {each["ApiId"] for each in self._service.get_apis()["Items"]}:
            return None
        for each in self._service.get_routes(ApiId=api)["Items"]:
            wanted, _, pattern = each["RouteKey"].partition(" ")
            fits = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(pattern)), path)
            if wanted == method and fits:
                target = each["Target"].removeprefix("integrations/")
                found = self._service.get_integration(ApiId=api, IntegrationId=target)
                authorizer = None
                if each["AuthorizationType"] != "NONE":
                    authorizer = self._service.get_authorizer(ApiId=api, AuthorizerId=each["AuthorizerId"])
                return Route(each["RouteKey"], authorizer, found["IntegrationUri"], fits.groupdict())
        return None

    def _claims(self, authorizer: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, str] | None:
        """Return the claims of a token that the authorizer takes, as text; None where it takes none."""
        configuration = authorizer["JwtConfiguration"]
        (source,) = authorizer["IdentitySource"]
        token = headers.get(source.removeprefix("$request.header.").lower(), "").removeprefix("Bearer ")
        try:
            header = jwt.get_unverified_header(token)
            keys = jwt.PyJWKSet.from_dict(dict(self._keys(configuration["Issuer"])))
            claims = jwt.decode(
                token,
                next(key for key in keys.keys if key.key_id == header.get("kid")),
                algorithms=[each for each in _ALGORITHMS if each == header.get("alg")],
                issuer=configuration["Issuer"],
                audience=configuration["Audience"],
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.PyJWTError, StopIteration):
            return None
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in claims.items()}

    def _invoke(
        self, route: Route, context: dict[str, Any], path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        cookies = headers.get("cookie", "")
        binary = not headers.get("content-type", "text/plain").startswith(("text/", "application/json"))
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": {name: value for name, value in headers.items() if name != "cookie"},
            "requestContext": context,
            "isBase64Encoded": bool(body) and binary,
        }
        event |= {"cookies": cookies.split("; ")} if cookies else {}
        event |= {"queryStringParameters": dict(parse_qsl(query))} if query else {}
        event |= {"pathParameters": dict(route.parameters)} if route.parameters else {}
        event |= {"body": base64.b64encode(body).decode() if binary else body.decode()} if body else {}
        answer = self._aws.client("lambda").invoke(FunctionName=route.function, Payload=json.dumps(event))
        given = json.loads(answer["Payload"].read())
        if "FunctionError" in answer or not isinstance(given, dict) or "statusCode" not in given:
            return _says(500, "Internal Server Error")
        text = str(given.get("body", ""))
        content = base64.b64decode(text) if given.get("isBase64Encoded") else text.encode()
        sent = [*given.get("headers", {}).items(), *(("set-cookie", each) for each in given.get("cookies", ()))]
        return Answer(int(given["statusCode"]), tuple((str(name), str(value)) for name, value in sent), content)


def _says(status: int, message: str, *headers: tuple[str, str]) -> Answer:
    body = json.dumps({"message": message}).encode()
    return Answer(status, (("content-type", "application/json"), *headers), body)
