"""``python -m azure_infra`` writes the templates anew; ``… consent`` says what a tenant administrator must grant."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from azure_infra.arm import Template
from azure_infra.bicep import template_of
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
#: ``main.bicep`` with its modules in it, for whoever has no Bicep compiler.
COMPILED = "main.json"


def compiled(templates: Mapping[str, str]) -> str:
    """Text of :data:`COMPILED`.

    Parameters
    ----------
    templates
        Texts of the templates, by file.

    Raises
    ------
    BicepInvalid
    """
    made = template_of((FOLDER / "main.bicep").read_text(encoding="utf-8"), lambda path: json.loads(templates[path]))
    said = "main.bicep with its modules, compiled by azure_infra/bicep.py; each nested template says what it touches."
    made = {
        "$schema": made.pop("$schema"),
        "contentVersion": made.pop("contentVersion"),
        "metadata": {"description": said},
        **made,
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(prog="python -m azure_infra", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["templates", "consent"], default="templates")
    command = parser.parse_args(arguments).command
    try:
        if command == "consent":
            print(consent(), end="")
        else:
            texts = {name: build().to_text() for name, build in TEMPLATES.items()}
            for name, text in {**texts, COMPILED: compiled(texts)}.items():
                (FOLDER / name).write_text(text, encoding="utf-8")
                print(f"azure_infra/{name}")
    except PermissionMalformed as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
