"""Clients of the deployed app, and what azure-core's errors mean."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline.transport import HttpRequest, RequestsTransport

from azure_functions.clients import LazyClients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal, CloudThrottled, in_core_words
from azure_functions.rest import RestClient
from azure_functions.settings import SettingMissing, Settings
from azure_functions.timed_transport import Timed
from azure_functions.waiting import WAITED, waiting
from infra_tests.azure_functions.app import App
from shared_model.errors import CloudUnavailable


class Response:
    def __init__(self, status: int, *, headers: Mapping[str, str] | None = None, body: str = "") -> None:
        self.status_code = status
        self.reason = "Reason"
        self.headers = dict(headers or {})
        self._body = body

    def text(self, encoding: str | None = None) -> str:
        return self._body


class Breaking(socketserver.TCPServer):
    """Takes so many requests whole and closes the connection without an answer; answers every one after."""

    def __init__(self, breaks: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.breaks = breaks
        self.bodies: list[bytes] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/table"


class _Handler(BaseHTTPRequestHandler):
    server: Breaking

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        if len(self.server.bodies) > self.server.breaks:
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_PUT = do_POST  # noqa: N815 - as http.server calls it

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def breaking(breaks: int) -> Iterator[Breaking]:
    with Breaking(breaks) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def error(status: int, code: str = "Code", **more: Any) -> HttpResponseError:
    made = HttpResponseError(message="said so\nsecond line", response=Response(status, **more))  # type: ignore[arg-type]
    made.error_code = code  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "InvalidInput", CloudRefusal),
        (304, "", CloudRefusal),
        (404, "ResourceNotFound", CloudRefusal),
        (409, "EntityAlreadyExists", CloudRefusal),
        (412, "UpdateConditionNotSatisfied", CloudRefusal),
        (413, "RequestBodyTooLarge", CloudRefusal),
        (403, "RequestDisallowedByPolicy", CloudRefusal),
        (401, "InvalidAuthenticationInfo", CloudUnavailable),
        (403, "AuthorizationFailed", CloudForbidden),
        (408, "OperationTimedOut", CloudUnavailable),
        (429, "TooManyRequests", CloudThrottled),
        (500, "InternalError", CloudUnavailable),
        (503, "ServerBusy", CloudUnavailable),
    ],
)
def test_what_an_answer_means(status: int, code: str, expected: type[Exception]) -> None:
    with pytest.raises(expected, match=f"journal: {status}") as raised, in_core_words("journal"):
        raise error(status, code)
    assert type(raised.value) is expected
    assert "second line" not in str(raised.value)


@pytest.mark.parametrize("raised", [ServiceRequestError("no connection"), ClientAuthenticationError("no token")])
def test_no_answer_may_be_one_later(raised: Exception) -> None:
    with pytest.raises(CloudUnavailable, match="journal"), in_core_words("journal"):
        raise raised


def test_what_a_refusal_tells() -> None:
    with pytest.raises(CloudRefusal) as raised, in_core_words("rule"):
        raise error(409, "AnotherOperationInProgress", headers={"Retry-After": "7"})
    assert raised.value.is_conflict
    assert not raised.value.is_missing
    assert (raised.value.code, raised.value.retry_after_s) == ("AnotherOperationInProgress", 7.0)


@pytest.mark.parametrize(("value", "seconds"), [("3", 3.0), ("-3", 0.0), ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0)])
def test_how_long_a_throttled_caller_is_asked_to_wait(value: str, seconds: float) -> None:
    with pytest.raises(CloudThrottled) as raised, in_core_words("rule"):
        raise error(429, "TooManyRequests", headers={"Retry-After": value})
    assert raised.value.retry_after_s == seconds


def test_a_code_that_tables_leave_in_the_body() -> None:
    with pytest.raises(CloudRefusal) as raised, in_core_words("journal"):
        raise error(409, "", body='{"odata.error": {"code": "EntityAlreadyExists"}}')
    assert raised.value.code == "EntityAlreadyExists"


def test_a_code_that_storage_says_in_a_header() -> None:
    with pytest.raises(CloudRefusal) as raised, in_core_words("data lake"):
        raise error(404, "", headers={"x-ms-error-code": "ContainerNotFound"}, body="<?xml version='1.0'?><Error/>")
    assert raised.value.code == "ContainerNotFound"


def test_errors_of_our_own_pass() -> None:
    with pytest.raises(ZeroDivisionError), in_core_words("journal"):
        raise ZeroDivisionError


class TestClients:
    def test_nothing_is_read_before_a_client_is_asked_for(self) -> None:
        def none() -> Settings:
            raise SettingMissing("environment variable X is not set")

        clients = LazyClients(none)
        with pytest.raises(SettingMissing):
            clients("tables", "detect")

    @pytest.mark.parametrize(("service", "field"), [("tables", "TABLE_ENDPOINT"), ("logs", "LOGS_ENDPOINT")])
    def test_a_setting_that_it_needs_is_named(self, service: str, field: str) -> None:
        clients = LazyClients(lambda: Settings(detect_client_id="c"))
        with pytest.raises(SettingMissing, match=f"BREAKWATER_{field}"):
            clients(service, "detect")
        with pytest.raises(SettingMissing, match="BREAKWATER_UNDO_CLIENT_ID"):
            clients(service, "undo")

    def test_there_is_one_for_each_service_group_and_subscription(self, app: App) -> None:
        clients = app.clients
        assert clients("arm", "detect") is clients("arm", "detect")
        assert clients("arm", "detect") is not clients("arm", "respond")
        assert clients("network", "undo", subscription_id="a") is not clients("network", "undo", subscription_id="b")
        with pytest.raises(ValueError, match="'smtp'"):
            clients("smtp", "detect")
        with pytest.raises(ValueError, match="nobody"):
            clients("arm", "nobody")

    def test_each_group_speaks_for_itself(self, app: App) -> None:
        path = f"/subscriptions/{app.settings.subscription_id}/providers/Microsoft.Network/networkInterfaces"
        for group in ("detect", "network"):
            assert list(app.clients("arm", group).each(path, query={"api-version": "2024-05-01"}))
        callers = [call.client_id for call in app.services.calls.calls() if call.path.lower() == path.lower()]
        assert callers == [app.services.identities[group].client_id for group in ("detect", "network")]

    def test_waiting_for_a_service_is_not_a_functions_own_time(self, app: App) -> None:
        before = app.clients.waited_s
        app.clients("tables", "detect").get_table_client("memory").upsert_entity({"PartitionKey": "a", "RowKey": "b"})
        assert app.clients.waited_s > before

    def test_pauses_between_attempts_count_as_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slept: list[float] = []
        monkeypatch.setattr(RequestsTransport, "sleep", lambda self, seconds: slept.append(seconds))
        before = WAITED.seconds
        Timed().sleep(2)
        assert slept == [2]
        assert WAITED.seconds > before

    @pytest.mark.parametrize(("breaks", "answered"), [(1, True), (2, False)])
    def test_a_post_is_sent_once_more_where_an_idle_connection_was_closed(self, breaks: int, answered: bool) -> None:
        with breaking(breaks) as server:
            request = HttpRequest("POST", server.url, data=b"entity")
            if answered:
                assert Timed().send(request).status_code == 201
            else:
                with pytest.raises(ServiceResponseError):
                    Timed().send(request)
            assert server.bodies == [b"entity", b"entity"]

    def test_every_other_method_is_left_to_the_sdks_own_attempts(self) -> None:
        with breaking(1) as server, pytest.raises(ServiceResponseError):
            Timed().send(HttpRequest("PUT", server.url, data=b"entity"))
        assert server.bodies == [b"entity"]

    def test_a_service_that_is_slow_is_not_asked_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[object] = []

        def slow(self: RequestsTransport, request: object, **options: object) -> None:
            sent.append(request)
            raise ServiceResponseTimeoutError("20 seconds")

        monkeypatch.setattr(RequestsTransport, "send", slow)
        with pytest.raises(ServiceResponseTimeoutError):
            Timed().send(HttpRequest("POST", "http://127.0.0.1"))
        assert len(sent) == 1

    def test_the_environment_is_read_once_and_passwords_nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/authority.pem")
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        with RequestsTransport(use_env_settings=False) as plain:
            assert not plain.session.trust_env  # what the option means: neither the environment nor ~/.netrc
        transport = Timed()
        transport.open()
        assert not transport.session.trust_env
        assert transport.connection_config.verify == "/authority.pem"
        assert Timed(connection_verify="/other.pem").connection_config.verify == "/other.pem"

    def test_a_proxy_of_the_environment_is_heeded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        transport = Timed()
        transport.open()
        assert transport.session.trust_env

    def test_waiting_is_counted_also_when_it_ends_badly(self) -> None:
        before = WAITED.seconds
        with pytest.raises(ZeroDivisionError), waiting():
            raise ZeroDivisionError
        assert WAITED.seconds > before


class TestRest:
    def test_a_token_goes_nowhere_else(self) -> None:
        client = RestClient("https://management.example", None, "s")  # type: ignore[arg-type]
        for address in ("https://elsewhere.example/x", "https://management.example.elsewhere.example/x", "x"):
            with pytest.raises(ValueError, match="nobody else"):
                client.call("GET", address)

    def test_a_list_is_read_to_its_end(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        client = app.clients("arm", "detect")
        pages = {
            "/first": {"value": [{"n": 1}], "nextLink": f"{app.settings.arm_endpoint}/second"},
            f"{app.settings.arm_endpoint}/second": {"value": [{"n": 2}]},
        }
        monkeypatch.setattr(client, "call", lambda method, path, query=None: pages[path])
        assert [item["n"] for item in client.each("/first")] == [1, 2]
