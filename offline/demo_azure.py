"""The demo's Azure half: the packaged Function app in the embedded Azure, a seeded subscription, the scenes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console

from azure_infra.packaging.folder import build
from azure_infra.packaging.targets import LOCAL
from offline.azure.embedded import ROOT, EmbeddedAzure
from offline.azure.estate import Estate
from offline.azure.followed import FollowedAzure
from offline.azure.operator import Operator
from offline.azure.page import SETTINGS as PAGE
from offline.report.record import DemoRecord, Scene
from offline.scenes.azure import (
    approval,
    audit,
    beaconing,
    break_glass,
    broken_records,
    crash,
    denied_address,
    dry_run,
    forged_undo,
    guessing,
    ordinary,
    quarantine,
    stolen_credentials,
)
from offline.scenes.azure.stage import AzureStage
from offline.timeline import Timeline

#: Played in this order.
SCENES: tuple[Callable[[AzureStage], Scene], ...] = (
    dry_run.run,
    quarantine.run,
    approval.run,
    crash.run,
    beaconing.run,
    denied_address.run,
    stolen_credentials.run,
    guessing.run,
    break_glass.run,
    broken_records.run,
    ordinary.run,
    audit.run,
    forged_undo.run,  # behind the auditor's: from here on the journal has an entry that does not verify
)
#: The machines that the scenes play with, each with signals of its own.
MACHINES = (
    *("web-1", "database-1", "web-3", "web-4", "web-6", "web-7", "web-8", "web-9", "web-10"),
    *("web-dry-run", "web-crash", "web-audit"),
)
#: More containments in a minute than the shipped budget allows in an hour.
_CONTAINMENTS_PER_HOUR = 500


def play(record: DemoRecord, console: Console) -> None:
    """Package, start, seed, play every scene, end; into the record."""
    began = time.monotonic()
    console.print("\n[bold]Packaging[/] the Function app for this machine")
    app = build(LOCAL, ROOT).path
    record.phases["Azure package"] = time.monotonic() - began
    began = time.monotonic()
    console.print("[bold]Starting[/] the embedded Azure: storage, Resource Manager, Graph, Functions")
    with (
        tempfile.TemporaryDirectory(prefix="breakwater-azure-") as folder,
        EmbeddedAzure.start(Path(folder), app=app, settings=PAGE) as azure,
    ):
        record.phases["Azure start"] = time.monotonic() - began
        began = time.monotonic()
        console.print(
            "[bold]Seeding[/] a subscription: network, machines, people; granting the templates' roles; arming the policy"
        )
        stage = make_stage(azure, console)
        record.phases["Azure seed"] = time.monotonic() - began
        began = time.monotonic()
        for play_scene in SCENES:  # a counterpart on the other cloud is in a module of the same name
            scene = play_scene(stage)
            scene.pair = play_scene.__module__.rpartition(".")[2]
            record.scenes.append(scene)
        record.phases["Azure scenes"] = time.monotonic() - began


def make_stage(azure: EmbeddedAzure, console: Console, *, more_machines: Iterable[str] = ()) -> AzureStage:
    """Seed the subscription and arm what the templates and the policy leave unarmed."""
    estate, operator = Estate(azure.services, (*MACHINES, *more_machines)), Operator(azure)
    azure.services.grant_deployed(armed=True, protected=(azure.services.world.break_glass,))
    put_policy(operator, azure)
    return AzureStage(azure, estate, Timeline(FollowedAzure(azure), console), operator)


def put_policy(operator: Operator, azure: EmbeddedAzure) -> None:
    """Put the policy in place that every scene is played under."""
    protected = (azure.services.world.break_glass,)
    operator.arm(asks=(approval.ACTION,), never_touch=protected, containments_per_hour=_CONTAINMENTS_PER_HOUR)
