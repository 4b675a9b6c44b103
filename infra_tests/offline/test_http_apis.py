"""HTTP APIs of the embedded AWS: routes, tokens and payloads as the real service's documentation has them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from moto import mock_aws

from offline.aws.http_apis import HttpApis
from offline.aws.identity_provider import CLIENT, ISSUER, IdentityProvider
from offline.aws.loopback import Answer, Asked, served
from offline.aws.repairs.http_apis import creates

ACCOUNT, REGION = "123456789012", "us-east-1"


class Lambdas:
    """Keeps the events that functions got, and answers for them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answer: Any = {"statusCode": 200, "headers": {"content-type": "text/html"}, "cookies": ["a=1", "b=2"], "body": "hé"}
        self.fails = False

    def invoke(self, **asked: str) -> dict[str, Any]:
        self.events.append(json.loads(asked["Payload"]) | {"function": asked["FunctionName"]})
        error = {"FunctionError": "Unhandled"} if self.fails else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), **error}


class Site:
    """An API as a template makes it."""

    def __init__(self) -> None:
        self.provider, self.lambdas = IdentityProvider(), Lambdas()
        self.api = self._make("Api", Name="proposals", ProtocolType="HTTP")
        behind = {"IntegrationType": "AWS_PROXY", "IntegrationUri": "arn:of:page", "PayloadFormatVersion": "2.0"}
        integration = self._make("Integration", ApiId=self.api, **behind)
        jwt_of = {"Issuer": ISSUER, "Audience": [CLIENT]}
        source = ["$request.header.Authorization"]
        authorizer = self._make(
            "Authorizer", ApiId=self.api, Name="sign-in", AuthorizerType="JWT", IdentitySource=source, JwtConfiguration=jwt_of
        )
        target = f"integrations/{integration}"
        self._make("Route", ApiId=self.api, RouteKey="GET /things/{thing}", AuthorizationType="NONE", Target=target)
        signed = {"AuthorizationType": "JWT", "AuthorizerId": authorizer}
        self._make("Route", ApiId=self.api, RouteKey="POST /things/{thing}", Target=target, **signed)
        self._make("Stage", ApiId=self.api, StageName="$default", AutoDeploy=True)
        self.front = HttpApis(self, self.provider.keys)  # type: ignore[arg-type]
        self.url = f"https://{self.api}.execute-api.{REGION}.amazonaws.com"

    def client(self, service: str) -> Any:
        return self.lambdas if service == "lambda" else boto3.client(service, region_name=REGION)

    def ask(self, method: str, path: str, token: str = "", body: bytes = b"", **headers: str) -> Answer:
        sent = headers | ({"Authorization": f"Bearer {token}"} if token else {})
        return self.front(Asked(method, f"{self.url}{path}", sent, body))

    def _make(self, kind: str, **properties: Any) -> str:
        return creates()[f"AWS::ApiGatewayV2::{kind}"]("name", properties, ACCOUNT, REGION)["Ref"]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield Site()


def test_a_request_reaches_the_function_of_its_route_as_payload_2(site: Site) -> None:
    answer = site.ask("GET", "/things/7?a=1&b=%20", Cookie="x=1; y=2", Accept="text/html")
    assert (answer.status, answer.text, answer.header("content-type")) == (200, "hé", "text/html")
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a=1", "b=2"]
    (event,) = site.lambdas.events
    assert (event["function"], event["version"], event["routeKey"]) == ("arn:of:page", "2.0", "GET /things/{thing}")
    assert (event["rawPath"], event["rawQueryString"], event["pathParameters"]) == ("/things/7", "a=1&b=%20", {"thing": "7"})
    assert event["cookies"] == ["x=1", "y=2"]
    assert event["headers"] == {"accept": "text/html", "host": f"{site.api}.execute-api.{REGION}.amazonaws.com"}
    assert "authorizer" not in event["requestContext"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/things"), ("GET", "/things/7/8"), ("PUT", "/things/7")])
def test_what_has_no_route_reaches_no_function(site: Site, method: str, path: str) -> None:
    assert (site.ask(method, path).status, site.lambdas.events) == (404, [])
    other = site.front(Asked("GET", f"https://other.execute-api.{REGION}.amazonaws.com/things/7", {}, b""))
    assert other.status == 404


def test_a_token_of_the_issuer_lets_in_and_its_claims_come_with_it(site: Site) -> None:
    token = site.provider.token("00u1", email="ada@example.com", email_verified=True)
    answer = site.ask("POST", "/things/7", token, b"a=1", **{"content-type": "application/x-www-form-urlencoded"})
    assert answer.status == 200
    (event,) = site.lambdas.events
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    assert (claims["sub"], claims["email"], claims["email_verified"]) == ("00u1", "ada@example.com", "true")
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"a=1", True)


def test_no_other_token_does(site: Site) -> None:
    provider = site.provider
    stranger = rsa.generate_private_key(65537, 2048)
    good = {"iss": ISSUER, "aud": CLIENT, "sub": "00u1", "exp": 9_999_999_999}
    with_key_id = {"kid": "1"}
    tokens = {
        "none": "",
        "no token": "abc",
        "expired": provider.token("00u1", lives_s=-10),
        "another audience": provider.token("00u1", aud="another"),
        "another issuer": provider.token("00u1", iss="https://evil.example"),
        "another key": jwt.encode(good, stranger, algorithm="RS256", headers=with_key_id),
        "an unknown key": jwt.encode(good, stranger, algorithm="RS256", headers={"kid": "2"}),
        "unsigned": jwt.encode(good, "", algorithm="none", headers=with_key_id),
        "a secret that is public": jwt.encode(good, "secret" * 8, algorithm="HS256", headers=with_key_id),
        "altered": provider.token("00u1")[:-4] + "AAAA",
        "not yet": provider.token("00u1", nbf=9_999_999_990),
    }
    assert {name: site.ask("POST", "/things/7", token).status for name, token in tokens.items()} == dict.fromkeys(tokens, 401)
    assert site.lambdas.events == []


def test_a_function_that_fails_is_an_error_of_the_server(site: Site) -> None:
    site.lambdas.fails = True
    assert site.ask("GET", "/things/7").status == 500


def test_it_can_be_served_on_the_loopback_interface(site: Site) -> None:
    import http.client

    with served(site.front) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/things/7", headers={"Host": site.url.removeprefix("https://")})
        answer = connection.getresponse()
        assert (answer.status, answer.read().decode()) == (200, "hé")
        connection.close()
