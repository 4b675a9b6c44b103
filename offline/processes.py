"""Child processes that never outlive us, and what they listen on.

Every child is started from one thread that lives as long as the process: the kernel sends a child its parent-death
signal when the *thread* that forked it ends, and a request thread of a server ends soon.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

_BOUND = Path(__file__).with_name("bound.py")
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own that the kernel kills when this process ends, however it ends.

    Raises FileNotFoundError when the command is not on the ``PATH`` of ``env``.
    """
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        raise FileNotFoundError(f"{command[0]} is not on the path")

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_BOUND), str(os.getpid()), program, *command[1:]],
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    return _spawner.submit(start).result()


def children(pid: int) -> list[int]:
    """Direct children of a process; empty where it is gone."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            continue
    return found


def descendants(pid: int) -> list[int]:
    """Children, their children and so on."""
    found: list[int] = []
    pending = children(pid)
    while pending:
        current = pending.pop()
        found.append(current)
        pending += children(current)
    return found


def end(process: subprocess.Popen[bytes], *, grace_s: float = 0.0) -> None:
    """End a child and all below it: politely for ``grace_s`` seconds, then at once. Harmless when it is gone."""
    below = descendants(process.pid) if process.poll() is None else []
    if grace_s and process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    for pid in below:
        kill(pid)
    if process.poll() is None:
        process.kill()
    process.wait()


def kill(pid: int) -> None:
    """SIGKILL; harmless when the process is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def processor_s(pid: int) -> float:
    """Seconds of processor time of a process so far, user and system, all threads. Raises OSError when it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def on_one_core(*pids: int) -> None:
    """Give children the last of the cores that this process may use, and keep itself and all else below it off that core.

    Where there is one core only, all share it. Raises OSError when a child is gone.
    """
    cores = os.sched_getaffinity(0)
    core = {max(cores)}
    for pid in pids:
        _keep_on(core, pid)
    for other in {os.getpid(), *descendants(os.getpid())}.difference(pids, *map(descendants, pids)):
        with contextlib.suppress(OSError):  # it has ended
            _keep_on(cores - core or cores, other)


def _keep_on(cores: set[int], pid: int) -> None:
    """Keep a process, all of its threads, on these cores. Raises OSError when it is gone."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening_addresses(pids: Iterable[int]) -> set[tuple[str, int]]:
    """(address, port) of every TCP socket that those processes listen on, read from the kernel's own tables.

    Addresses are in the kernel's hexadecimal form turned into text: ``127.0.0.1``, ``0.0.0.0``, ``::``, ``::1``.
    """
    inodes: set[str] = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = str(descriptor.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found: set[tuple[str, int]] = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        if not path.exists():
            continue
        for line in path.read_text().splitlines()[1:]:
            local, state, inode = (line.split()[index] for index in (1, 3, 9))
            if state == "0A" and inode in inodes:
                address, port = local.split(":")
                found.add((_address(address), int(port, 16)))
    return found


def _address(text: str) -> str:
    # Each 32-bit word stands in host (little-endian) order.
    raw = b"".join(bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
