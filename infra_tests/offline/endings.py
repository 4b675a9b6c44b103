"""However a program ends that started processes: they end with it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from offline import processes

ROOT = Path(__file__).resolve().parents[2]
#: What a program is told, or the signal that ends it.
HOWEVER = ("leave", "fail", "SIGINT", "SIGTERM", "SIGKILL")


def nothing_is_left(program: str, how: str, *, count: int = 1) -> bool:
    """Run a program that prints its processes' ids as JSON and reads a line; end it so, and say whether all of them ended.

    Parameters
    ----------
    program : str
        Python. On the line ``fail`` it raises, on any other it ends.
    how : str
        One of :data:`HOWEVER`.
    count : int
        Of processes there are at least so many.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    pids: list[int] = json.loads(process.stdout.readline())
    assert len(pids) >= count
    watched = [os.pidfd_open(pid) for pid in pids]
    try:
        if how in ("leave", "fail"):
            process.stdin.write(f"{how}\n")
            process.stdin.flush()
        else:
            process.send_signal(getattr(signal, how))
        process.wait(30)
        return _all_end(watched)
    finally:
        for descriptor in watched:
            os.close(descriptor)
        for pid in (process.pid, *pids):
            processes.kill(pid)
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _all_end(descriptors: list[int]) -> bool:
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
