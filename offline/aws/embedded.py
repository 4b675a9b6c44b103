"""The embedded AWS, started and ended with one ``with`` block.

Example
-------
>>> with EmbeddedAws.start() as aws:               # doctest: +SKIP
...     aws.deploy()
...     aws.put_event({"source": "aws.guardduty", "detail-type": "GuardDuty Finding", "detail": finding})
...     aws.drain()
...     aws.logs("respond")
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from offline import processes
from offline.aws import deployment, skipped
from offline.aws.boto_queues import BotoQueues
from offline.aws.calls import Call, Fault
from offline.aws.control import Control
from offline.aws.event_source import Mapped
from offline.aws.poller import Delivery, Poller
from offline.aws.schedules import fire_schedules

ACCOUNT = "123456789012"
REGION = "us-east-1"
_START_SECONDS = 180.0  # a machine that does much else beside takes more than a minute to import everything


class ServerFailed(Exception):
    """The embedded AWS did not start. Carries the end of its log."""


class EmbeddedAws:
    """A running embedded AWS: clients of its services, the poller, logs, recorded calls and faults.

    Use :meth:`start`; attributes are read-only.

    Attributes
    ----------
    endpoint : str
        ``http://localhost:<port>``, for ``AWS_ENDPOINT_URL``.
    control : Control
        Clock, faults, recorded calls.
    folder : Path
        Of this run; gone afterwards.
    skipped : tuple of Skipped
        What the last deployment asked for and the embedded AWS does not make, each with its reason.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
        self.process = process
        self.endpoint = f"http://localhost:{port}"
        self.control = Control(f"http://127.0.0.1:{port}")
        self.folder = folder
        self.skipped: tuple[skipped.Skipped, ...] = ()
        self._clients: dict[tuple[str, str], Any] = {}
        self._outputs: dict[str, str] = {}
        self._function_names: dict[str, str] = {}
        self._lock = threading.Lock()
        self._watchers: list[Callable[[Delivery], None]] = []
        self.poller = Poller(
            BotoQueues(self.client, self.control), self._invoke, self.mappings, region=REGION, watch=self._delivered
        )

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Self]:
        """Start the server; end it and every function's sandbox with the block, however the block ends.

        Raises
        ------
        ServerFailed
            The server ended or said nothing within a minute.
        """
        with tempfile.TemporaryDirectory(prefix="breakwater-aws-") as name:
            folder = Path(name)
            log = folder / "server.log"
            environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MOTO_"))}
            with log.open("wb") as sink:
                process = processes.spawn(
                    [sys.executable, "-m", "offline.aws.server", str(folder)],
                    env=environment,
                    cwd=Path(__file__).resolve().parents[2],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=sink,
                )
            try:
                yield cls(process, _port_of(process, log), folder)
            finally:
                if process.stdin:
                    process.stdin.close()  # it ends by itself, sandboxes first
                processes.end(process, grace_s=10)
                if process.stdout:
                    process.stdout.close()

    def deploy(self, say: Callable[[str], None] = print) -> float:
        """Deploy Breakwater with the CDK's own command line; return the seconds it took.

        Raises
        ------
        DeploymentFailed
            A step failed; its output is in the message.
        ResourcesMissing
            A resource was left out that is not on the list in :mod:`offline.aws.skipped`.
        """
        scratch = self.folder / "bootstrap"
        scratch.mkdir(exist_ok=True)
        seconds = deployment.deploy(self.environment(), account=ACCOUNT, region=REGION, scratch=scratch, say=say)
        self._outputs, self._function_names = {}, {}
        self.skipped = tuple(skipped.check(self.client("cloudformation")))
        return seconds

    def outputs(self) -> dict[str, str]:
        """Outputs of all stacks, by key."""
        if not self._outputs:
            pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
            stacks = [stack for page in pages for stack in page["Stacks"]]
            self._outputs = {
                output["OutputKey"]: output["OutputValue"] for stack in stacks for output in stack.get("Outputs", ())
            }
        return dict(self._outputs)

    # --- AWS -------------------------------------------------------------------------------------------------

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of the embedded AWS, as an operator of the account; one per service, safe between threads."""
        import boto3

        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = boto3.session.Session().client(
                    service,
                    region_name=region,
                    endpoint_url=self.endpoint.replace("localhost", "127.0.0.1"),
                    **self.credentials(),
                )
            return self._clients[service, region]

    @staticmethod
    def credentials() -> dict[str, str]:
        """Keyword arguments of a boto3 client: the operator's made-up keys."""
        return {"aws_access_key_id": "AKIAEMBEDDEDOPERATOR", "aws_secret_access_key": "embedded"}

    def environment(self) -> dict[str, str]:
        """Environment in which an AWS tool talks to the embedded AWS and to nothing else."""
        keys = self.credentials()
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "CDK_"))},
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DEFAULT_ACCOUNT": ACCOUNT,
            "CDK_DEFAULT_REGION": REGION,
        }

    def put_event(self, event: Mapping[str, Any]) -> str:
        """Put one event, given as EventBridge delivers it (``source``, ``detail-type``, ``detail``); return its id.

        The bus gives it an id and the present time of its own, unless ``time`` (ISO 8601) says another.
        """
        entry: dict[str, Any] = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": list(event.get("resources", ())),
        }
        if "time" in event:
            entry["Time"] = datetime.fromisoformat(event["time"])
        entry = self.client("events").put_events(Entries=[entry])["Entries"][0]
        if "EventId" not in entry:
            raise ValueError(f"the event was not taken: {entry}")
        return str(entry["EventId"])

    def tick(self) -> list[str]:
        """Do what every enabled schedule would do now; return the names of the rules that fired."""
        return fire_schedules(self.client("events"), self.client("sqs"), account=ACCOUNT, region=REGION)

    # --- functions and queues --------------------------------------------------------------------------------

    def mappings(self) -> list[Mapped]:
        """Event source mappings of SQS queues, as deployed and enabled."""
        pages = self.client("lambda").get_paginator("list_event_source_mappings").paginate()
        found = [mapping for page in pages for mapping in page["EventSourceMappings"]]
        return [
            Mapped.from_api(mapping)
            for mapping in found
            if ":sqs:" in mapping["EventSourceArn"] and mapping.get("State") == "Enabled"
        ]

    def drain(self, *, within_s: float = 24 * 3600.0, watch: Callable[[Delivery], None] | None = None) -> list[Delivery]:
        """Deliver until every function's queue is empty, without waiting (see :meth:`Poller.drain`).

        ``watch`` sees every delivery as it is done.
        """
        with self._watching(watch):
            return self.poller.drain(within_s=within_s)

    @contextmanager
    def live(self, watch: Callable[[Delivery], None] | None = None) -> Iterator[None]:
        """Deliver in real time while the block runs; ``watch`` sees every delivery, from other threads."""
        with self._watching(watch), self.poller.live():
            yield

    def function_name(self, name: str) -> str:
        """Deployed name of a function given its name in ``lambdas/registry.py``.

        Raises LookupError when none or several match.
        """
        if name in self._function_names:
            return self._function_names[name]
        wanted = name.replace("_", "").replace("-", "").lower()
        pages = self.client("lambda").get_paginator("list_functions").paginate()
        names = [str(function["FunctionName"]) for page in pages for function in page["Functions"]]
        found = [each for each in names if wanted in each.replace("_", "").replace("-", "").lower()]
        if len(found) != 1:
            raise LookupError(f"{len(found)} deployed functions match {name!r} (of {', '.join(names) or 'none'})")
        self._function_names[name] = found[0]
        return found[0]

    def log_lines(self, function: str) -> list[str]:
        """Everything that a function printed, with the platform's START, END and REPORT lines, oldest first."""
        name = self.function_name(function)
        logs = self.client("logs")
        groups = [
            group["logGroupName"]
            for page in logs.get_paginator("describe_log_groups").paginate()
            for group in page["logGroups"]
            if name in group["logGroupName"] or function in group["logGroupName"].replace("-", "_")
        ]
        lines: list[str] = []
        for group in groups:
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                lines += [event["message"] for event in page["events"]]
        return lines

    def logs(self, function: str) -> list[dict[str, Any]]:
        """Structured log entries (JSON objects, EMF metrics among them) of a function, oldest first."""
        entries = []
        for line in self.log_lines(function):
            if line.startswith("{"):
                try:
                    entries.append(json.loads(line))
                except ValueError:
                    continue
        return entries

    def dead_letters(self, queue: str) -> list[dict[str, Any]]:
        """Messages in the dead-letter queue of a queue (logical name), with attributes; they stay there."""
        urls = self.client("sqs").list_queues().get("QueueUrls", [])
        names = [url.rsplit("/", 1)[-1] for url in urls]
        wanted = [name for name in names if "dead" in name.lower() and queue in name]
        if len(wanted) != 1:
            raise LookupError(f"{len(wanted)} dead-letter queues match {queue!r} (of {', '.join(names)})")
        return BotoQueues(self.client, self.control).peek(wanted[0])

    # --- what was called, and what goes wrong ----------------------------------------------------------------

    def calls(self, function: str = "", *, since: int = 0) -> list[Call]:
        """Calls that a function's sandboxes made; of all functions by default."""
        name = self.function_name(function) if function else ""
        return [call for call in self.control.calls(since)[1] if call.function and name in ("", call.function)]

    def kill_at(self, function: str, action: str, *, contains: str = "", when: str = "after") -> None:
        """Kill the function's process at its next such call (see :class:`~offline.aws.calls.Fault`)."""
        self.control.arm(Fault(self.function_name(function), action, contains, when))

    def pids(self) -> list[int]:
        """The server and everything below it."""
        return [self.process.pid, *processes.descendants(self.process.pid)]

    # --- inside ----------------------------------------------------------------------------------------------

    def _invoke(self, function_arn: str, event: dict[str, Any]) -> tuple[bool, bytes]:
        answer = self.client("lambda").invoke(FunctionName=function_arn, Payload=json.dumps(event))
        return "FunctionError" in answer, answer["Payload"].read()

    @contextmanager
    def _watching(self, watch: Callable[[Delivery], None] | None) -> Iterator[None]:
        if watch is None:
            yield
            return
        self._watchers.append(watch)
        try:
            yield
        finally:
            self._watchers.remove(watch)

    def _delivered(self, delivery: Delivery) -> None:
        for watch in self._watchers:
            watch(delivery)


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
    line = process.stdout.readline().strip() if ready else b""
    if not line.isdigit():
        processes.end(process)
        raise ServerFailed(f"the embedded AWS did not start: {log.read_text(errors='replace')[-2000:]}")
    return int(line)
