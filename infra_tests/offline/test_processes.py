"""Everything that was started ends with us, and listens on the loopback interface only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra_tests.offline.endings import HOWEVER, nothing_is_left
from infra_tests.offline.tiny import Tiny
from offline import processes

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


@pytest.mark.parametrize("how", HOWEVER)
def test_however_we_end_nothing_is_left(how: str) -> None:
    assert nothing_is_left(PROGRAM, how, count=3), "server, emulator, function"


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


def test_children_have_a_core_that_nothing_else_of_ours_takes() -> None:
    wait = [sys.executable, "-c", "import threading, sys; threading.Thread(target=sys.stdin.read).start(); print(flush=True)"]
    before = os.sched_getaffinity(0)
    measured, beside = (
        processes.spawn(wait, env=dict(os.environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
    )
    try:
        for child in (measured, beside):
            assert child.stdout is not None
            child.stdout.readline()
        processes.on_one_core(measured.pid)
        (core,) = {core for cores in _cores(measured.pid) for core in cores}
        assert core in before
        if len(before) > 1:
            assert all(core not in cores for pid in (beside.pid, os.getpid()) for cores in _cores(pid))
    finally:
        processes._keep_on(before, os.getpid())
        processes.end(measured)
        processes.end(beside)


def _cores(pid: int) -> list[set[int]]:
    """On which cores each thread of a process may run."""
    return [os.sched_getaffinity(int(each.name)) for each in Path(f"/proc/{pid}/task").iterdir()]
