"""``make demo``: deploy to the embedded AWS, replay attacks, contain, undo; see it live and read it in one HTML report."""

from __future__ import annotations

import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from offline.aws.deployment import DeploymentFailed
from offline.aws.embedded import EmbeddedAws, ServerFailed
from offline.aws.emulator_binary import EmulatorUnavailable
from offline.aws.skipped import ResourcesMissing
from offline.operator_policy import arm
from offline.report.record import DemoRecord, Scene, SkippedResource
from offline.report.render import write
from offline.scenes import beaconing, break_glass, broken_records, guessing, ordinary, quarantine, stolen_credentials
from offline.scenes.stage import Stage
from offline.seed import seed
from offline.timeline import Timeline

#: Played in this order.
SCENES: tuple[Callable[[Stage], Scene], ...] = (
    quarantine.run,
    beaconing.run,
    stolen_credentials.run,
    guessing.run,
    break_glass.run,
    broken_records.run,
    ordinary.run,
)
REPORT = Path("demo-report.html")


def play(console: Console) -> DemoRecord:
    """Start, deploy, seed, play every scene, end; return the record."""
    versions = {name: version(name) for name in ("moto", "awslambdaric", "aws-cdk-lib", "boto3")}
    record = DemoRecord(datetime.now(UTC).isoformat(timespec="seconds"), platform.platform(), versions)
    began = time.monotonic()
    console.print("[bold]Starting[/] the embedded AWS")
    with EmbeddedAws.start() as aws:
        record.phases["start"] = time.monotonic() - began
        console.print("[bold]Deploying[/] the CDK app to the embedded AWS")
        record.phases["deploy"] = aws.deploy(say=lambda line: console.print(f"  [dim]{line}[/]"))
        record.stacks = _stacks(aws)
        record.skipped = _skipped(aws)
        began = time.monotonic()
        console.print("[bold]Seeding[/] an account: network, machines, roles; arming the policy")
        world = seed(aws)
        arm(aws)
        aws.drain()  # S3 announces every new notification with a test message
        record.phases["seed"] = time.monotonic() - began
        began = time.monotonic()
        stage = Stage(aws, world, Timeline(aws, console))
        record.scenes = [scene(stage) for scene in SCENES]
        record.phases["scenes"] = time.monotonic() - began
    return record


def main() -> int:
    """Run the demo; 0 when every scene came out as it must."""
    console = _console()
    try:
        record = play(console)
    except (DeploymentFailed, ResourcesMissing, ServerFailed, EmulatorUnavailable) as problem:
        console.print(str(problem), style="bold red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started has ended")
        return 130
    console.print(_summary(record))
    console.print(f"Report: {write(record, REPORT).resolve().as_uri()}")
    return int(any(scene.failed for scene in record.scenes))


def _console() -> Console:
    """A hundred columns suffice, and are there where nobody looks on; a narrower terminal keeps its width."""
    console = Console(highlight=False)
    return Console(highlight=False, width=min(console.width, 120) if console.is_terminal else 100)


def _stacks(aws: EmbeddedAws) -> dict[str, int]:
    """Number of resources of each stack."""
    cloud = aws.client("cloudformation")
    pages = cloud.get_paginator("describe_stacks").paginate()
    names = sorted(stack["StackName"] for page in pages for stack in page["Stacks"])
    return {name: len(cloud.describe_stack_resources(StackName=name)["StackResources"]) for name in names}


def _skipped(aws: EmbeddedAws) -> list[SkippedResource]:
    counted = Counter((each.type, each.reason) for each in aws.skipped)
    return [SkippedResource(kind, count, reason) for (kind, reason), count in sorted(counted.items())]


def _summary(record: DemoRecord) -> Table:
    table = Table(title="\nSummary", title_justify="left")
    table.add_column("scene", ratio=3)
    table.add_column("input", ratio=3)
    table.add_column("events", justify="right")
    table.add_column("highest score", justify="right")
    table.add_column("outcome", ratio=4)
    for scene in record.scenes:
        highest = f"{scene.highest.probability:.2f} ({scene.highest.threshold:.2f})" if scene.highest else "–"
        style = "bold red" if scene.failed else ""
        table.add_row(scene.title, str(scene.provenance), f"{scene.events:,}", highest, scene.outcome, style=style)
    table.caption = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in record.phases.items())
    return table


if __name__ == "__main__":
    sys.exit(main())
