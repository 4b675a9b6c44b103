"""A small HTTP server on the loopback interface, for as long as a block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLContext


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; ``url`` begins with ``https://`` and the host that the client named, whatever it was sent over."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def text(self) -> str:
        """The body, as UTF-8."""
        return self.body.decode()

    def header(self, name: str) -> str:
        """The first header of that name, ``""`` where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


@contextmanager
def served(answer: Callable[[Asked], Answer], context: SSLContext | None = None) -> Iterator[int]:
    """Serve on 127.0.0.1, over TLS where there is a context; yields the port."""
    from werkzeug.serving import WSGIRequestHandler, make_server
    from werkzeug.wrappers import Request, Response

    @Request.application
    def application(request: Request) -> Response:
        query = request.query_string.decode()
        url = f"https://{request.host}{request.path}{'?' if query else ''}{query}"
        given = answer(Asked(request.method, url, dict(request.headers), request.get_data()))
        return Response(given.body, given.status, list(given.headers))

    quiet = type("Quiet", (WSGIRequestHandler,), {"log_request": lambda *args: None})
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=quiet, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
