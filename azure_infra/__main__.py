"""``python -m azure_infra`` writes the templates anew; ``… consent`` says what a tenant administrator must grant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from azure_infra.arm import Template
from azure_infra.consent import consent
from azure_infra.events import flow_log_events
from azure_infra.permissions import PermissionMalformed
from azure_infra.resource_group import resource_group
from azure_infra.subscription import subscription
from azure_infra.tenant import tenant
from azure_infra.workspace import workspace

FOLDER = Path(__file__).parent
TEMPLATES: dict[str, Callable[[], Template]] = {
    "resource_group.json": resource_group,
    "subscription.json": subscription,
    "workspace.json": workspace,
    "tenant.json": tenant,
    "flow_log_events.json": flow_log_events,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(prog="python -m azure_infra", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["templates", "consent"], default="templates")
    command = parser.parse_args(arguments).command
    try:
        if command == "consent":
            print(consent(), end="")
        else:
            for name, build in TEMPLATES.items():
                (FOLDER / name).write_text(build().to_text(), encoding="utf-8")
                print(f"azure_infra/{name}")
    except PermissionMalformed as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
