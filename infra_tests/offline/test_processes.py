"""Everything that was started ends with us, and listens on the loopback interface only."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra_tests.offline.tiny import Tiny
from offline import processes

ROOT = Path(__file__).resolve().parents[2]
#: Starts an embedded AWS with one warm function, says which processes there are, and waits or fails.
PROGRAM = """
import json, signal, sys
from infra_tests.offline.tiny import Tiny, deploy_tiny
from offline.aws.embedded import EmbeddedAws
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background has it ignored
with EmbeddedAws.start() as aws:
    deploy_tiny(aws).invoke({})
    print(json.dumps(aws.pids()), flush=True)
    line = sys.stdin.readline()
    if line == "fail\\n":
        raise RuntimeError("as asked")
"""


def _started() -> tuple[subprocess.Popen[str], list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().strip("[]\n").split(",")]
    assert len(pids) == 3, "server, emulator, function"
    return process, pids


def _await_end(descriptors: list[int]) -> bool:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    left = set(descriptors)
    while left:
        ended = poll.poll(20_000)
        if not ended:
            return False
        for descriptor, _ in ended:
            poll.unregister(descriptor)
            left.discard(descriptor)
    return True


@pytest.mark.parametrize("how", ["leave", "fail", "SIGINT", "SIGTERM", "SIGKILL"])
def test_however_we_end_nothing_is_left(how: str) -> None:
    process, pids = _started()
    watched = [os.pidfd_open(pid) for pid in pids]
    try:
        assert process.stdin is not None
        if how in ("leave", "fail"):
            process.stdin.write(f"{how}\n")
            process.stdin.flush()
        else:
            process.send_signal(getattr(signal, how))
        process.wait(30)
        assert _await_end(watched)
    finally:
        for descriptor in watched:
            os.close(descriptor)
        for pid in pids:
            processes.kill(pid)
        process.stdin.close()
        process.stdout.close()


def test_server_emulator_and_function_listen_on_loopback_only(tiny: Tiny) -> None:
    tiny.invoke({})
    addresses = processes.listening_addresses(tiny.aws.pids())
    assert len(addresses) >= 3, "server, invocation port, runtime port"
    assert {address for address, _ in addresses} == {"127.0.0.1"}


def test_listening_addresses_tells_all_interfaces_from_loopback() -> None:
    with processes.socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ("127.0.0.1", port) in processes.listening_addresses([os.getpid()])
    assert processes._address("00000000") == "0.0.0.0"
    assert processes._address("0100007F") == "127.0.0.1"
    assert processes._address("00000000000000000000000001000000") == "::1"
