"""Peak memory of detecting on a flow-log blob of 1 GB that nobody has read before: ``python -m benchmarks.large_flow_blob``

The real storage SDK reads ranges over HTTP from a loopback server that makes them up, so that the blob is nowhere as a whole. A
process of its own detects (blob, JSON, flows, model, verdicts), and its largest resident size counts.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from azure.storage.blob import BlobServiceClient

from benchmarks import machine
from benchmarks.flow_tuples import make_blob
from benchmarks.stages import DETECTOR, peak_so_far
from benchmarks.vnet_flow_path import OneRow, run
from shared_model.collector import look_seldom
from shared_model.detector import Detector

_HEAD, _END = b'{"records":[', b"]}"
_SIZES = (1 << 26, 1 << 28, 1 << 30)
_TUPLES = 100_000


class RepeatedBlob:
    """A flow log of any size: the same records again and again, made up where they are asked for.

    Parameters
    ----------
    blob : bytes
        A flow log without white space around its records.
    size : int
        Bytes that it has at least.
    """

    def __init__(self, blob: bytes, size: int) -> None:
        self._unit = blob.removeprefix(_HEAD).removesuffix(_END) + b","
        self.size = len(_HEAD) + -(-size // len(self._unit)) * len(self._unit) - 1 + len(_END)

    def read(self, start: int, end: int) -> bytes:
        """Return its bytes from start to before end."""
        first, last = len(_HEAD), self.size - len(_END)
        begin = max(start, first) - first
        length = max(0, min(end, last) - first - begin)
        skipped = begin % len(self._unit)
        records = memoryview(self._unit * -(-(skipped + length) // len(self._unit)))[skipped : skipped + length]
        return b"".join((_HEAD[start:end], records, _END[max(0, start - last) : max(0, end - last)]))


class _SdkStorage(OneRow):
    """The blob as the real SDK reads it from a server; its row of progress in memory."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._blobs = BlobServiceClient(f"http://127.0.0.1:{port}/account")

    def __call__(self, service: str, group: str, **_: str) -> Any:
        return self._blobs if service == "flow_blobs" else self


@contextmanager
def served(blob: RepeatedBlob) -> Iterator[int]:
    """Serve its properties and ranges, as Blob Storage does, on the port that is returned."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(200, {"Content-Length": str(blob.size)})

        def do_GET(self) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["x-ms-range"])
            if asked is None:
                raise ValueError(f"the SDK asked for {self.headers['x-ms-range']!r}")
            start, end = int(asked[1]), min(int(asked[2]) + 1, blob.size)
            content_range = f"bytes {start}-{end - 1}/{blob.size}"
            self._answer(206, {"Content-Length": str(end - start), "Content-Range": content_range})
            self.wfile.write(blob.read(start, end))

        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            last_modified = "Mon, 21 Sep 2026 13:33:20 GMT"
            for name, value in {"ETag": '"1"', "Last-Modified": last_modified, "x-ms-blob-type": "AppendBlob", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    port = parser.parse_args().port
    if port:
        look_seldom()  # as every function does
        detector, before = Detector.load(DETECTOR), peak_so_far()
        done = run(_SdkStorage(port), detector, remembering=False)  # entities grow with the traffic, but in a table of the cloud
        print(f"{done.records:,} tuples: {peak_so_far():.0f} MB at most, of which {before:.0f} MB before reading it")
        return
    print(machine.describe())
    records = make_blob(_TUPLES, per_group=600)
    for size in _SIZES:
        with served(RepeatedBlob(records, size)) as serving:
            command = [sys.executable, "-m", "benchmarks.large_flow_blob", "--port", str(serving)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(f"blob of {size >> 20} MiB, {done}", end="", flush=True)


if __name__ == "__main__":
    main()
