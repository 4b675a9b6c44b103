"""The CDK app: ``cdk synth`` and ``cdk deploy`` run it (cdk.json)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from cdk.explanations import WildcardUnexplained
from cdk.functions import FolderMissing
from cdk.groups import RoleTooLong
from cdk.permissions import PermissionUnscoped
from cdk.policy import read_policy
from cdk.settings import SettingInvalid, Settings
from cdk.stacks.data import DataStack
from cdk.stacks.detection import DetectionStack
from cdk.stacks.global_events import GLOBAL_REGION, GlobalEventsStack, forwards_to
from cdk.stacks.observability import ObservabilityStack
from cdk.stacks.response import ResponseStack
from response.policy import PolicyError

ROOT = Path(__file__).parent.parent


def build(app: cdk.App, settings: Settings) -> dict[str, cdk.Stack]:
    """Add the stacks to the app; returns them by name."""
    policy = read_policy(ROOT / settings.policy_file)
    prefix = "".join(part.capitalize() for part in settings.name.split("-"))
    # Tags of the stacks: CloudFormation hands them on to every resource.
    shared: dict[str, Any] = {"settings": settings, "env": _environment(settings), "tags": {"application": settings.name}}
    data = DataStack(app, f"{prefix}Data", policy=policy, description="Breakwater: lake, queues, tables, keys.", **shared)
    detection = DetectionStack(app, f"{prefix}Detection", data=data, description="Breakwater: detectors.", **shared)
    title = "Breakwater: containment and undo."
    response = ResponseStack(app, f"{prefix}Response", data=data, senders=detection.senders, description=title, **shared)
    functions = detection.functions | response.functions
    title = "Breakwater: alarms and dashboard."
    watched = {"data": data, "functions": functions, "page_api": response.page_api}
    observability = ObservabilityStack(app, f"{prefix}Observability", **watched, description=title, **shared)
    for stack in (detection, response):
        stack.add_stack_dependency(data)
    stacks: dict[str, cdk.Stack] = {"data": data, "detection": detection, "response": response, "observability": observability}
    home = shared["env"].region if shared["env"] else GLOBAL_REGION
    if forwards_to(home):
        shared["env"] = cdk.Environment(account=shared["env"].account, region=GLOBAL_REGION)
        del shared["settings"]
        title = f"Breakwater: events that are only said in {GLOBAL_REGION}."
        stacks["global-events"] = GlobalEventsStack(
            app, f"{prefix}GlobalEvents", prefix=settings.name, home=home, description=title, **shared
        )
        stacks["global-events"].add_stack_dependency(data)  # the boundary of its role
    return stacks


def _environment(settings: Settings) -> cdk.Environment | None:
    """Where to deploy: as set, else where the command line's credentials lead; None leaves it to CloudFormation."""
    account = settings.account or os.environ.get("CDK_DEFAULT_ACCOUNT")
    region = settings.region or os.environ.get("CDK_DEFAULT_REGION")
    return cdk.Environment(account=account, region=region) if account and region else None


def main() -> int:
    """Synthesise; a setting that cannot be used is said in one line."""
    app = cdk.App()
    # Findings fail the synthesis. What runs on this machine only is checked by the tests instead: it must start fast.
    if app.node.try_get_context("packages") != "local":
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        settings = Settings.from_context(app.node.get_all_context(), ROOT)
        build(app, settings)
    except (SettingInvalid, PolicyError, PermissionUnscoped, WildcardUnexplained, FolderMissing, RoleTooLong) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
