"""A small threaded JSON server on loopback, over TLS or plain: what every local Azure endpoint here is served with."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import sys
import threading
import traceback
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

EMPTY: Final = object()
"""The body of an answer without one. ``None`` is JSON's ``null``, which the platform sends too."""

HUNG_UP: Final = 0
"""The status of an answer that never comes: the connection is closed instead."""


_IDLE_S = 60
"""Seconds after which a silent connection is closed."""


class BadBody(ValueError):
    """A request's body is not what its headers say it is."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the services see it: names of headers and query parameters are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body's JSON, unpacked when it was sent compressed; ``None`` where there is no body.

        Raises
        ------
        BadBody
            When it is not what Content-Encoding and Content-Type say.
        """
        if not self.body:
            return None
        try:
            raw = gzip.decompress(self.body) if self.headers.get("content-encoding", "").lower() == "gzip" else self.body
            return json.loads(raw)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise BadBody(f"the body is no JSON: {error}") from error

    def object(self) -> dict[str, Any]:
        """The body's JSON object; empty where there is no body.

        Raises
        ------
        BadBody
            When it is something else.
        """
        return member({"the body": self.json()}, "the body")


def member(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object that ``body[name]`` is; empty where it is not there.

    Raises
    ------
    BadBody
        When it is something else.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadBody(f"{name} must be an object, not {value!r}")
    return value or {}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: ``body`` is turned into JSON, bytes are sent as they are; :data:`EMPTY` sends none.

    ``reason`` stands for HTTP's own word for the status.
    """

    status: int
    body: object = EMPTY
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None


Answerer = Callable[[Request], Answer]


class WebService:
    """A server on a free port of 127.0.0.1 that hands every request to one function, each in a thread of its own.

    Parameters
    ----------
    answer
        Called from many threads at once. An exception of it is printed and answered with 500.
    tls
        The server's side of TLS; without it plain http (which only the managed-identity endpoint speaks).
    """

    def __init__(self, answer: Answerer, tls: ssl.SSLContext | None = None) -> None:
        self._server = _Server(("127.0.0.1", 0), _handler(answer), tls)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Harmless when it is closed already."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread: a client that stalls in it must not hold up the others."""
        if self._tls:
            request.settimeout(_IDLE_S)
            request = self._tls.wrap_socket(request, server_side=True)
        with self._lock:
            self._open.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)

    def hang_up(self) -> None:
        """Close the connections that clients keep open: what is closed must not answer any more."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off is its own business; anything else is ours and must be seen."""
        if not isinstance(sys.exception(), (OSError, ValueError)):
            traceback.print_exc()


def _handler(answer: Answerer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                method=self.command,
                path=unquote(parts.path).rstrip("/"),
                query={name.lower(): values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()},
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            )
            try:
                reply = answer(request)
            except Exception:  # noqa: BLE001 - a defect of ours must reach the caller as 500 and not as a hanging connection
                traceback.print_exc()
                reply = Answer(
                    500, {"error": {"code": "InternalServerError", "message": "The local service failed: see its log."}}
                )
            if reply.status == HUNG_UP:
                self.close_connection = True
                return
            raw = reply.body if isinstance(reply.body, bytes) else b"" if reply.body is EMPTY else json.dumps(reply.body).encode()
            self.send_response(reply.status, reply.reason)
            for name, value in {"x-ms-request-id": str(uuid4()), **reply.headers}.items():
                self.send_header(name, value)
            if raw and "Content-Type" not in reply.headers:
                self.send_header("Content-Type", "application/json; charset=utf-8")
            if reply.status != 204:
                self.send_header("Content-Length", str(len(raw)))
            self.send_header("Cache-Control", "no-cache")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(raw)

        do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            """Silent: the services keep a log of calls of their own."""

    return Handler
