"""How long a worker takes at its end of the wire: from an invocation's first byte to the last one of its answer.

A process of its own stands between the Functions host and its worker and passes on what they say. So nothing of the embedded
host's own work is in the time, which on Azure another program does (docs/decisions/145): the clock starts when a request is
handed to the worker's socket, and stops when the kernel has received the answer from it.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Self

from offline import processes

#: ``SO_TIMESTAMPNS``, which the module does not name: the kernel says of what was received when that was.
_STAMPED = 35
_STAMP = struct.Struct("@qq")
_AT_ONCE = 1 << 20
#: An invocation's id is a UUID in text.
_ID_LENGTH = 36
_LOOPBACK = "127.0.0.1"
_ROOT = Path(__file__).resolve().parents[1]


class Wire:
    """Passes on what host and worker say, and knows when. Use :meth:`tap`."""

    def __init__(self, ask: IO[bytes], answers: IO[bytes]) -> None:
        self._to, self._from = ask, answers

    @classmethod
    @contextmanager
    def tap(cls) -> Iterator[Self]:
        """Start the process; end it with the block."""
        command = [sys.executable, "-m", "benchmarks.wire"]
        process = processes.spawn(command, env=dict(os.environ), cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            if process.stdin is None or process.stdout is None:
                raise OSError("the process has no pipes")
            yield cls(process.stdin, process.stdout)
        finally:
            processes.end(process)

    def way(self, port: int) -> int:
        """Return the port that leads to a host's: for :class:`offline.azure.functions_host.worker_process.WorkerProcess`."""
        return int(self._asked(f"to {port}"))

    def took_ms(self, invocation_id: str) -> float:
        """Milliseconds from an invocation's request to its answer, which has arrived. Raises ValueError for one not seen."""
        return int(self._asked(f"took {invocation_id}")) / 1e6

    def _asked(self, question: str) -> str:
        self._to.write(f"{question}\n".encode())
        self._to.flush()
        return self._from.readline().decode().strip()


class _Passed:
    """What went by lately, each way: parts of it, with the nanosecond of the epoch."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, bytes]] = []
        self.answers: list[tuple[int, bytes]] = []

    def took(self, invocation_id: bytes) -> str:
        """Nanoseconds between the first part that names it on the way there and the last one on the way back."""
        there, back = (_naming(parts, invocation_id) for parts in (self.requests, self.answers))
        self.requests, self.answers = self.requests[-1:], self.answers[-1:]
        return str(back[-1] - there[0]) if there and back else ""


def _naming(parts: list[tuple[int, bytes]], invocation_id: bytes) -> list[int]:
    """When each part passed that ends the id, wherever it was cut."""
    found, tail = [], b""
    for at, data in parts:
        if invocation_id in tail + data:
            found.append(at)
        tail = (tail + data)[1 - _ID_LENGTH :]
    return found


def _pass_on(source: socket.socket, target: socket.socket, parts: list[tuple[int, bytes]], *, stamped: bool) -> bool:
    """Pass on what has arrived; False where nothing more will."""
    try:
        data, ancillary, _, _ = source.recvmsg(_AT_ONCE, 64)
    except OSError:
        data, ancillary = b"", []
    if not data:
        return False
    at = time.time_ns()
    for level, kind, content in ancillary if stamped else ():
        if (level, kind) == (socket.SOL_SOCKET, _STAMPED):
            seconds, nanoseconds = _STAMP.unpack_from(content)
            at = seconds * 1_000_000_000 + nanoseconds
    parts.append((at, data))
    target.sendall(data)
    return True


def serve() -> None:
    """Listen, pass on and answer until standard input ends."""
    waiting, passed = selectors.DefaultSelector(), _Passed()

    def answer() -> None:
        verb, _, what = sys.stdin.readline().strip().partition(" ")
        if not verb:
            raise EOFError
        print(listen(int(what)) if verb == "to" else passed.took(what.encode()), flush=True)

    def listen(port: int) -> int:
        listener = socket.create_server((_LOOPBACK, 0))
        waiting.register(listener, selectors.EVENT_READ, partial(connect, listener, port))
        return int(listener.getsockname()[1])

    def connect(listener: socket.socket, port: int) -> None:
        worker, _ = listener.accept()
        host = socket.create_connection((_LOOPBACK, port))
        for end in (worker, host):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        worker.setsockopt(socket.SOL_SOCKET, _STAMPED, 1)
        waiting.register(host, selectors.EVENT_READ, partial(pass_on, host, worker, back=False))
        waiting.register(worker, selectors.EVENT_READ, partial(pass_on, worker, host, back=True))

    def pass_on(source: socket.socket, target: socket.socket, *, back: bool) -> None:
        if not _pass_on(source, target, passed.answers if back else passed.requests, stamped=back):
            for end in (source, target):
                if end in waiting.get_map():
                    waiting.unregister(end)
                end.close()

    waiting.register(sys.stdin, selectors.EVENT_READ, answer)
    while True:
        for key, _ in waiting.select():
            try:
                key.data()
            except EOFError:
                return


if __name__ == "__main__":
    serve()
