"""The calls before every verdict: what azure-core would do for them is done, by less."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import certifi
import pytest
import urllib3
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError

from azure_functions.cloud_errors import CloudForbidden, CloudRefusal, CloudThrottled, in_core_words
from azure_functions.http_date import http_date
from azure_functions.plain_rest import PlainRest
from azure_functions.waiting import WAITED, before_an_answer, meanwhile, patient
from shared_model.errors import CloudUnavailable

HEADERS = {"x-ms-version": "2021-12-02"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


#: The connection is closed before an answer.
BROKEN = Answer(0)


class Service(HTTPServer):
    """Gives the answers that it was told to, in turn, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.arrived = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        self.server.arrived.set()
        answer = self.server.answers.pop(0)
        if answer is BROKEN:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_CONNECT = _answer  # noqa: N815 - as http.server calls them

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Tokens:
    """A credential that counts what it gave out."""

    def __init__(self, lifetime_s: int = 3600) -> None:
        self.given = 0
        self._lifetime_s = lifetime_s

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        assert scopes == ("https://storage.example/.default",)
        self.given += 1
        return AccessToken(f"token-{self.given}", int(time.time()) + self._lifetime_s)


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    return pauses


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def client(url: str, tokens: Tokens | None = None) -> PlainRest:
    return PlainRest(
        url,
        tokens or Tokens(),
        "https://storage.example/.default",
        attempts=4,
        first_pause_s=0.5,
        longest_pause_s=8,
        connect_s=3,
        read_s=20,
    )


def test_bytes_go_and_come_under_the_endpoints_path(service: Service) -> None:
    service.answers = [Answer(201), Answer(200, body=b"there")]
    rest = client(f"{service.url}/account/")
    rest.put("/lake/a%20b", b"here", headers=HEADERS)
    assert rest.get("/lake/a%20b", headers=HEADERS) == b"there"
    (put, path, headers, body), (get, *_) = service.asked
    assert (put, path, body, get) == ("PUT", "/account/lake/a%20b", b"here", "GET")
    assert (headers["Authorization"], headers["x-ms-version"]) == ("Bearer token-1", "2021-12-02")
    assert len({asked[2]["x-ms-client-request-id"] for asked in service.asked}) == 2


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_succeed_later_is_tried_again_whole(service: Service, slept: list[float], status: int) -> None:
    service.answers = [Answer(status), Answer(status), BROKEN, Answer(201)]
    client(service.url).put("/a", b"body", headers=HEADERS)
    assert [body for *_, body in service.asked] == [b"body"] * 4
    assert slept == [1.0, 2.0]  # at once, then half a second doubled, and doubled again


def test_a_service_that_says_how_long_is_heeded(service: Service, slept: list[float]) -> None:
    service.answers = [Answer(503, (("Retry-After", "7"),)), Answer(201)]
    client(service.url).put("/a", b"", headers=HEADERS)
    assert slept == [7]


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        (Answer(404, (("x-ms-error-code", "ContainerNotFound"),), b"<?xml version='1.0'?>"), CloudRefusal, "ContainerNotFound"),
        (Answer(404, (), b'{"odata.error":{"code":"ResourceNotFound","message":{}}}'), CloudRefusal, "ResourceNotFound"),
        (Answer(302, (("Location", "http://127.0.0.1:9/elsewhere"),)), CloudUnavailable, ""),
        (
            Answer(403, (("x-ms-error-code", "AuthorizationPermissionMismatch"),)),
            CloudForbidden,
            "AuthorizationPermissionMismatch",
        ),
    ],
)
def test_what_is_refused_is_not_asked_again(service: Service, answer: Answer, expected: type[Exception], code: str) -> None:
    service.answers = [answer]
    with pytest.raises(expected, match=f"lake: {answer.status}") as raised, in_core_words("lake"):
        client(service.url).get("/a", headers=HEADERS)
    assert getattr(raised.value, "code", "") == code
    assert len(service.asked) == 1


@pytest.mark.parametrize(("status", "expected"), [(429, CloudThrottled), (503, CloudUnavailable)])
def test_after_the_last_attempt_the_answer_stands(
    service: Service, slept: list[float], status: int, expected: type[Exception]
) -> None:
    service.answers = [Answer(status, (("Retry-After", "3"),))] * 4
    with pytest.raises(expected, match=f"lake: {status}") as raised, in_core_words("lake"):
        client(service.url).put("/a", b"", headers=HEADERS)
    assert slept == [3, 3, 3]
    assert getattr(raised.value, "retry_after_s", 3) == 3


def test_a_service_that_never_answers_may_do_so_later(service: Service, slept: list[float]) -> None:
    service.answers = [BROKEN] * 4
    with pytest.raises(CloudUnavailable, match="lake"), in_core_words("lake"):
        client(service.url).put("/a", b"", headers=HEADERS)
    assert len(service.asked) == 4
    assert slept == [1.0, 2.0]


