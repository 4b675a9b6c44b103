"""The process between the Functions host and its worker: passes everything on, and knows how long the worker took."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator

import pytest

from benchmarks.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire.tap() as tapped:
        yield tapped


def _connected(wire: Wire) -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = socket.create_connection(("127.0.0.1", wire.way(listener.getsockname()[1])))
        host, _ = listener.accept()
    return host, worker


def _read(end: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += end.recv(count - len(data))
    return data


def test_what_is_said_arrives_as_it_was_said(wire):
    host, worker = _connected(wire)
    with host, worker:
        for source, target in ((host, worker), (worker, host)):
            said = uuid.uuid4().bytes * 20_000
            source.sendall(said)
            assert _read(target, len(said)) == said


def test_the_time_is_all_that_the_worker_takes_and_nothing_of_the_hosts(wire):
    host, worker = _connected(wire)
    name = str(uuid.uuid4())
    request, line, answer = f"call {name}".encode(), f"log {name}".encode(), f"done {name}".encode()
    with host, worker:
        asked = time.time_ns()
        host.sendall(request)
        _read(worker, len(request))
        began = time.time_ns()
        worker.sendall(line)
        _read(host, len(line))
        ended = time.time_ns()
        worker.sendall(answer)
        _read(host, len(answer))
        heard = time.time_ns()
        assert (ended - began) / 1e6 < wire.took_ms(name) < (heard - asked) / 1e6


def test_an_id_is_found_where_it_was_cut_in_two(wire):
    host, worker = _connected(wire)
    name = str(uuid.uuid4()).encode()
    with host, worker:
        for part in (name[:20], name[20:]):
            host.sendall(part)
            _read(worker, len(part))
            worker.sendall(part)
            _read(host, len(part))
        assert wire.took_ms(name.decode()) > 0


def test_what_did_not_pass_has_no_time(wire):
    host, worker = _connected(wire)
    with host, worker:
        host.sendall(b"something else")
        _read(worker, 14)
        with pytest.raises(ValueError, match="invalid literal"):
            wire.took_ms(str(uuid.uuid4()))


def test_a_worker_that_is_gone_leaves_the_way_free_for_the_next(wire):
    for _ in range(2):
        host, worker = _connected(wire)
        with host:
            worker.close()
            assert host.recv(1) == b""
