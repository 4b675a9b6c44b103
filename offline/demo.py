"""``make demo``: set up both embedded clouds, replay attacks, contain, undo; see it live and read it in one HTML report."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from offline import demo_aws, demo_azure
from offline.aws.deployment import DeploymentFailed
from offline.aws.embedded import ServerFailed
from offline.aws.emulator_binary import EmulatorUnavailable
from offline.aws.skipped import ResourcesMissing
from offline.azure.azurite import AzuriteFailed
from offline.azure.functions_host.worker_process import WorkerFailed
from offline.report.record import DemoRecord
from offline.report.render import write

REPORT = Path("demo-report.html")
_VERSIONS = ("moto", "awslambdaric", "aws-cdk-lib", "boto3", "azure-functions", "azure-mgmt-network")


def play(console: Console) -> DemoRecord:
    """Play every scene on either cloud; return the record."""
    versions = {name: version(name) for name in _VERSIONS}
    record = DemoRecord(datetime.now(UTC).isoformat(timespec="seconds"), platform.platform(), versions)
    demo_aws.play(record, console)
    demo_azure.play(record, console)
    return record


def main() -> int:
    """Run the demo; 0 when every scene came out as it must."""
    console = _console()
    try:
        record = play(console)
    except (DeploymentFailed, ResourcesMissing, ServerFailed, EmulatorUnavailable, AzuriteFailed, WorkerFailed) as problem:
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


def _summary(record: DemoRecord) -> Table:
    table = Table(title="\nSummary", title_justify="left")
    table.add_column("cloud")
    table.add_column("scene", ratio=3)
    table.add_column("input", ratio=3)
    table.add_column("events", justify="right")
    table.add_column("highest score", justify="right")
    table.add_column("outcome", ratio=4)
    for number, scene in enumerate(record.scenes):
        highest = f"{scene.highest.probability:.2f} ({scene.highest.threshold:.2f})" if scene.highest else "–"
        style = "bold red" if scene.failed else ""
        last = number + 1 == len(record.scenes) or record.scenes[number + 1].cloud is not scene.cloud
        cells = (scene.cloud, scene.title, str(scene.provenance), f"{scene.events:,}", highest, scene.outcome)
        table.add_row(*cells, style=style, end_section=last)
    table.caption = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in record.phases.items())
    return table


if __name__ == "__main__":
    sys.exit(main())
