"""The demo's AWS half: deploy with the CDK to the embedded AWS, seed an account, play the scenes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console

from offline.aws.embedded import EmbeddedAws
from offline.aws.followed import FollowedAws
from offline.operator_policy import arm
from offline.report.record import DemoRecord, Scene, SkippedResource
from offline.scenes import (
    approval,
    audit,
    beaconing,
    break_glass,
    broken_records,
    burst,
    crash,
    dry_run,
    forged_undo,
    guessing,
    ordinary,
    quarantine,
    stolen_credentials,
)
from offline.scenes.stage import Stage
from offline.seed import seed
from offline.timeline import Timeline

#: More than all scenes together contain: the budget has a scene of its own.
_AN_HOUR = 50
#: Played in this order.
SCENES: tuple[Callable[[Stage], Scene], ...] = (
    dry_run.run,
    approval.run,
    quarantine.run,
    crash.run,
    beaconing.run,
    stolen_credentials.run,
    guessing.run,
    break_glass.run,
    broken_records.run,
    burst.run,
    ordinary.run,
    audit.run,
    forged_undo.run,  # behind the auditor's: from here on the journal has an entry that does not verify
)

#: Of what is one and the same code on either cloud, and too long to be shown twice: contracts and histories hold it to both.
OF_THE_CORE: tuple[Callable[[Stage], Scene], ...] = (burst.run,)


def play(record: DemoRecord, console: Console) -> None:
    """Start, deploy, seed, play every scene, end; into the record."""
    began = time.monotonic()
    console.print("[bold]Starting[/] the embedded AWS")
    with EmbeddedAws.start() as aws:
        record.phases["AWS start"] = time.monotonic() - began
        console.print("[bold]Deploying[/] the CDK app to the embedded AWS")
        record.phases["AWS deploy"] = aws.deploy(say=lambda line: console.print(f"  [dim]{line}[/]"))
        record.stacks = _stacks(aws)
        record.skipped = _skipped(aws)
        began = time.monotonic()
        console.print("[bold]Seeding[/] an account: network, machines, roles; arming the policy")
        world = seed(aws)
        arm(aws, containments_per_hour=_AN_HOUR)
        aws.drain()  # S3 announces every new notification with a test message
        record.phases["AWS seed"] = time.monotonic() - began
        began = time.monotonic()
        stage = Stage(aws, world, Timeline(FollowedAws(aws), console))
        for play_scene in SCENES:  # a counterpart on the other cloud is in a module of the same name
            scene = play_scene(stage)
            scene.pair = play_scene.__module__.rpartition(".")[2]
            record.scenes.append(scene)
        record.phases["AWS scenes"] = time.monotonic() - began


def _stacks(aws: EmbeddedAws) -> dict[str, int]:
    """Number of resources of each stack."""
    cloud = aws.client("cloudformation")
    pages = cloud.get_paginator("describe_stacks").paginate()
    names = sorted(stack["StackName"] for page in pages for stack in page["Stacks"])
    return {name: len(cloud.describe_stack_resources(StackName=name)["StackResources"]) for name in names}


def _skipped(aws: EmbeddedAws) -> list[SkippedResource]:
    counted = Counter((each.type, each.reason) for each in aws.skipped)
    return [SkippedResource(kind, count, reason) for (kind, reason), count in sorted(counted.items())]