def test_a_token_is_kept_while_it_holds(service: Service) -> None:
    service.answers = [Answer(200)] * 4
    lasting, ending = Tokens(), Tokens(lifetime_s=240)
    for tokens in (lasting, ending):
        rest = client(service.url, tokens)
        for _ in range(2):
            rest.get("/a", headers=HEADERS)
    assert (lasting.given, ending.given) == (1, 2)


def test_a_token_that_was_refused_is_not_used_again(service: Service) -> None:
    service.answers = [Answer(401), Answer(200)]
    rest = client(service.url)
    with pytest.raises(AzureError):
        rest.get("/a", headers=HEADERS)
    rest.get("/a", headers=HEADERS)
    assert [headers["Authorization"] for _, _, headers, _ in service.asked] == ["Bearer token-1", "Bearer token-2"]


def test_waiting_for_it_is_not_a_functions_own_time(service: Service) -> None:
    service.answers = [Answer(200)]
    before = WAITED.seconds
    client(service.url).get("/a", headers=HEADERS)
    assert WAITED.seconds > before


def test_a_proxy_of_the_environment_is_heeded(service: Service, slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", service.url)
    monkeypatch.setenv("no_proxy", "direct.invalid")
    service.answers = [Answer(502)] * 4
    with pytest.raises(AzureError):
        client("https://storage.invalid/account").get("/a", headers=HEADERS)
    assert {(method, path) for method, path, *_ in service.asked} == {("CONNECT", "storage.invalid:443")}
    assert client("https://direct.invalid")._pool.proxy is None


def test_certificates_are_those_of_the_environment_or_certifis(monkeypatch: pytest.MonkeyPatch) -> None:
    def authorities(rest: PlainRest) -> object:
        assert isinstance(rest._pool, urllib3.HTTPSConnectionPool)
        return rest._pool.ca_certs

    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    assert authorities(client("https://storage.example")) == certifi.where()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/authority.pem")
    assert authorities(client("https://storage.example")) == "/authority.pem"


def test_a_patient_request_is_sent_before_its_answer_waits_for_what_is_computed(service: Service) -> None:
    class Computed(threading.Event):
        """Computed once the request has arrived."""

        def wait(self, timeout: float | None = None) -> bool:
            assert service.arrived.wait(30)
            waited.append(timeout)
            return True

    waited: list[float | None] = []
    service.answers = [Answer(201), Answer(201)]
    with patient(Computed()):
        client(service.url).put("/lake/a", b"x", headers=HEADERS)
    assert waited == [0.01]
    client(service.url).put("/lake/b", b"x", headers=HEADERS)
    assert len(waited) == 1, "who is not patient reads at once"


def test_an_answer_does_not_wait_for_long_and_those_behind_it_not_at_all(service: Service) -> None:
    never = threading.Event()
    service.answers = [Answer(201)]
    with patient(never):
        client(service.url).put("/lake/a", b"x", headers=HEADERS)
    assert never.is_set()


def test_what_is_done_meanwhile_is_done_once_when_the_request_has_left(service: Service) -> None:
    def work() -> None:
        assert service.arrived.wait(30)
        done.append(len(service.asked))

    done: list[int] = []
    service.answers = [Answer(200)] * 2
    rest = client(service.url)
    with meanwhile(work):
        rest.get("/a", headers=HEADERS)
        assert done == [1]
        rest.get("/b", headers=HEADERS)
    assert done == [1]


def test_what_fails_meanwhile_is_no_failure_of_the_request(service: Service, slept: list[float]) -> None:
    def work() -> None:
        raise ConnectionResetError("the work's own")

    service.answers = [Answer(200, body=b"x")]
    answers = []
    with pytest.raises(ConnectionResetError, match="own"), meanwhile(work):
        answers.append(client(service.url).get("/a", headers=HEADERS))
    assert answers == [b"x"]
    assert (len(service.asked), slept) == (1, [])


@pytest.mark.parametrize("arrived", [False, True])
def test_what_was_done_while_the_answer_lay_there_was_no_waiting(arrived: bool) -> None:
    before = WAITED.seconds
    with meanwhile(lambda: None):
        before_an_answer(lambda: arrived)
        assert (WAITED.seconds < before) is arrived


def test_whether_the_answer_lies_there_is_asked_of_the_connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []
    monkeypatch.setattr(urllib3.util, "wait_for_read", lambda _, timeout=None: asked.append(timeout))
    service.answers = [Answer(200)] * 2
    rest = client(service.url)
    rest.get("/a", headers=HEADERS)
    assert 0 not in asked
    with meanwhile(lambda: None):
        rest.get("/b", headers=HEADERS)
    assert 0 in asked


def test_requests_are_told_apart_and_dated_as_http_dates_are(service: Service) -> None:
    service.answers = [Answer(200)] * 2
    rest = client(service.url)
    for _ in range(2):
        rest.get("/a", headers={"x-ms-date": http_date()})
    (one, other) = (headers for _, _, headers, _ in service.asked)
    assert one["x-ms-client-request-id"] != other["x-ms-client-request-id"]
    assert parsedate_to_datetime(one["x-ms-date"]).tzinfo is UTC
